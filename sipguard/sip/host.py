"""What a host is, told by its looks: an address or a name, whose last label starts with a letter (RFC 3261 §25.1)."""


def is_address(host: str) -> bool:
    """Whether a host without brackets is an IP address rather than a name."""
    return ":" in host or host.rpartition(".")[2].isdecimal()

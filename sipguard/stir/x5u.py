"""Which certificate URLs we are willing to dereference: the cheap check before any fetch (VS-31, VS-33, CRT-23).

``https`` only, no user information, query or fragment, ports 443 and 8443, and no address literal or name that can
only mean this machine or its neighbours. The fetcher checks the resolved addresses once more; this check
keeps a hostile URL from ever reaching it.
"""

import ipaddress
import re
from typing import NamedTuple

# A path without the characters that a URL must escape, so that it can stand in JSON and in angle brackets as it is.
_URL = re.compile(r"https://([^/\\@]*)(/[!$-;=@-\[\]_a-z|~]*)?\Z", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?\Z")
_NAME = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?\Z"
)
_LOCAL_NAMES = (".localhost", ".local", ".localdomain", ".internal", ".home.arpa", ".lan")
_LONGEST = 1024

# The registries of special addresses (RFC 6890), written out: what the standard library calls global changes with its
# version. Tunnels that carry an IPv4 address of somebody's choice (6to4, Teredo) are no home of a repository at all.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # the metadata service of a cloud, on an address that is public otherwise
    )
)  # fmt: skip
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # what is outside is loopback, local, multicast or unassigned
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo (2001::/32) and benchmarks (2001:2::/48)
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in IPv6 clothes


class X5uRules(NamedTuple):
    """Which hosts and ports are acceptable.

    ``allow_private_hosts`` names hosts (lower case, IPv6 without brackets) that are exempt from the rules on addresses
    and ports: the loopback repository of a test or a demo.
    """

    ports: frozenset[int] = frozenset((443, 8443))
    allow_private_hosts: frozenset[str] = frozenset()


class Location(NamedTuple):
    """Where an acceptable URL points."""

    host: str  # lower case, IPv6 without brackets
    port: int
    path: str


def locate(url: str) -> Location | str:
    """Where a URL points, or in one sentence why its form is refused; no rule about hosts or ports is applied."""
    if len(url) > _LONGEST:
        return "the URL is too long"
    if "?" in url or "#" in url:
        return "the URL has a query or a fragment"
    match = _URL.match(url)
    if match is None:
        return "not an https URL without user information"
    authority = _AUTHORITY.match(match.group(1))
    if authority is None:
        return "the URL names no host"
    host, port = authority.groups()
    if port and int(port) > 65535:
        return "the URL names an impossible port"
    return Location(host.strip("[]").lower(), int(port) if port else 443, match.group(2) or "/")


def problem(url: str, rules: X5uRules) -> str | None:
    """Why this URL must not be fetched, in one sentence; None when it may be."""
    location = locate(url)
    if isinstance(location, str):
        return location
    if location.host in rules.allow_private_hosts:
        return None
    if location.port not in rules.ports:
        return "the URL names an unusual port"
    return _host_problem(location.host)


def _host_problem(host: str) -> str | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A last label that starts with a letter also excludes 2130706433, 0x7f.1 and the like.
        if not _NAME.match(host) or len(host) > 253:
            return "the URL's host is not a public name"
        return "the URL's host is a local name" if host.rstrip(".").endswith(_LOCAL_NAMES) else None
    return None if is_public(address) else "the URL's host is not a public address"


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one a certificate repository can have: global unicast, and no private one in disguise."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_UNICAST and not any(address in network for network in _NOT_PUBLIC_6)

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
    """Whether an address is one a certificate repository can have: global unicast, also behind an IPv4 mapping."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if embedded is not None:
            return is_public(embedded)
    return address.is_global and not address.is_multicast and not address.is_reserved

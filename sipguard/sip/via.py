"""Via (RFC 3261 §20.42, RFC 3581): the way a request came, and the way its response goes back.

Only the topmost Via is ever read, so an unknown transport further down is nobody's problem (RFC 4475 §3.1.1.10).
White space is allowed around every separator. ``received`` is accepted with IPv6 brackets and written without
(RFC 5118 §4.5).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.sip.header import format_parameters, parse_parameters, split_list
from sipguard.sip.uri import HOST

_CACHED_LENGTH = 128
_SENT_BY = re.compile(
    r"[Ss][Ii][Pp][ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++"
    rf"({HOST})(?:[ \t]*+:[ \t]*+([0-9]{{1,5}}))?[ \t]*+"
)


class Via(NamedTuple):
    """One Via value: transport in upper case, the sent-by host (IPv6 in brackets) and port, the parameters."""

    transport: str
    host: str
    port: int | None
    parameters: Mapping[str, str | None]

    @property
    def branch(self) -> str | None:
        """The transaction identifier (RFC 3261 §8.1.1.7), or None."""
        return self.parameters.get("branch")

    @property
    def received(self) -> str | None:
        """The address the request really came from, without brackets, or None."""
        received = self.parameters.get("received")
        return received.strip("[]") if received else None

    @property
    def rport(self) -> int | None:
        """The port the request really came from (RFC 3581 §4); None when absent, empty or not a port."""
        value = self.parameters.get("rport")
        if not value or len(value) > 5 or not (value.isascii() and value.isdigit()):
            return None
        return int(value) if 0 < int(value) < 65_536 else None

    @property
    def has_rport(self) -> bool:
        """Whether the sender asked for its port, filled in or not (RFC 3581 §3)."""
        return "rport" in self.parameters

    def __str__(self) -> str:
        """The value as it is sent."""
        sent_by = self.host if self.port is None else f"{self.host}:{self.port}"
        return f"SIP/2.0/{self.transport} {sent_by}{format_parameters(self.parameters)}"


def parse_via(text: str) -> Via:
    """Read one Via value. Raises MalformedValue."""
    sender, semicolon, rest = text.partition(";")
    transport, host, port = _cached(sender) if len(sender) <= _CACHED_LENGTH else _sent_by(sender)
    return Via(transport, host, port, parse_parameters(semicolon + rest))


def parse_top_via(text: str) -> Via:
    """Read the first value of a Via row. Raises MalformedValue."""
    return parse_via((split_list(text) or [""])[0] if "," in text else text)


def _sent_by(text: str) -> tuple[str, str, int | None]:
    """Transport, host and port: what stands before the parameters."""
    match = _SENT_BY.fullmatch(text)
    if match is None:
        raise MalformedValue("malformed Via")
    transport, host, digits = match.groups()
    port = None if digits is None else int(digits)
    if port is not None and not 0 < port < 65_536:
        raise MalformedValue("port out of range in Via")
    return transport.upper(), host, port


_cached = lru_cache(maxsize=4096)(_sent_by)  # neighbours are few

"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966): read once, remembered, never changed.

One regular expression reads a whole URI, so the split into user, host and parameters cannot be argued
about; nothing is unescaped before that split (§19.1.2), and parts keep their escapes until someone asks ``unescape``.
The same few URIs come back in every message, so parsed values are kept in a bounded cache; long texts are not, or a
stranger could fill the memory with them. Errors do not quote the text: it may be a caller's number.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from sipguard.errors import MalformedValue

SIP_PORT, TLS_PORT = 5060, 5061
_DEFAULT_PORTS = {"tls": TLS_PORT, "ws": 80, "wss": 443}  # RFC 7118 §5.3
_CACHED_LENGTH = 256

# "#" is not allowed unescaped in a user part, but telephones send it and it cannot be misread.
_USER = r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]++|%[0-9A-Fa-f]{2})"
_AFTER_USER = r"(?:[A-Za-z0-9\-_.!~*'()&=+$,]++|%[0-9A-Fa-f]{2})"
_PARAMETER_TEXT = r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]++|%[0-9A-Fa-f]{2})"
_HEADER_TEXT = r"(?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$&=]++|%[0-9A-Fa-f]{2})"
HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_\-.]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]++\])"

_SIP = re.compile(
    rf"(?P<scheme>[Ss][Ii][Pp][Ss]?):"
    rf"(?:(?P<user>{_USER}+)(?::(?P<password>{_AFTER_USER}*))?@)?"
    rf"(?P<host>{HOST})(?::(?P<port>[0-9]{{1,5}}))?"
    rf"(?P<parameters>(?:;{_PARAMETER_TEXT}+(?:={_PARAMETER_TEXT}*)?)*)"
    rf"(?:\?(?P<headers>{_HEADER_TEXT}*))?"
)
_TEL = re.compile(
    rf"[Tt][Ee][Ll]:(?P<number>\+?[0-9A-Fa-f*#\-.()]++)"
    rf"(?P<parameters>(?:;[A-Za-z0-9\-]++(?:={_PARAMETER_TEXT}*)?)*)"
)
_OTHER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*+):(?P<rest>[\x21\x23-\x3b\x3d\x3f-\x7e]++)")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_SEPARATORS = re.compile(r"[\-.()]")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()")
_DECISIVE = ("user", "ttl", "method", "maddr", "transport")  # must match even when only one URI has it (§19.1.4)


@dataclass(frozen=True, slots=True)
class SipUri:
    """A sip or sips URI (RFC 3261 §19.1.1); ``user`` and the other parts are still escaped.

    ``scheme`` and ``host`` are lower case, an IPv6 host keeps its brackets; ``text`` is the URI as received.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None
    parameters: Mapping[str, str | None]
    headers: str | None
    text: str

    @property
    def user_number(self) -> str:
        """The user part before its first ``;``, where a telephone number stands (RFC 3261 §19.1.6); "" without one."""
        return self.user.partition(";")[0] if self.user else ""

    @property
    def user_parameters(self) -> Mapping[str, str | None]:
        """The tel parameters inside the user part (``;verstat=...``, RFC 3261 §19.1.6), names in lower case."""
        if not self.user or ";" not in self.user:
            return {}
        parameters: dict[str, str | None] = {}
        for piece in self.user.split(";")[1:]:
            name, equals, value = piece.partition("=")
            if name:
                parameters.setdefault(name.lower(), value if equals else None)
        return parameters

    @property
    def address_host(self) -> str:
        """The host as a socket address wants it: IPv6 without brackets."""
        return self.host[1:-1] if self.host[0] == "[" else self.host

    @property
    def transport(self) -> str | None:
        """What carries requests to it: tls for sips (RFC 3261 §26.2.2), wss for sips and ws. None when unsaid."""
        said = (self.parameters.get("transport") or "").lower()
        if self.scheme == "sips":
            return "wss" if said in ("ws", "wss") else "tls"
        return said or None

    @property
    def place(self) -> tuple[str, int]:
        """Host, and port or its default (RFC 3261 §19.1.2)."""
        return self.host, self.port or default_port(self.transport)


@dataclass(frozen=True, slots=True)
class TelUri:
    """A tel URI (RFC 3966): ``number`` as received, with its ``+`` and visual separators."""

    number: str
    parameters: Mapping[str, str | None]
    text: str


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI whose scheme this proxy does not understand (RFC 3261 §16.3 (2) answers 416 to a request for one)."""

    scheme: str
    rest: str
    text: str


Uri = SipUri | TelUri | OtherUri


def default_port(transport: str | None) -> int:
    """The port of a transport that none is written for."""
    return _DEFAULT_PORTS.get(transport or "", SIP_PORT)


def parse_uri(text: str) -> Uri:
    """Read a URI. Raises MalformedValue."""
    return _cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def _parse(text: str) -> Uri:
    match = _SIP.fullmatch(text)
    if match is not None:
        return _sip_uri(match, text)
    match = _TEL.fullmatch(text)
    if match is not None and any(character in "0123456789abcdefABCDEF*#" for character in match["number"]):
        return TelUri(match["number"], _parameters(match["parameters"]), text)
    match = _OTHER.fullmatch(text)
    if match is None or match["scheme"].lower() in ("sip", "sips", "tel"):
        raise MalformedValue("malformed URI")
    return OtherUri(match["scheme"].lower(), match["rest"], text)


_cached = lru_cache(maxsize=4096)(_parse)


def _sip_uri(match: re.Match[str], text: str) -> SipUri:
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port < 65_536:
        raise MalformedValue("port out of range")
    return SipUri(
        match["scheme"].lower(), match["user"], match["password"], match["host"].lower(), port,
        _parameters(match["parameters"]), match["headers"], text,
    )  # fmt: skip


def _parameters(text: str) -> Mapping[str, str | None]:
    """URI parameters: escapes allowed, quotes and spaces not, no name twice (RFC 3261 §19.1.1)."""
    parameters: dict[str, str | None] = {}
    for piece in text.split(";")[1:]:
        name, equals, value = piece.partition("=")
        name = name.lower()
        if name in parameters:
            raise MalformedValue("URI parameter given twice")
        parameters[name] = value if equals else None
    return MappingProxyType(parameters)


def unescape(text: str) -> str:
    """Every ``%HH`` replaced by its octet; a percent sign that starts no escape stays (RFC 3261 §19.1.2)."""
    return _ESCAPE.sub(_octet, text) if "%" in text else text


def _octet(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def same_uri(first: Uri, second: Uri) -> bool:
    """Whether two URIs are equal (RFC 3261 §19.1.4 for sip and sips, RFC 3966 §4 for tel, octets for any other)."""
    if isinstance(first, SipUri) and isinstance(second, SipUri):
        return _same_sip(first, second)
    if isinstance(first, TelUri) and isinstance(second, TelUri):
        return _tel_key(first) == _tel_key(second)
    if isinstance(first, OtherUri) and isinstance(second, OtherUri):
        return (first.scheme, first.rest) == (second.scheme, second.rest)
    return False


def same_target(first: Uri, second: Uri) -> bool:
    """Whether two URIs name one party at one place: user, host and port; parameters are what senders add and lose."""
    if not isinstance(first, SipUri) or not isinstance(second, SipUri):
        return same_uri(first, second)
    if first.scheme != second.scheme:
        return False
    if first.host != second.host and not _same_host(first.host, second.host):
        return False
    if first.port != second.port and first.place[1] != second.place[1]:
        return False
    return first.user == second.user or _comparable(first.user) == _comparable(second.user)


def _same_host(first: str, second: str) -> bool:
    """Whether two hosts differ in nothing but the dot of the root, or in how an IPv6 address is written (RFC 5952)."""
    if first[0] != "[" or second[0] != "[":
        return first.rstrip(".") == second.rstrip(".")
    try:
        return ipaddress.IPv6Address(first[1:-1]) == ipaddress.IPv6Address(second[1:-1])
    except ValueError:
        return False


def _same_sip(first: SipUri, second: SipUri) -> bool:
    if (first.scheme, first.host, first.port) != (second.scheme, second.host, second.port):
        return False
    if _comparable(first.user) != _comparable(second.user):
        return False
    if _comparable(first.password) != _comparable(second.password):
        return False
    for name in (first.parameters.keys() & second.parameters.keys()).union(_DECISIVE):
        if (name in first.parameters) != (name in second.parameters):
            return False
        if _folded(first.parameters.get(name)) != _folded(second.parameters.get(name)):
            return False
    return _header_key(first.headers) == _header_key(second.headers)


def _comparable(text: str | None) -> str | None:
    """Escapes of unreserved characters undone, all others in one spelling, so that equal texts are equal strings."""
    if text is None or "%" not in text:
        return text
    return _ESCAPE.sub(_normal_escape, text)


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _folded(value: str | None) -> str | None:
    comparable = _comparable(value)
    return None if comparable is None else comparable.lower()


def _header_key(headers: str | None) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in headers.split("&")] if headers else []
    return sorted((unescape(name).lower(), _comparable(value) or "") for name, _, value in pairs)


def _tel_key(uri: TelUri) -> tuple[str, dict[str, str]]:
    """What two equal tel URIs have in common: digits without separators, parameters in any order (RFC 3966 §4)."""
    parameters = {}
    for name, value in uri.parameters.items():
        text = (_folded(value) or "").lower()
        # ext is digits, and a phone-context may be a global number: separators there mean nothing either.
        if name == "ext" or (name == "phone-context" and text[:1] == "+"):
            text = _SEPARATORS.sub("", text)
        parameters[name] = text
    return _SEPARATORS.sub("", uri.number).lower(), parameters

"""One header field value as sipguard and as the package ``sipmessage`` read it, in one form so that they compare.

A reading is None where the reader refuses. Two things are made equal here, because they are two ways to keep the same
value and no difference in what was read: sipguard keeps the escapes of a URI (``%41``) until somebody asks, and hosts
and parameter names in lower case.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sipmessage
from sipmessage.parameters import Parameters

from sipguard.errors import MalformedValue
from sipguard.sip.address import Address, parse_address
from sipguard.sip.cseq import parse_cseq
from sipguard.sip.header import split_list
from sipguard.sip.uri import OtherUri, TelUri, parse_uri, unescape
from sipguard.sip.via import Via, parse_via

Reading = Any  # tuples, lists, texts and numbers that compare
KINDS = ("uri", "address", "addresses", "via", "vias", "cseq")


def ours(kind: str, text: str) -> Reading | None:
    """What sipguard reads."""
    try:
        return _OURS[kind](text)
    except MalformedValue:
        return None


def theirs(kind: str, text: str) -> Reading | None:
    """What sipmessage reads."""
    try:
        return _THEIRS[kind](text)
    except (ValueError, TypeError):
        return None


# --- ours


def _our_parameters(parameters: Mapping[str, str | None], *, escaped: bool) -> dict[str, str | None]:
    if not escaped:
        return dict(parameters)
    return {unescape(name).lower(): value if value is None else unescape(value) for name, value in parameters.items()}


def _our_uri(text: str) -> Reading:
    uri = parse_uri(text)
    if isinstance(uri, OtherUri):
        raise MalformedValue("of a scheme sipmessage does not know")
    parameters = _our_parameters(uri.parameters, escaped=True)
    if isinstance(uri, TelUri):
        return ("tel", uri.number, None, "", None, parameters)
    user, password = (None if part is None else unescape(part) for part in (uri.user, uri.password))
    if uri.headers is not None:
        raise MalformedValue("with header fields, which sipmessage does not know")
    return (uri.scheme, user, password or None, uri.host, uri.port, parameters)


def _our_address(value: Address) -> Reading:
    return (value.display or "", _our_uri(value.uri), _our_parameters(value.parameters, escaped=False))


def _our_via(via: Via) -> Reading:
    return (via.transport, via.host.lower(), via.port, _our_parameters(via.parameters, escaped=False))


# --- theirs


def _their_parameters(parameters: Parameters) -> dict[str, str | None]:
    return {name.lower(): value for name, value in parameters.items()}


def _their_uri(uri: sipmessage.URI) -> Reading:
    parameters = _their_parameters(uri.parameters)
    return (uri.scheme, uri.user, uri.password or None, uri.host.lower(), uri.port, parameters)


def _their_address(address: sipmessage.Address) -> Reading:
    return (address.name, _their_uri(address.uri), _their_parameters(address.parameters))


def _their_via(via: sipmessage.Via) -> Reading:
    return (via.transport.upper(), via.host.lower(), via.port, _their_parameters(via.parameters))


_OURS: dict[str, Callable[[str], Reading]] = {
    "uri": _our_uri,
    "address": lambda text: _our_address(parse_address(text)),
    "addresses": lambda text: [_our_address(parse_address(item)) for item in split_list(text)],
    "via": lambda text: _our_via(parse_via(text)),
    "vias": lambda text: [_our_via(parse_via(item)) for item in split_list(text)],
    "cseq": lambda text: tuple(parse_cseq(text)),
}
_THEIRS: dict[str, Callable[[str], Reading]] = {
    "uri": lambda text: _their_uri(sipmessage.URI.parse(text)),
    "address": lambda text: _their_address(sipmessage.Address.parse(text)),
    "addresses": lambda text: [_their_address(each) for each in sipmessage.Address.parse_many(text)],
    "via": lambda text: _their_via(sipmessage.Via.parse(text)),
    "vias": lambda text: [_their_via(each) for each in sipmessage.Via.parse_many(text)],
    "cseq": lambda text: (sipmessage.CSeq.parse(text).sequence, sipmessage.CSeq.parse(text).method),
}

"""STUN keep-alives on a SIP port (RFC 5626 §4.4.2, §8): a Binding Request is answered with the address it came from.

That is all of STUN there is here: whoever asks wants to keep a NAT open, and to notice when it gave them another
address. A message that asks for more than we know is left unanswered.
"""

import ipaddress
import struct

_HEADER = struct.Struct("!HHI12s")  # type, length, magic cookie, transaction (RFC 5389 §6)
_ATTRIBUTE = struct.Struct("!HH")
_REQUEST, _RESPONSE = 0x0001, 0x0101
_COOKIE = 0x2112A442
_XOR_MAPPED_ADDRESS = 0x0020
_OPTIONAL = 0x8000  # attributes from here on may be ignored
_FAMILIES = {4: 1, 6: 2}


def binding_response(request: bytes, host: str, port: int) -> bytes | None:
    """The answer to a Binding Request from this address; None when it is none, or wants what we do not know."""
    if len(request) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(request)
    if (kind, cookie) != (_REQUEST, _COOKIE) or length != len(request) - _HEADER.size or _requires_more(request):
        return None
    address = ipaddress.ip_address(host.partition("%")[0])
    mask = (_COOKIE.to_bytes(4, "big") + transaction)[: len(address.packed)]
    mapped = bytes(octet ^ hidden for octet, hidden in zip(address.packed, mask, strict=True))
    value = struct.pack("!BBH", 0, _FAMILIES[address.version], port ^ (_COOKIE >> 16)) + mapped
    attribute = _ATTRIBUTE.pack(_XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEADER.pack(_RESPONSE, len(attribute), _COOKIE, transaction) + attribute


def _requires_more(request: bytes) -> bool:
    """Whether there is an attribute that must be understood, or that does not fit."""
    at = _HEADER.size
    while at < len(request):
        if at + _ATTRIBUTE.size > len(request):
            return True
        kind, length = _ATTRIBUTE.unpack_from(request, at)
        at += _ATTRIBUTE.size + (length + 3) // 4 * 4
        if kind < _OPTIONAL:
            return True
    return at != len(request)

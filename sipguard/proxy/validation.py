"""What RFC 3261 §16.3 asks of a request before a proxy touches it: scheme, hops, loops, Proxy-Require."""

import zlib
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.proxy.identity import ProxyIdentity
from sipguard.sip.message import Request
from sipguard.sip.uri import OtherUri, parse_uri

MAX_MAX_FORWARDS = 255
_PRIVACY = "privacy"  # the option tag of RFC 3323 §4.3


class Complaint(NamedTuple):
    """A request that goes no further: the answer and the header fields it carries."""

    code: int
    phrase: str
    headers: tuple[tuple[str, str], ...] = ()


def validate(request: Request, identity: ProxyIdentity) -> Complaint | None:
    """The first reason to refuse, or None. Asked of every request but ACK and CANCEL (MSG-21)."""
    try:
        uri = parse_uri(request.uri)
    except MalformedValue:
        return Complaint(400, "Malformed Request-URI")
    if isinstance(uri, OtherUri) and not is_service_urn(request.uri):
        return Complaint(416, "Unsupported URI Scheme")
    if is_spent(request):
        return Complaint(483, "Too Many Hops")
    if _is_narrow(request):
        return Complaint(440, "Max-Breadth Exceeded")
    if request.has("proxy-require"):
        unsupported = [tag for tag in request.listed("proxy-require") if tag.lower() != _PRIVACY]
        if unsupported:
            return Complaint(420, "Bad Extension", (("unsupported", ", ".join(unsupported)),))
    if _looped(request, identity):
        return Complaint(482, "Loop Detected")
    return None


def is_spent(request: Request) -> bool:
    """Whether a request may make no further hop (Max-Forwards 0, in any spelling)."""
    hops = request.value("max-forwards")
    return hops is not None and hops.strip("0") == ""


def _is_narrow(request: Request) -> bool:
    """Whether not even one branch is left for a request (RFC 5393 §5.3.3)."""
    breadth = request.value("max-breadth")
    return breadth is not None and breadth != "" and breadth.strip("0") == ""


def is_service_urn(uri: str) -> bool:
    """Whether a Request-URI is an emergency service URN (RFC 5031); 416 is never the answer to one (EMG-01)."""
    lowered = uri.lower()
    return lowered == "urn:service:sos" or lowered.startswith("urn:service:sos.")


def is_sips(uri: str) -> bool:
    """Whether a URI wants TLS on every hop (RFC 3261 §26.2.2)."""
    return uri[:5].lower() == "sips:"


def loop_digest(request: Request) -> str:
    """What must have changed for a request to pass here again: a spiral, not a loop (RFC 3261 §16.6(8), RFC 5393 §4.2).

    The method is left out, so that ACK and CANCEL carry the INVITE's branch (PRX-13).
    """
    route = request.value("route") or ""
    key = f"{request.uri}\n{route}\n{request.from_.tag}\n{request.to.tag}\n{request.call_id}\n{request.cseq.number}"
    return f"{zlib.crc32(key.encode('latin-1')):08x}"


def _looped(request: Request, identity: ProxyIdentity) -> bool:
    """Whether one of our own branches in the Via stack was made for this very request."""
    mark = ""
    for row in request.values("via"):
        for own in identity.sent_by:
            if own in row:
                mark = mark or f".{loop_digest(request)}"
                if mark in row:
                    return True
    return False

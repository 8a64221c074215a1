"""Following a 3xx: which of its contacts become targets of the call (RFC 3261 §16.5, §16.7 (4)).

A carrier that redirects gets to choose among the places that are configured, and no more: a contact is followed only
when it names a target of a trunk that may carry this call, and then what is sent goes to that target as configured.
The called number has to stay the same, or the call would be retargeted, and its PASSporT would have to say so
(RFC 8946). Each place is a target once in a call's life, so nothing can go round in circles (RFC 3261 §16.5). A contact
of a sips request has to be sips (RFC 5630 §5.3). What is not followed is left in the response, for the caller to judge.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.need import Server, TargetNeed
from sipguard.policy.trunk import Target, Trunk
from sipguard.proxy.branch import Attempt
from sipguard.proxy.routing import only_over_tls
from sipguard.proxy.validation import is_sips
from sipguard.sip.address import parse_address
from sipguard.sip.message import Response
from sipguard.sip.uri import SipUri, default_port, parse_uri
from sipguard.stir.telephone_number import tn_of_uri

_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_MOST_CONTACTS = 32  # looked at in one response


class Redirection(NamedTuple):
    """The attempts at the contacts that are followed, best first, and the Contact values that are not."""

    attempts: list[Attempt]
    left: list[str]


def redirection(
    call: Call, redirecting: Trunk, response: Response, tried: Iterable[Server | TargetNeed]
) -> Redirection:
    """What follows from a 3xx that a target of ``redirecting`` answered; ``tried`` is where the call has been."""
    used = set(tried)
    found: list[tuple[float, Attempt]] = []
    left: list[str] = []
    try:
        contacts = response.listed("contact")
    except MalformedValue:
        return Redirection([], [])
    for position, text in enumerate(contacts):
        followed = _followed(call, redirecting, text) if position < _MOST_CONTACTS else None
        if followed is None or followed[1].place in used:
            left.append(text)
        else:
            used.add(followed[1].place)
            found.append(followed)
    found.sort(key=lambda entry: -entry[0])  # stable: equals stay in the order they were written
    return Redirection([attempt for _, attempt in found], left)


def _followed(call: Call, redirecting: Trunk, text: str) -> tuple[float, Attempt] | None:
    """The preference of a contact and the attempt at it, if it may be followed."""
    try:
        address = parse_address(text)
        uri = parse_uri(address.uri)
        same = isinstance(uri, SipUri) and tn_of_uri(uri, redirecting.dial_plan) == call.request_tn is not None
    except MalformedValue:
        return None
    if not same or not isinstance(uri, SipUri) or "maddr" in uri.parameters or call.routed is None:
        return None
    secure = is_sips(call.request.uri)
    if secure and uri.scheme != "sips":
        return None
    for trunk in call.routed.trunks:
        for target in trunk.targets:
            place = only_over_tls(target.place) if secure else target.place
            if place is not None and _names(uri, target):
                return _preference(address.parameters.get("q")), Attempt((trunk, target), place, target.names, uri)
    return None


def _names(uri: SipUri, target: Target) -> bool:
    """Whether a contact is this target: the same host and port, and no other transport."""
    if uri.transport is not None and target.transport is not None and uri.transport != target.transport:
        return False
    transport = target.transport
    there = target.host.lower().rstrip("."), target.port or default_port(transport)
    return (uri.address_host.rstrip("."), uri.port or default_port(uri.transport or transport)) == there


def _preference(q: str | None) -> float:
    """From 0 to 1; 1 when unsaid (RFC 3261 §20.10), and what is not a qvalue comes last."""
    if q is None:
        return 1.0
    return float(q) if _Q.fullmatch(q) else 0.0

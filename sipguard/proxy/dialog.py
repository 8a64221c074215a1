"""One dialog of a call as it stands from here: where each party is, and what lies between it and us (RFC 3261 §12).

A party's remote target is the Contact it sent last; it moves with a target refresh request, and with the 2xx to one
(§12.2). What is left of the route set beyond us is what its INVITE, or its answer, brought in Record-Route. A request
of the other party goes there and nowhere else: what it says itself is only held against that (``dialog_path``).
"""

from enum import Enum, auto

import msgspec

from sipguard.errors import MalformedValue
from sipguard.sip.address import parse_address
from sipguard.sip.flow import Flow
from sipguard.sip.header import split_list
from sipguard.sip.message import Message, Request, Response
from sipguard.sip.uri import SipUri, parse_uri, same_target

REFRESHING = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"))  # RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.4.1
_LONGEST = 2048  # octets of a target: several are kept of each side of a dialog, as long as the call lasts
_REMEMBERED = 2  # targets a party had before; requests that name one crossed the news


class State(Enum):
    """How far a dialog is."""

    EARLY = auto()
    UP = auto()
    OVER = auto()


class Leg(msgspec.Struct, array_like=True, gc=False):
    """One party's side: where requests for it go.

    ``target`` is its Contact's URI, or where we reached it when it named none (``guessed``); ``routes`` are the
    Route values on the way, nearest first. ``flow`` is where its own requests came from, or the INVITE went to;
    with ``on_flow`` it can be reached there only. ``announced`` is a Contact from a request that is not answered yet.
    """

    flow: Flow
    target: str
    routes: tuple[str, ...]
    on_flow: bool
    guessed: bool = False
    announced: str | None = None
    earlier: tuple[str, ...] = ()

    def moves(self, target: str | None) -> None:
        """The party says where it is now; None: it does not say."""
        if target is None or target == self.target:
            return
        if not self.guessed:
            self.earlier = (self.target, *self.earlier)[:_REMEMBERED]
        self.target, self.guessed = target, False

    def place_of(self, uri: str) -> str | None:
        """Where a request with this Request-URI goes: a target, as the party wrote it; None when it is none of its.

        Who asks for a target of before has not heard of the new one yet. Raises MalformedValue.
        """
        if uri == self.target or self.guessed:
            return self.target
        asked = parse_uri(uri)
        if same_target(asked, parse_uri(self.target)):
            return self.target
        if self.announced is not None and same_target(asked, parse_uri(self.announced)):
            return self.announced
        if any(same_target(asked, parse_uri(target)) for target in self.earlier):
            return self.target
        return None

    def leads_by(self, routes: list[str]) -> bool:
        """Whether these Route values are the way to it, hop by hop. Raises MalformedValue."""
        if len(routes) != len(self.routes):
            return False
        return all(
            mine == theirs or _place(mine) == _place(theirs) for mine, theirs in zip(self.routes, routes, strict=True)
        )


class Dialog(msgspec.Struct, array_like=True, gc=False):
    """The dialog with the callee that has ``tag``; the caller's tag is the call's."""

    tag: str
    caller: Leg
    called: Leg
    state: State = State.EARLY


def leg_of(flow: Flow, target: str | None, routes: tuple[str, ...], reached: str, *, on_flow: bool) -> Leg:
    """The side of a party that said it is at ``target``, or did not say, and was ``reached`` there."""
    return Leg(flow, target or reached, routes, on_flow, guessed=target is None)


def caller_leg(invite: Request, flow: Flow, *, on_flow: bool) -> Leg:
    """The side of who sent this INVITE, on this flow."""
    host = f"[{flow.host}]" if ":" in flow.host else flow.host
    reached = f"sip:{host}:{flow.port};transport={flow.transport}"
    return leg_of(flow, target_in(invite), tuple(_recorded(invite)), reached, on_flow=on_flow)


def routes_beyond(response: Response, mark: str) -> tuple[str, ...]:
    """What the answer to an INVITE has in Record-Route beyond our own values, nearest first (RFC 3261 §12.1.2).

    ``mark`` is what stands in our own values and in nobody else's.
    """
    row = response.first.get("record-route")
    if row is None or (mark in row and "," not in row):  # ours is the first: nobody beyond us stays on the way
        return ()
    beyond: list[str] = []
    for value in _recorded(response):
        if mark in value:
            break
        beyond.insert(0, value)
    return tuple(beyond)


def target_in(message: Message) -> str | None:
    """The URI of its Contact that requests can go to; None when there is none, or it cannot be read or kept."""
    value = message.value("contact")
    if value is None:
        return None
    try:
        if value[:1] == "<" and ">" in value:  # whatever its parameters are
            uri = value[1 : value.index(">")]
        else:
            uri = parse_address((split_list(value) or [""])[0] if "," in value else value).uri
        target = parse_uri(uri)
        if len(uri) > _LONGEST or not isinstance(target, SipUri):
            return None
        # Header fields are no part of a Request-URI (RFC 3261 §19.1.1): a BYE with some would be refused.
        return uri if target.headers is None else uri[: -len(target.headers) - 1]
    except MalformedValue:
        return None


def _recorded(message: Message) -> list[str]:
    """Its Record-Route values; none where they cannot be read: then nobody can make a route set of them either."""
    try:
        return message.listed("record-route")
    except MalformedValue:
        return []


def _place(value: str) -> tuple[str, int] | None:
    uri = parse_uri(parse_address(value).uri)
    return uri.place if isinstance(uri, SipUri) else None

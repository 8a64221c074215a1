"""What is written of the calls that are up, so that the next process knows them: one line each time one changes.

The last line of a call counts. A call is known again with its parties, the dialogs, its places under call limits and
its account; times are of the wall clock there. What only a connection could reach is lost with the connection. A call
whose trunks are gone, or that was silent for longer than any call may be, is closed.
"""

from collections.abc import Iterable, Mapping

import msgspec

from sipguard.policy.trunk import Trunk
from sipguard.proxy.active_calls import ActiveCall, Party
from sipguard.proxy.carrier_leg import CarrierLeg
from sipguard.proxy.dialog import Dialog, Leg
from sipguard.sip.address import Address
from sipguard.sip.flow import Flow, Listener
from sipguard.stir.telephone_number import TN

_LEAP = 1000  # numbers a party may have used since its call was last written down (gaps: RFC 3261 §12.2.2)
_GONE = -1  # the number of a connection that ended with its process
_Name = tuple[str | None, str]  # display name and URI


class _Side(msgspec.Struct, array_like=True, gc=False):
    trunk: str
    own: _Name
    shown: _Name | None


class _Shift(msgspec.Struct, array_like=True, gc=False):
    trunk: str
    tag: str
    now: int
    initial: int


class Facts(msgspec.Struct, omit_defaults=True):
    """One call; ``over`` is said of one that has ended, and nothing else then."""

    id: str
    over: bool = False
    call_id: str = ""
    caller_tag: str = ""
    account: str | None = None
    caller: _Side | None = None
    called: _Side | None = None
    dialogs: list[Dialog] = []
    answered: float = 0.0
    seen: float = 0.0
    places: tuple[tuple[str, str], ...] = ()
    numbers: dict[str, int] | None = None
    leg: _Shift | None = None
    callback: str | None = None
    bounded: str | None = None
    end_user: str | None = None
    number: str | None = None


class _Entry(msgspec.Struct):
    id: str
    over: bool = False


_STRANGE = (msgspec.DecodeError, RecursionError)  # whatever is in the file, the node starts
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Facts).decode
_glance = msgspec.json.Decoder(_Entry).decode


def line_of(active: ActiveCall, now: float, wall: float) -> bytes:
    """The line of a call that is up."""
    behind = wall - now
    leg, callback = active.leg, active.callback
    return _encode(
        Facts(
            active.identifier,
            call_id=active.call_id,
            caller_tag=active.caller_tag,
            account=active.account,
            caller=_side(active.caller),
            called=_side(active.called),
            dialogs=active.dialogs,
            answered=behind + (now if active.answered_at is None else active.answered_at),
            seen=behind + active.seen_at,
            places=() if active.hold is None else active.hold.keys,
            numbers=active.numbers,
            leg=None if leg is None else _Shift(leg.trunk, leg.tag, leg.shift, leg.initial),
            callback=callback,
            bounded=active.bounded,
            end_user=active.end_user,
            number=active.number,
        )
    )


def over(identifier: str) -> bytes:
    """The line of a call that has ended."""
    return _encode(Facts(identifier, over=True))


def read(lines: Iterable[bytes]) -> tuple[list[Facts], int]:
    """The calls that were up after these lines, and how many lines were none of ours."""
    calls: dict[str, Facts] = {}
    strange = 0
    for line in lines:
        try:
            facts = _decode(line)
        except _STRANGE:
            strange += 1
            continue
        if facts.over:
            calls.pop(facts.id, None)
        else:
            calls[facts.id] = facts
    return list(calls.values()), strange


def compacted(lines: Iterable[bytes]) -> list[bytes]:
    """The last line of each call that is up after these."""
    calls: dict[str, bytes] = {}
    for line in lines:
        try:
            entry = _glance(line)
        except _STRANGE:
            continue
        if entry.over:
            calls.pop(entry.id, None)
        else:
            calls[entry.id] = line
    return list(calls.values())


def recall(active: ActiveCall, facts: Facts, trunks: Mapping[str, Trunk], listeners: tuple[Listener, ...]) -> bool:
    """Make a new call the one that these facts are of, but for times and limits; whether that is possible."""
    active.caller, active.called = _party(facts.caller, trunks), _party(facts.called, trunks)
    if active.caller is None or active.called is None or not facts.dialogs:
        return False
    for dialog in facts.dialogs:
        if not (_returned(dialog.caller, listeners) and _returned(dialog.called, listeners)):
            return False
    if facts.numbers is not None:
        active.numbers = {tag: number + _LEAP for tag, number in facts.numbers.items()}
    active.callback = None if facts.callback is None else TN(facts.callback)
    active.bounded = None if facts.bounded is None else TN(facts.bounded)
    active.number = None if facts.number is None else TN(facts.number)
    if facts.leg is not None:
        active.leg = CarrierLeg(facts.leg.trunk, facts.leg.tag, facts.leg.initial)
        active.leg.shift = facts.leg.now
    return True


def _side(party: Party | None) -> _Side | None:
    if party is None:
        return None
    own, shown = party.own, party.shown
    return _Side(party.trunk.name, (own.display, own.uri), None if shown is own else (shown.display, shown.uri))


def _party(side: _Side | None, trunks: Mapping[str, Trunk]) -> Party | None:
    trunk = None if side is None else trunks.get(side.trunk)
    if side is None or trunk is None:
        return None
    own = Address(*side.own, {})
    return Party(trunk, own, own if side.shown is None else Address(*side.shown, {}))


def _returned(leg: Leg, listeners: tuple[Listener, ...]) -> bool:
    """Whether there is a listener for this side's flow, which then is no connection any more."""
    flow = leg.flow
    number = flow.listener
    if number >= len(listeners) or listeners[number].transport != flow.transport:
        number = next((item.number for item in listeners if item.transport == flow.transport), -1)
    leg.flow = Flow(number, flow.transport, flow.host, flow.port, _GONE if flow.connection else 0, flow.names)
    return number >= 0

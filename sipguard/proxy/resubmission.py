"""Carriers that ask for credentials: their challenge is answered here, and the caller never hears of it.

RFC 3261 §22.3 forbids a proxy to do this: the request must go again with a higher CSeq, and the caller would not
know the answer to it (docs/adr/0009). So both are kept true: towards the carrier numbers are shifted (``carrier_leg``),
towards the caller every response has the caller's own number again. The shift of a dialog is in the token of our
Record-Route, so it is known after a restart as well; requests of the carrier's side are never touched.

A challenge is answered once for each target and realm, and once more when it says ``stale=true``. One that is not
answered by that, or cannot be, means that our credentials are not good: an alarm, and for the call as if the target had
said 503. It never reaches the caller, who could do nothing about it but learn our carrier's realm. Challenges for a
realm that is not the trunk's pass unchanged: they are for the caller.
"""

import re
from enum import Enum, auto

from sipguard.policy.need import Server, TargetNeed
from sipguard.policy.trunk import Trunk
from sipguard.proxy.active_calls import ActiveCall, Redeemed
from sipguard.proxy.branch import Attempt, Branch
from sipguard.proxy.carrier_leg import CarrierLeg
from sipguard.proxy.carrier_sessions import Session, challenges_in
from sipguard.proxy.output import ERROR
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.sip.digest import Challenge
from sipguard.sip.message import Request, Response

CHALLENGED = frozenset((401, 407))
_RACK = re.compile(r"([0-9]{1,10}[ \t]++)([0-9]{1,10})([ \t]++INVITE)")
_MOST_REALMS = 4  # of one target
_LAST_NUMBER = 2**31 - 1  # RFC 3261 §8.1.1.5


class Verdict(Enum):
    """What becomes of a challenge: it passes, the request goes again, or our credentials are of no use."""

    PASS = auto()
    AGAIN = auto()
    REFUSED = auto()


class Resubmission:
    """What a request on its way to a carrier with credentials needs until its final answer.

    ``number`` and ``cseq`` are the sender's CSeq; the request goes on ``shift`` numbers ahead of it. ``trunk`` is None
    towards a carrier that has no credentials. ``active`` is the call, inside its dialog.
    """

    __slots__ = ("active", "answered", "attempt", "cseq", "leg", "number", "shift", "trunk")

    def __init__(
        self,
        request: Request,
        trunk: Trunk | None,
        active: ActiveCall | None = None,
        leg: CarrierLeg | None = None,
        shift: int = 0,
    ) -> None:
        self.active = active
        self.number = request.cseq.number
        self.cseq = request.required("cseq")
        self.trunk = trunk
        self.leg = leg
        self.shift = shift
        self.attempt: Attempt | None = None  # the target that ``answered`` is about
        self.answered: dict[tuple[str, str], Session] = {}  # by header field and realm

    def restore(self, response: Response) -> None:
        """Give a response the caller's own number."""
        if self.shift:
            response.set("cseq", self.cseq)

    def renumber(self, request: Request) -> None:
        """Give a request the carrier's number."""
        if self.shift:
            request.set("cseq", f"{self.number + self.shift} {request.method}")


def leave(station: Station, context: ResponseContext, attempt: Attempt, trunk: Trunk, fork: Request) -> int:
    """A screened request leaves for a trunk: with its number and credentials. Returns how far its number is ahead.

    Once ahead it stays so for every further target.
    """
    resubmission = context.resubmission
    if resubmission is None:
        resubmission = context.resubmission = Resubmission(fork, trunk)
    resubmission.trunk = trunk if trunk.username is not None else None
    resubmission.renumber(fork)
    rows = dress(station, resubmission, attempt, fork)
    if context.active is not None:
        context.active.leg = leg = CarrierLeg(trunk.name, context.active.caller_tag, resubmission.shift)
        leg.rows = rows
    return resubmission.shift


def dress(station: Station, resubmission: Resubmission, attempt: Attempt, fork: Request) -> tuple[tuple[str, str], ...]:
    """Add credentials: for what this target asked, else for what the carrier asked last. Returns the rows added."""
    trunk = resubmission.trunk
    if trunk is None:
        return ()
    if resubmission.attempt is attempt:
        sessions = list(resubmission.answered.values())
    else:
        last = station.sessions.of(trunk, station.view.passwords.get(trunk.name, ""))
        sessions = [] if last is None else [last]
    rows = tuple((session.header, session.answer(fork.method, fork.uri, station.random())) for session in sessions)
    for header, value in rows:
        fork.append(header, value)
    return rows


def leave_again(station: Station, context: ResponseContext, attempt: Attempt) -> Request:
    """An in-dialog request leaves for a carrier: a copy of its own, with its number and credentials."""
    fork = context.base.fork()
    resubmission = context.resubmission
    if resubmission is not None:
        resubmission.renumber(fork)
        rows = dress(station, resubmission, attempt, fork)
        leg = resubmission.leg
        if leg is not None:
            leg.sent(resubmission.number, resubmission.number + resubmission.shift, fork.method == "INVITE")
            if fork.method == "INVITE":
                leg.rows = rows
    return fork


def take(station: Station, branch: Branch, response: Response) -> Verdict:
    """A 401 or 407 came: see whether it is for us and can be answered, and make ready to answer it."""
    context = branch.context
    resubmission = context.resubmission
    trunk = None if resubmission is None else resubmission.trunk
    if resubmission is None or trunk is None:
        return Verdict.PASS
    challenges = challenges_in(response, trunk.realm)
    if not challenges:
        return Verdict.PASS
    if context.over:
        return Verdict.REFUSED
    if resubmission.attempt is not branch.attempt:
        resubmission.attempt = branch.attempt
        resubmission.answered = {}
    if not _answer(station, resubmission, trunk, challenges):
        station.sessions.forget(trunk)
        station.count("alarms", "carrier-credentials")
        station.log(
            ERROR, "carrier.credentials-refused", trunk=trunk.name, code=response.code, realm=challenges[0][1].realm
        )
        return Verdict.REFUSED
    _advance(station, context, resubmission, trunk)
    return Verdict.AGAIN


def _answer(
    station: Station, resubmission: Resubmission, trunk: Trunk, challenges: list[tuple[str, Challenge]]
) -> bool:
    """Take up the first challenge of each realm that we understand; whether there is anything new to answer."""
    password = station.view.passwords.get(trunk.name)
    if password is None or resubmission.number + resubmission.shift >= _LAST_NUMBER:
        return False
    taken: set[tuple[str, str]] = set()
    for header, challenge in challenges:
        place = (header, challenge.realm)
        if place in taken or challenge.algorithm is None or (challenge.qop and "auth" not in challenge.qop):
            continue
        before = resubmission.answered.get(place)
        if before is not None and (before.challenge.stale or not challenge.stale):
            continue
        if before is None and len(resubmission.answered) >= _MOST_REALMS:
            continue
        taken.add(place)
        session = Session(header, challenge, trunk.username or "", password)
        resubmission.answered[place] = session
    return bool(taken)


def taken(station: Station, branch: Branch) -> None:
    """The carrier took the answers: from now on its nonce is for other requests, too.

    Not before: datagrams overtake each other, and where counts must rise another's second answer would spoil the first.
    """
    resubmission = branch.context.resubmission
    if resubmission is None or resubmission.trunk is None or resubmission.attempt is not branch.attempt:
        return
    for session in resubmission.answered.values():
        if not session.shared:
            session.shared = True
            station.sessions.keep(resubmission.trunk, session)


def _advance(station: Station, context: ResponseContext, resubmission: Resubmission, trunk: Trunk) -> None:
    """The next number; inside a dialog one that no other request has had."""
    if context.call is not None:
        resubmission.shift += 1
        return
    sent = resubmission.number + resubmission.shift
    leg = resubmission.leg
    if leg is None:
        leg = resubmission.leg = _leg(station, context.base, trunk, resubmission.active, resubmission.shift)
    resubmission.shift = leg.again(resubmission.number, sent) - resubmission.number


def _leg(station: Station, request: Request, trunk: Trunk, active: ActiveCall | None, shift: int) -> CarrierLeg:
    """What is remembered from now on of a dialog towards a carrier, of the party that sent this request."""
    leg = CarrierLeg(trunk.name, request.from_.tag or "", shift)
    if active is not None:
        active.leg = leg
    else:
        station.legs.keep(request.call_id, leg)
    return leg


def inside(
    station: Station, fork: Request, active: ActiveCall | None, redeemed: Redeemed | None, hop: Server | TargetNeed
) -> Resubmission | None:
    """An in-dialog request goes on: give it its numbers towards the carrier; None when that is not where it goes.

    Credentials are for where the carrier is known to be, not for whatever address a Contact named.
    """
    own_tag = fork.from_.tag or ""
    leg = active.leg if active is not None else station.legs.find(fork.call_id, own_tag)
    if leg is not None and leg.tag != own_tag:
        return None
    if redeemed is not None and redeemed.shift and not redeemed.from_caller:
        return None
    trunk = station.view.directory.carrier_at(hop.host)
    begun = redeemed.shift if redeemed is not None else leg.initial if leg is not None else 0
    if leg is None and trunk is None and not begun:
        return None
    number = fork.cseq.number
    if fork.method == "ACK":
        sent = number + begun if leg is None else leg.number_of_invite(number, begun)
        for header, value in leg.rows if leg is not None and trunk is not None and leg.trunk == trunk.name else ():
            fork.append(header, value)
    else:
        goes_on = fork.method != "BYE" and (active is None or active.answered_at is not None)
        if leg is None and trunk is not None and goes_on:
            # The party's next request may be under way before this one is challenged, and then has the next number.
            leg = _leg(station, fork, trunk, active, begun)
        sent = number + begun if leg is None else leg.number(number, begun)
    resubmission = Resubmission(fork, trunk, active, leg, sent - number)
    resubmission.renumber(fork)
    if fork.has("rack"):
        _renumber_rack(fork, leg, begun)
    return resubmission


def _renumber_rack(fork: Request, leg: CarrierLeg | None, begun: int) -> None:
    """The INVITE that a PRACK is about, by the number it went on with (RFC 3262 §7.2)."""
    found = _RACK.fullmatch(fork.required("rack"))
    if found is not None:
        number = int(found[2])
        sent = number + begun if leg is None else leg.number_of_invite(number, begun)
        fork.set("rack", f"{found[1]}{sent}{found[3]}")

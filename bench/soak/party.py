"""One end of one call, as far as both ends are alike: the dialog, and what is sent again until it is answered.

A party knows RFC 3261 as a user agent on a bad network must: requests and final responses are repeated, repetitions of
the other side are answered again, and what comes late, twice or in the wrong order changes nothing.
"""

from collections.abc import Callable
from random import Random
from typing import Protocol

from bench.soak.clockwork import Alarm, Clockwork
from bench.soak.kinds import Kind
from bench.soak.message import SDP, Read, request, response, tag_of, uri_of

Later = Callable[[float], None]


class Line(Protocol):
    """Where a party sends: one socket of the agent."""

    advertised: str  # host:port

    def send(self, octets: bytes) -> None:
        """Towards the proxy."""


class House(Protocol):
    """The agent a party lives in."""

    clock: Clockwork
    random: Random
    t1: float

    def branch(self) -> str:
        """A branch, or a tag, that nobody used."""

    def missed(self) -> None:
        """An INVITE was not answered within T1, or turned away: the other side is too slow, or it was lost."""

    def over(self, party: "Party", how: str, code: int, by: str) -> None:
        """The call is over for this party, and this is what it saw."""


class Repeater:
    """Sends octets now and then again, at doubling intervals of at most ``longest``, until stopped or for 64*T1."""

    __slots__ = ("_alarm", "_end", "_gave_up", "_house", "_interval", "_invite", "_line", "_longest", "_octets")

    def __init__(
        self, house: House, line: Line, octets: bytes, now: float, gave_up: Later, *, invite: bool = False
    ) -> None:
        self._house = house
        self._line = line
        self._octets = octets
        self._invite = invite
        self._interval = house.t1
        self._longest = 64 * house.t1 if invite else 8 * house.t1
        self._end = now + 64 * house.t1
        self._gave_up = gave_up
        self._alarm: Alarm | None = house.clock.at(now + self._interval, self._again)
        line.send(octets)

    def _again(self, now: float) -> None:
        if now >= self._end:
            self._alarm = None
            self._gave_up(now)
            return
        self._line.send(self._octets)
        if self._invite and self._interval == self._house.t1:
            self._house.missed()
        self._interval = min(2 * self._interval, self._longest)
        self._alarm = self._house.clock.at(min(now + self._interval, self._end), self._again)

    def stop(self) -> None:
        """It was answered."""
        if self._alarm is not None:
            self._alarm.stop()
            self._alarm = None


class Party:
    """What caller and called party have in common; both see ``request`` and ``response`` for all that arrives."""

    def __init__(self, house: House, line: Line, kind: Kind, call_id: str) -> None:
        self.house = house
        self.line = line
        self.kind = kind
        self.call_id = call_id
        self.tag = house.branch()
        self.finished = False
        self.leads = False  # whether this party hangs up
        self.changes = False  # whether it sends a re-INVITE first
        self._local = self._remote = self._target = ""  # From and To of our requests, and where they go
        self._routes: list[str] = []
        self._number = 1  # our last CSeq
        self._acknowledgements: dict[int, bytes] = {}  # by CSeq of our INVITE
        self._asking: Repeater | None = None  # our in-dialog request
        self._answers: dict[int, tuple[bytes, Repeater | None]] = {}  # to their in-dialog requests, by CSeq

    @property
    def contact(self) -> str:
        """Where this party is reached."""
        return f"sip:soak@{self.line.advertised}"

    @property
    def via(self) -> str:
        """A Via of ours, with a new branch."""
        return f"SIP/2.0/UDP {self.line.advertised};branch=z9hG4bK{self.house.branch()};rport"

    def body(self, version: int = 1) -> str:
        """The session."""
        return SDP.format(version=version, host=self.line.advertised.partition(":")[0])

    def end(self, how: str, code: int, by: str) -> None:
        """Over; the house keeps us a while for what comes late."""
        if not self.finished:
            self.finished = True
            self.house.over(self, how, code, by)

    # --- in the dialog

    def join(self, local: str, remote: str, message: Read, routes: list[str]) -> None:
        """The dialog is there."""
        self._local, self._remote = local, remote
        self._target = uri_of(message.one("contact"))
        self._routes = routes

    def talk(self, now: float) -> None:
        """The call is up: what happens next, and when."""
        clock, hold = self.house.clock, self.house.random.uniform(0.1, 2.0)
        if self.changes:
            clock.at(now + hold / 2, self.change)
        elif self.leads:
            clock.at(now + hold, self.hang_up)

    def change(self, now: float) -> None:
        """Send a re-INVITE."""
        octets = self._in_dialog("INVITE", self._number + 1, self.body(2))
        self._asking = Repeater(self.house, self.line, octets, now, self._unanswered, invite=True)

    def hang_up(self, now: float) -> None:
        """Send the BYE."""
        octets = self._in_dialog("BYE", self._number + 1)
        self._asking = Repeater(self.house, self.line, octets, now, self._unanswered)

    def _in_dialog(self, method: str, number: int, body: str = "") -> bytes:
        self._number = number
        headers = [f"Route: {route}" for route in self._routes]
        headers += [
            f"From: {self._local}", f"To: {self._remote}", f"Call-ID: {self.call_id}", f"CSeq: {number} {method}",
        ]  # fmt: skip
        if method == "INVITE":
            headers.append(f"Contact: <{self.contact}>")
        return request(f"{method} {self._target}", self.via, headers, body)

    def _unanswered(self, _now: float) -> None:
        self.end("unanswered request", 0, "")

    def asked(self, message: Read, now: float) -> None:
        """A request of the other side in the dialog."""
        number, method = message.number, message.method
        known = self._answers.get(number)
        if method == "ACK":
            if known is not None and known[1] is not None:
                known[1].stop()
        elif known is not None:
            self.line.send(known[0])
        elif method == "INVITE":
            octets = response(message, 200, "OK", self.tag, self.contact, self.body(2))
            self._answers[number] = (octets, Repeater(self.house, self.line, octets, now, self._unanswered))
        elif method == "BYE":
            octets = response(message, 200, "OK", self.tag)
            self._answers[number] = (octets, None)
            self.line.send(octets)
            self.quiet()
            self.end("answered", 200, "caller" if self.is_called else "called")

    @property
    def is_called(self) -> bool:
        """Which end this is."""
        return False

    def quiet(self) -> None:
        """Repeat nothing any more: the call is over."""
        if self._asking is not None:
            self._asking.stop()
        for _, repeater in self._answers.values():
            if repeater is not None:
                repeater.stop()

    def told(self, message: Read, now: float) -> None:
        """A response to an in-dialog request of ours."""
        if message.code < 200:
            if message.method == "INVITE" and self._asking is not None and message.number == self._number:
                self._asking.stop()
            return
        if message.method == "INVITE" and message.number in self._acknowledgements:
            self.line.send(self._acknowledgements[message.number])
            return
        if message.number != self._number or self._asking is None:
            return
        self._asking.stop()
        if message.method == "BYE":
            by = "called" if self.is_called else "caller"
            self.end("answered" if message.code == 200 else "refused BYE", message.code, by)
        elif message.code == 200:
            self.acknowledge(message.number)
            self.house.clock.at(now + self.house.random.uniform(0.1, 1.0), self.hang_up)
        else:
            self.end("refused re-INVITE", message.code, "")

    def acknowledge(self, number: int) -> None:
        """ACK a 2xx, and remember how."""
        before = self._number
        octets = self._in_dialog("ACK", number)
        self._number = before
        self._acknowledgements[number] = octets
        self.line.send(octets)


def dialog_tag(message: Read, of: str) -> str:
    """The tag of From or To."""
    return tag_of(message.one(of))

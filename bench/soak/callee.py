"""The called end: rings, answers, refuses or says nothing, as the call's kind has it."""

from bench.soak.clockwork import Alarm
from bench.soak.kinds import Kind
from bench.soak.message import Read, response
from bench.soak.party import House, Line, Party, Repeater

_PHRASES = {200: "OK", 480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated", 503: "No Capacity"}
_RING_AGAIN = 1.0  # seconds: a 180 may be lost, and a caller that gives up while it rings waits for it


class Callee(Party):
    """One call that arrived; ``first`` is whether it arrived at the first of the servers."""

    def __init__(self, house: House, line: Line, kind: Kind, invite: Read, *, first: bool) -> None:
        super().__init__(house, line, kind, invite.call_id)
        self.leads = kind.releases == "called"
        self.changes = kind.changes == "called"
        self._invite = invite
        self._code = kind.first if first and kind.first is not None else kind.code
        self._last = b""  # what a repeated INVITE gets
        self._final = 0
        self._answering: Repeater | None = None
        self._ringing: Alarm | None = None
        self._acknowledged = False

    @property
    def is_called(self) -> bool:
        """This end."""
        return True

    def start(self, now: float) -> None:
        """The INVITE is here."""
        if self._code == 0:
            self.end("silent", 0, "")
            return
        rings = self.kind.rings
        if self._code in (200, 480) or rings is None:
            self._ring(now)
        if rings is not None:
            self.house.clock.at(now + rings * self.house.random.uniform(0.3, 1.0), self._decide)

    def _ring(self, now: float) -> None:
        if self._final:
            return
        self._last = response(self._invite, 180, "Ringing", self.tag, self.contact)
        self.line.send(self._last)
        if self.kind.cancel == "ringing":  # any other call would never meet Timer C, which every 180 starts anew
            self._ringing = self.house.clock.at(now + _RING_AGAIN, self._ring)

    def _decide(self, now: float) -> None:
        if not self._final:
            self._answer(self._code, now)

    def _answer(self, code: int, now: float) -> None:
        self._final = code
        if self._ringing is not None:
            self._ringing.stop()
        body = self.body() if code == 200 else ""
        contact = self.contact if code == 200 else ""
        self._last = response(self._invite, code, _PHRASES[code], self.tag, contact, body)
        self._answering = Repeater(self.house, self.line, self._last, now, self._unacknowledged)

    def _unacknowledged(self, _now: float) -> None:
        self.end("no ACK", self._final, "")

    def request(self, message: Read, now: float) -> None:
        """What the proxy brings."""
        method = message.method
        if method == "INVITE" and message.number == 1:
            if self._last and not self._acknowledged:
                self.line.send(self._last)
        elif method == "CANCEL":
            self.line.send(response(message, 200, "OK", self.tag))
            if not self._final and self._code:
                self._answer(487, now)
        elif method == "ACK" and message.number == 1:
            self._confirmed(now)
        else:
            if self._answering is not None:
                self._answering.stop()  # whoever goes on has heard the answer, though its ACK was lost
            self.asked(message, now)

    def _confirmed(self, now: float) -> None:
        if self._answering is None or self._acknowledged:
            return
        self._acknowledged = True
        self._answering.stop()
        if self._final == 200:
            local = f"{self._invite.one('to')};tag={self.tag}"
            self.join(local, self._invite.one("from"), self._invite, self._invite.headers.get("record-route", []))
            self.talk(now)
        else:
            self.end("failed", self._final, "")

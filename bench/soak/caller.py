"""The calling end: INVITE, perhaps CANCEL, ACK, and then as its kind has it."""

from bench.soak.clockwork import Alarm
from bench.soak.kinds import Kind
from bench.soak.message import Read, request
from bench.soak.party import House, Line, Party, Repeater

_PATIENCE = 300.0  # seconds: longer than Timer C, longer than any failover


class Caller(Party):
    """One call. ``headers`` are further lines of the INVITE, as Identity."""

    def __init__(
        self, house: House, line: Line, kind: Kind, call_id: str, calling: str, called: str, domain: str,
        headers: list[str],
    ) -> None:  # fmt: skip
        super().__init__(house, line, kind, call_id)
        self.leads = kind.releases == "caller"
        self.changes = kind.changes == "caller"
        self._uri = f"sip:{called}@{domain}"
        self._from = f"<sip:{calling}@{domain}>;tag={self.tag}"
        self._to = f"<{self._uri}>"
        self._invite_via = self.via
        self._headers = headers
        self._inviting: Repeater | None = None
        self._cancelling: Repeater | None = None
        self._giving_up: Alarm | None = None
        self._patience: Alarm | None = None
        self._final = 0

    def start(self, now: float) -> None:
        """Call."""
        headers = [*self._headers, *self._lines(self._to, "1 INVITE"), f"Contact: <{self.contact}>"]
        octets = request(f"INVITE {self._uri}", self._invite_via, headers, self.body())
        self._inviting = Repeater(self.house, self.line, octets, now, self._nobody, invite=True)
        self._patience = self.house.clock.at(now + _PATIENCE, self._stuck)

    def end(self, how: str, code: int, by: str) -> None:
        """Over; nothing is waited for any more."""
        for alarm in (self._patience, self._giving_up):
            if alarm is not None:
                alarm.stop()
        super().end(how, code, by)

    def _lines(self, to: str, cseq: str) -> list[str]:
        return [f"From: {self._from}", f"To: {to}", f"Call-ID: {self.call_id}", f"CSeq: {cseq}"]

    def _nobody(self, _now: float) -> None:
        self.end("no response", 0, "")

    def _stuck(self, _now: float) -> None:
        self.end("stuck", self._final, "")

    def response(self, message: Read, now: float) -> None:
        """What the proxy says."""
        if message.method == "CANCEL":
            if message.code >= 200 and self._cancelling is not None:
                self._cancelling.stop()
        elif message.method != "INVITE" or message.number != 1:
            self.told(message, now)
        elif message.code < 200:
            self._provisional(message.code, now)
        elif message.code < 300:
            self._answered(message, now)
        else:
            self._failed(message)

    def _provisional(self, code: int, now: float) -> None:
        if self._final or self._inviting is None:
            return
        self._inviting.stop()
        cancel = self.kind.cancel
        if cancel and self._giving_up is None and (code > 100 or cancel == "trying"):
            longest = {"trying": 0.0, "ringing": 1.0, "answer": 0.3}[cancel]
            self._giving_up = self.house.clock.at(now + self.house.random.uniform(0.0, longest), self._cancel)

    def _cancel(self, now: float) -> None:
        if not self._final:
            octets = request(f"CANCEL {self._uri}", self._invite_via, self._lines(self._to, "1 CANCEL"))
            self._cancelling = Repeater(self.house, self.line, octets, now, self._nobody)

    def _answered(self, message: Read, now: float) -> None:
        if self._final:
            self.told(message, now)  # again: its ACK was lost
            return
        self._settled(message.code)
        self.join(self._from, message.one("to"), message, message.headers.get("record-route", [])[::-1])
        self.acknowledge(1)
        if self._cancelling is not None:
            self.hang_up(now)
        else:
            self.talk(now)

    def _failed(self, message: Read) -> None:
        headers = self._lines(message.one("to"), "1 ACK")
        self.line.send(request(f"ACK {self._uri}", self._invite_via, headers))
        if not self._final:
            if message.code == 503:  # nothing but overload control says so to a caller
                self.house.missed()
            self._settled(message.code)
            self.end("failed", message.code, "")

    def _settled(self, code: int) -> None:
        self._final = code
        if self._inviting is not None:
            self._inviting.stop()
        if self._giving_up is not None:
            self._giving_up.stop()

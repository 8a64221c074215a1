"""The gate in front of the proxy: under overload it turns new calls away before they cost anything.

It stands behind the parser and before everything else: no sanity check, no transaction, no policy, no record. A refusal
is stateless, a 503 made of the request's rows, and the ACK for it is known by the tag we gave and goes no further.

Always let in: whatever is not a new request outside a dialog (responses, ACK, CANCEL, in-dialog requests, repetitions
of what is being worked on), OPTIONS (a neighbour that asks whether we live must not hear "no"), emergency calls, and
priority calls of trusted trunks. What cannot be read here goes the long way, which knows what to answer.

A refused call stays refused when it is repeated: its caller may have the 503 already, and a call that goes through
after that would ring a telephone nobody listens at. So refusals are remembered for a few seconds, as numbers, bounded.
"""

from typing import TYPE_CHECKING

from sipguard.errors import MalformedValue
from sipguard.policy.call import UNKNOWN_TRUNK
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import Trunk
from sipguard.proxy.oc_parameters import answer, offers_loss, rewrite
from sipguard.proxy.output import INFO, WARNING
from sipguard.proxy.overload import Overload
from sipguard.proxy.refusal import at_sight, refusal
from sipguard.proxy.urgency import asks_for_help, has_priority, is_ordinary
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.transaction.key import server_key
from sipguard.transaction.server import ServerTransaction, reply_flow

if TYPE_CHECKING:
    from sipguard.proxy.station import Station

RULE = "node.overload"
_ALWAYS = frozenset(("ACK", "BYE", "CANCEL", "INFO", "OPTIONS", "PRACK", "UPDATE"))
_STEP = 0.1  # seconds between two looks at a gate that nothing comes to
_REMEMBERED = 5.0  # seconds at least: callers repeat what was not answered at 0.5, 1.5 and 3.5 seconds
_REPORT = 1.0  # seconds between two records of what was turned away


class Gate:
    """``closing`` is whether calls are turned away, or were not long ago: one cheap question for each message."""

    def __init__(self, station: "Station") -> None:
        self.closing = False
        self.overload = Overload(station.settings.overload)
        self._settings = station.settings.overload
        self._station = station
        self._mark = ""
        self._mark_octets = b""
        self._recent: set[int] = set()  # refused not long ago
        self._older: set[int] = set()
        self._turned = 0.0  # when the two changed places
        self._shedding = False
        self._busy_until = 0.0  # the overload is over when nothing is shed until then
        self._since = 0.0
        self._unreported: dict[str, int] = {}
        self._total = 0
        self._reported = 0.0
        self._sequence = 0.0  # of what neighbours are told
        station.layer.mark = self.mark

    def observe(self, delay: float, now: float) -> None:
        """What is being read now waited so long, in seconds."""
        if self._station.view.policy.mode(RULE) is not Mode.BLOCK:
            return
        self.overload.observe(delay, now)
        if self.overload.shed and not self._shedding:
            self._begin(now)

    def absorbs(self, data: bytes) -> bool:
        """Whether octets are the ACK of a refusal of ours; the tag in it is told to nobody else."""
        return data[:4] == b"ACK " and self._mark_octets in data

    def refuses_at_sight(self, data: bytes, flow: Flow) -> bool | None:
        """Turn a plain INVITE away before it is parsed, or let it in; None: only ``refuses`` can tell."""
        sight = at_sight(data)
        if sight is None:
            return None
        station = self._station
        if station.layer.knows(sight.key):
            return False
        number = hash(sight.key)
        if number not in self._recent and number not in self._older:
            trunk = station.view.directory.trunk_of(flow) or UNKNOWN_TRUNK
            if self.overload.admits(trunk.name):
                return False
            self._remember(number, trunk.name)
        station.send(sight.reply_flow(flow), sight.octets(flow, self._mark, self._settings.retry_after))
        return True

    def refuses(self, request: Request, flow: Flow) -> bool:
        """Turn a request away, if it may be and must be; the answer is sent then."""
        if request.method in _ALWAYS:
            return False
        station = self._station
        try:
            key = server_key(request, request.method)
            if station.layer.knows(key):
                return False
            if "tag" in request.required("to").lower() and request.to.tag is not None:
                return False
            number = hash(key)
            trunk = station.view.directory.trunk_of(flow) or UNKNOWN_TRUNK
            if number not in self._recent and number not in self._older:
                if self.overload.admits(trunk.name) or self._is_urgent(request, trunk):
                    return False
                self._remember(number, trunk.name)
            self._answer(request, flow, trunk)
        except MalformedValue:
            return False
        return True

    def fire(self, _kind: int, now: float) -> None:
        """Look at what is left of the overload."""
        overload = self.overload
        overload.idle(now)
        if overload.shed:
            self._busy_until = now + self._settings.calm
        elif self._shedding and now >= self._busy_until:
            self._end(now)
        if now - self._turned >= _REMEMBERED:
            self._turned = now
            self._recent, self._older = set(), self._recent
        if now - self._reported >= _REPORT:
            self._report(now)
        self.closing = bool(self._shedding or self._recent or self._older)
        if self.closing:
            self._station.timers.start(now + _STEP, self, 0)

    # --- inside

    def _begin(self, now: float) -> None:
        station = self._station
        self._shedding = True
        self._since = now
        self._busy_until = now + self._settings.calm
        if not self._mark:
            self._mark = f"busy{station.random()[-16:]}"
            self._mark_octets = self._mark.encode("latin-1")
        station.count("alarms", "overload")
        station.log(WARNING, "overload.started", delay=round(self.overload.delay, 3))
        if not self.closing:
            self.closing = True
            self._reported = self._turned = now
            station.timers.start(now + _STEP, self, 0)

    def _end(self, now: float) -> None:
        self._shedding = False
        self._report(now)
        self._station.log(INFO, "overload.ended", seconds=round(now - self._since, 1), refused=self._total)
        self._total = 0

    def _report(self, now: float) -> None:
        """What was turned away since the last time, as one record: such calls have none of their own."""
        station = self._station
        self._reported = now
        if self._unreported:
            counts, self._unreported = self._unreported, {}
            for trunk, count in counts.items():
                self._total += count
                station.counters["shed", trunk] = station.counters.get(("shed", trunk), 0) + count
            station.record(station.recorder.shed(RULE, counts, station.wall))

    def _remember(self, number: int, trunk: str) -> None:
        if len(self._recent) >= self._settings.remembered:
            self._recent, self._older = set(), self._recent
        self._recent.add(number)
        self._unreported[trunk] = self._unreported.get(trunk, 0) + 1

    def _is_urgent(self, request: Request, trunk: Trunk) -> bool:
        view = self._station.view
        if trunk is UNKNOWN_TRUNK:
            # By whose dial plan is only known when the caller has proved who it is; where nobody can, nobody is served.
            return view.directory.asks_credentials and not is_ordinary(request.uri)
        priorities = self._settings.priority_namespaces
        return asks_for_help(request, trunk, view) or has_priority(request, trunk, priorities)

    def _answer(self, request: Request, flow: Flow, trunk: Trunk) -> None:
        """The same answer to every repetition: all that varies but ``oc`` is made of the request."""
        reply = reply_flow(request.via, flow)
        listens = offers_loss(request.via.parameters)
        response = refusal(request, flow, self._mark, 0 if listens else self._settings.retry_after)
        if listens:
            rewrite(response, self._feedback(trunk))
        self._station.send(reply, response.encode())

    # --- what neighbours are told (RFC 7339)

    def mark(self, server: ServerTransaction, response: Response) -> None:
        """Say in a response how much is wanted, to a trunk that offered to listen; nothing to anybody else."""
        trunk = self._station.view.directory.trunk_of(server.flow) if server.offered else None
        rewrite(response, "" if trunk is None else self._feedback(trunk))

    def _feedback(self, trunk: Trunk) -> str:
        if trunk is UNKNOWN_TRUNK:
            return ""
        wall = self._sequence = max(self._station.wall, self._sequence)
        if not self.overload.shed:
            return answer(0.0, 0.0, wall)
        return answer(self.overload.reduction(trunk.name), self._settings.validity, wall)

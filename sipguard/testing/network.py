"""A network on a virtual clock, with the engine in its middle.

Datagrams take ``latency`` seconds and may be lost, doubled or held back, by a seeded generator, so every run of a test
sees the same accidents. Streams lose nothing. Needs are answered at once: a commit is kept in ``records`` (or refused
while ``ledger_works`` is false, or left open while ``ledger_answers`` is), other needs by what ``answers`` holds, and
a need nobody answers runs into its bound.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from sipguard.engine import Ask, Close, Engine, Event, Log, Notice, Output, Remember, Send
from sipguard.policy.need import Answer, CommitNeed, Need, TargetAnswer
from sipguard.sip.flow import LARGEST_DATAGRAM, Flow

Endpoint = tuple[str, int]


class Host(Protocol):
    """Anything with an address on the network."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Octets arrived."""

    def tick(self, now: float) -> None:
        """Time passed."""

    def deadline(self) -> float | None:
        """When ``tick`` wants to be called next."""


class Network:
    """The engine, the hosts around it, and everything that is under way between them."""

    def __init__(
        self,
        engine: Engine,
        *,
        seed: int = 1,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: float = 0.0,
        latency: float = 0.005,
        wall: float = 1_800_000_000.0,
    ) -> None:
        self.engine = engine
        self.now = 0.0
        self.ledger_works = True
        self.ledger_answers = True
        self.answers: dict[Need, Answer | TargetAnswer] = {}
        self.asked: list[Need] = []
        self.records: list[dict[str, object]] = []
        self.remembered: list[bytes] = []
        self.logs: list[Log] = []
        self.notices: list[Mapping[str, Any]] = []
        self.closed: list[Flow] = []
        self.sent: list[tuple[float, Send]] = []
        self.unreachable: set[Endpoint] = set()
        self.no_streams: set[Endpoint] = set()  # refuse every connection
        self._hosts: dict[Endpoint, Host] = {}
        self._random = random.Random(seed)  # noqa: S311 - accidents, not secrets
        self._loss, self._duplication, self._reordering = loss, duplication, reordering
        self._latency = latency
        self._wall = wall
        self._serial = 0
        self._under_way: list[tuple[float, int, Callable[[bytes, Flow, float], None], bytes, Flow]] = []

    @property
    def wall(self) -> float:
        """Wall-clock seconds now."""
        return self._wall + self.now

    def attach(self, endpoint: Endpoint, host: Host) -> None:
        """Put a host on the network."""
        self._hosts[endpoint] = host

    def detach(self, endpoint: Endpoint) -> None:
        """A host is gone: what is sent there is lost without a sound."""
        del self._hosts[endpoint]

    def send_to_engine(self, data: bytes, flow: Flow) -> None:
        """A host sends; ``flow`` is the engine's view of it (its remote address is the host's)."""
        self._carry(self._arrive, data, flow)

    def inject(self, data: bytes, flow: Flow) -> list[Output]:
        """Put octets into the engine now, and apply what comes out; the outputs are returned for a close look."""
        outputs = self.engine.receive(data, flow, self.now, self.wall)
        self.apply(outputs)
        return outputs

    def apply(self, outputs: list[Output]) -> None:
        """What a runtime does with outputs."""
        for output in outputs:
            if isinstance(output, Send):
                self._send(output)
            elif isinstance(output, Ask):
                self._answer(output.need)
            elif isinstance(output, Event):
                self.records.append(msgspec.json.decode(output.line))
            elif isinstance(output, Remember):
                self.remembered.append(output.line)
            elif isinstance(output, Log):
                self.logs.append(output)
            elif isinstance(output, Notice):
                self.notices.append(output.fields)
            elif isinstance(output, Close):
                self.closed.append(output.flow)

    def answer(self, need: Need, answer: Answer | TargetAnswer) -> None:
        """Answer a need by hand."""
        self.apply(self.engine.complete(need, answer, self.now, self.wall))

    def restart(self, engine: Engine) -> None:
        """Another engine takes the place of this one, with what that remembered."""
        self.engine = engine
        self.apply(engine.recover(self.remembered, self.now, self.wall))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            due = min((when for when in self._deadlines() if when is not None), default=None)
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self._step()
        self.now = end

    def _deadlines(self) -> list[float | None]:
        first = self._under_way[0][0] if self._under_way else None
        return [first, self.engine.deadline(), *(host.deadline() for host in self._hosts.values())]

    def _step(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now:
            _, _, arrive, data, flow = heapq.heappop(self._under_way)
            arrive(data, flow, self.now)
        for host in list(self._hosts.values()):
            host.tick(self.now)
        self.apply(self.engine.tick(self.now, self.wall))

    def _arrive(self, data: bytes, flow: Flow, now: float) -> None:
        self.apply(self.engine.receive(data, flow, now, self.wall))

    def _send(self, output: Send) -> None:
        self.sent.append((self.now, output))
        endpoint = (output.flow.host, output.flow.port)
        host = self._hosts.get(endpoint)
        if not output.flow.reliable and len(output.data) > LARGEST_DATAGRAM:  # no kernel sends it
            return
        if endpoint in self.unreachable or (output.flow.reliable and endpoint in self.no_streams):
            self.apply(self.engine.lost(output.flow, self.now, self.wall))
        elif host is not None:
            self._carry(host.receive, output.data, output.flow)

    def _answer(self, need: Need) -> None:
        self.asked.append(need)
        if isinstance(need, CommitNeed):
            if not self.ledger_answers:
                return
            if self.ledger_works:
                self.records.append(msgspec.json.decode(need.line))
            self.answer(need, Answer(self.ledger_works, "" if self.ledger_works else "no space left on device"))
        elif need in self.answers:
            self.answer(need, self.answers[need])

    def _carry(self, arrive: Callable[[bytes, Flow, float], None], data: bytes, flow: Flow) -> None:
        copies = 1
        delay = self._latency
        if not flow.reliable:
            if self._random.random() < self._loss:
                copies = 0
            elif self._random.random() < self._duplication:
                copies = 2
        for _ in range(copies):
            late = 0.0 if flow.reliable or self._random.random() >= self._reordering else self._random.random() * 0.2
            self._serial += 1
            heapq.heappush(self._under_way, (self.now + delay + late, self._serial, arrive, data, flow))

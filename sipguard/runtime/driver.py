"""The driver: gives the engine what happens, and does what it says, in order.

Transports hand in every datagram of one wake-up with ``receive`` and end with ``settle``, so that all attestation
records of the batch are one write; the calls that wait for them go on only after it. There is one loop timer, set to
the engine's deadline, and moved only when the deadline came nearer: a timer that fires early finds nothing due.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sipguard.policy.need import Answer, CommitNeed, Need, TargetAnswer
from sipguard.proxy.output import Ask, Close, Event, Log, Notice, Output, Remember
from sipguard.runtime.call_journal import CallJournal
from sipguard.runtime.clock import Clock
from sipguard.runtime.doors import Doors
from sipguard.runtime.faults import Faults
from sipguard.runtime.histogram import Histogram
from sipguard.runtime.journal import Answered, Journal
from sipguard.sip.flow import Flow, Send

logger = logging.getLogger("sipguard.engine")


class Transport(Protocol):
    """One listener's way out. Neither method raises; a failed send is told to ``Driver.lost``."""

    def send(self, flow: Flow, data: bytes) -> None:
        """Send on a flow of this listener."""

    def disconnect(self, flow: Flow) -> None:
        """Close a stream."""


# Takes the need it provides for. Gives the answer when it has it, or None and calls Driver.answer later.
Provider = Callable[[Any], Answer | TargetAnswer | None]

_AFTER_A_BUG = 0.1  # seconds until the next tick when one raised: it may find the same thing due again
_LATE = 0.02  # seconds: a loop that is later than this is told to the engine though no transport has anything to say
_UNHEARD = 0.1  # seconds since a transport last had


class Driver:
    """Runs one engine in one loop."""

    def __init__(
        self, engine: Doors, journal: Journal, clock: Clock, faults: Faults, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.engine = engine
        self.transports: dict[int, Transport] = {}  # by listener number
        self.providers: dict[type[Need], Provider] = {}
        self.notify: Callable[[Mapping[str, Any]], None] = lambda _: None  # must not wait
        self.receive_seconds = Histogram((0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25))
        self.calls: CallJournal | None = None  # where those that are up are remembered
        self._journal = journal
        self._clock = clock
        self._faults = faults
        self._loop = loop
        self._lost: dict[Flow, None] = {}
        self._answers: list[tuple[Need, Answer | TargetAnswer]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = 0.0  # when the timer fires, monotonic
        self._late = 0.0  # how late the loop was since the last observation
        self._observed = 0.0
        self._closed = False
        journal.completed = self._committed

    def start(self) -> None:
        """Let the engine begin what it does by the clock alone."""
        self._wakes = self._clock.monotonic()
        self._tick()

    def recover(self, calls: CallJournal) -> None:
        """Take up the calls of the process before this one, and remember those of this one."""
        self.calls = calls
        lines = calls.read()
        if lines is not None:
            self._apply(self.engine.recover(lines, self._clock.monotonic(), self._clock.wall()))
            self.settle()

    def receive(self, data: bytes, flow: Flow) -> None:
        """One datagram or one framed message. Follow the last of a batch with ``settle``."""
        now = self._clock.monotonic()
        try:
            self._apply(self.engine.receive(data, flow, now, self._clock.wall()))
        except Exception as error:
            self._faults.bug("receive", error)
        self.receive_seconds.observe(self._clock.monotonic() - now)

    def observe(self, delay: float) -> None:
        """What a transport is about to hand in waited so long; what a late loop says counts with it."""
        now = self._observed = self._clock.monotonic()
        late, self._late = self._late, 0.0
        self.engine.observe(max(delay, late), now)

    def lost(self, flow: Flow) -> None:
        """A send on this flow failed or its stream is gone; told to the engine by the next ``settle``."""
        self._lost[flow] = None

    def answer(self, need: Need, answer: Answer | TargetAnswer) -> None:
        """The answer to a need, from its provider."""
        self._complete(need, answer)
        self.settle()

    def settle(self) -> None:
        """End a batch: report lost flows, write its records, let the calls go on, set the timer."""
        if self._closed:
            return
        while self._lost or self._answers or self._journal.pending:
            if self._lost:
                self._report_lost()
            answers, self._answers = self._answers, []
            for need, answer in answers:
                self._complete(need, answer)
            if self._journal.pending:
                for commit, written in self._journal.flush():
                    self._complete(commit, written)
        if self.calls is not None and self.calls.pending:
            self.calls.flush()
        self._arm()

    def close(self) -> None:
        """Let nothing through any more: what transports and providers still have to say is too late."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _apply(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.transports[output.flow.listener].send(output.flow, output.data)
            elif isinstance(output, Ask):
                self._ask(output.need)
            elif isinstance(output, Event):
                self._journal.event(output.line)
            elif isinstance(output, Remember):
                if self.calls is not None:
                    self.calls.add(output.line)
            elif isinstance(output, Log):
                logger.log(output.level, output.event, extra={"fields": output.fields})
            elif isinstance(output, Notice):
                self.notify(output.fields)
            elif isinstance(output, Close):
                self.transports[output.flow.listener].disconnect(output.flow)

    def _ask(self, need: Need) -> None:
        if isinstance(need, CommitNeed):
            self._journal.commit(need)
            return
        answer = self.providers[type(need)](need)
        if answer is not None:
            self._answers.append((need, answer))

    def _complete(self, need: Need, answer: Answer | TargetAnswer) -> None:
        try:
            self._apply(self.engine.complete(need, answer, self._clock.monotonic(), self._clock.wall()))
        except Exception as error:
            self._faults.bug("complete", error)

    def _committed(self, answers: Answered) -> None:
        if self._closed:
            return
        for need, answer in answers:
            self._complete(need, answer)
        self.settle()

    def _report_lost(self) -> None:
        flows, self._lost = self._lost, {}
        for flow in flows:
            try:
                self._apply(self.engine.lost(flow, self._clock.monotonic(), self._clock.wall()))
            except Exception as error:
                self._faults.bug("lost", error)

    def _arm(self, least: float = 0.0) -> None:
        deadline = self.engine.deadline()
        if deadline is None or (self._timer is not None and self._wakes <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes = deadline
        self._timer = self._loop.call_later(max(least, deadline - self._clock.monotonic()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        self._late = max(self._late, now - self._wakes)
        if self._late > _LATE and now - self._observed > _UNHEARD:
            self.observe(self._late)
        try:
            self._apply(self.engine.tick(now, self._clock.wall()))
        except Exception as error:
            self._faults.bug("tick", error)
            self._arm(_AFTER_A_BUG)
        self.settle()

"""The queue in front of the attestation log: one write for everything a batch of datagrams decided.

With durability ``process`` the write happens in the loop: it is a copy into the kernel. With ``disk`` it waits for the
disk, so one worker thread does it, one batch at a time; what arrives meanwhile is the next batch.

When the log cannot be written, every commit of the batch is answered "not met" (the engine's setting says what follows)
and follow-up events are kept for the next try, as many as fit. Every second the log is tried again, whether or not
calls arrive; the first record that fits says how many were lost before it.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import perf_counter
from typing import NamedTuple

import msgspec

from sipguard.errors import LedgerError
from sipguard.ledger.log import AttestationLog
from sipguard.policy.need import Answer, CommitNeed
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.histogram import Histogram

logger = logging.getLogger(__name__)

_RETRY = 1.0  # seconds
_MOST_WAITING = 10_000  # commits, and events, held at most
_MET = Answer(True)

Answered = list[tuple[CommitNeed, Answer]]


def _ignore(_answers: Answered) -> None:
    """Before a driver is there, nobody waits."""


class _Batch(NamedTuple):
    commits: list[CommitNeed]
    events: list[bytes]


class Journal:
    """Gathers records and answers commit needs. ``completed`` is told the answers that come later than ``flush``."""

    def __init__(
        self, log: AttestationLog, node: str, clock: Clock, faults: Faults, loop: asyncio.AbstractEventLoop, *,
        worker: bool,
    ) -> None:  # fmt: skip
        self.failing = ""  # why the last append failed, empty while the log works
        self.lost = 0  # records that could not be kept since the start
        self.seconds = Histogram((0.00005, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0))
        self.completed: Callable[[Answered], None] = _ignore
        self._log = log
        self._node = node
        self._clock = clock
        self._faults = faults
        self._loop = loop
        self._worker = ThreadPoolExecutor(1, "attestation-log") if worker else None
        self._writing: asyncio.Future[float] | None = None
        self._lines: list[bytes] = []
        self._commits: list[CommitNeed] = []
        self._events: list[bytes] = []
        self._backlog: list[bytes] = []  # events of failed batches
        self._lost_in_outage = 0
        self._retry: asyncio.TimerHandle | None = None

    @property
    def records(self) -> int:
        """How many records were appended since the start."""
        return self._log.records

    @property
    def pending(self) -> bool:
        """Whether ``flush`` has something to do now."""
        return bool(self._lines) and (self._writing is None or len(self._lines) > _MOST_WAITING)

    def commit(self, need: CommitNeed) -> None:
        """Queue a record that its call waits for."""
        self._commits.append(need)
        self._lines.append(need.line)

    def event(self, line: bytes) -> None:
        """Queue a follow-up record."""
        self._events.append(line)
        self._lines.append(line)

    def flush(self) -> Answered:
        """Write what is queued. The answers, or nothing yet when a worker writes."""
        if self._writing is not None:
            return self._refuse_overflow()
        if not self._lines and not self.failing:
            return []
        batch = _Batch(self._commits, self._backlog + self._events)
        lines = [self._resumed(), *self._backlog, *self._lines] if self.failing else self._lines
        self._commits, self._lines, self._events, self._backlog = [], [], [], []
        if self._worker is not None:
            self._writing = self._loop.run_in_executor(self._worker, self._append, lines)
            self._writing.add_done_callback(lambda future: self._written(batch, future))
            return []
        try:
            seconds = self._append(lines)
        except LedgerError as error:
            return self._failed(batch, error)
        return self._kept(batch, seconds)

    async def close(self) -> None:
        """Write what is left, then close the log."""
        if self.failing and self._writing is None:
            self.completed(self.flush())  # one last try for the events of the outage
        while self._writing is not None or self._lines:
            self.completed(self.flush())
            if self._writing is not None:
                await asyncio.wait((self._writing,))
                await asyncio.sleep(0)  # its answers are given in a callback of the same turn
        if self._retry is not None:
            self._retry.cancel()
        if self._worker is not None:
            self._worker.shutdown()
        self._log.close()

    def _append(self, lines: list[bytes]) -> float:
        started = perf_counter()
        self._log.append(lines)
        return perf_counter() - started

    def _written(self, batch: _Batch, future: asyncio.Future[float]) -> None:
        self._writing = None
        error = future.exception()
        if error is None:
            answers = self._kept(batch, future.result())
        else:
            answers = self._failed(batch, error)
        self.completed(answers)

    def _kept(self, batch: _Batch, seconds: float) -> Answered:
        self.seconds.observe(seconds)
        if self.failing:
            logger.warning("ledger.resumed", extra={"fields": {"lost": self._lost_in_outage}})
            self.failing, self._lost_in_outage = "", 0
        return [(need, _MET) for need in batch.commits]

    def _failed(self, batch: _Batch, error: BaseException) -> Answered:
        detail = str(error)
        if not self.failing:
            self._faults.alarm("ledger", detail=detail)
        self.failing = detail
        self._backlog = batch.events[:_MOST_WAITING]
        self._lose(len(batch.commits) + len(batch.events) - len(self._backlog))
        if self._retry is None:
            self._retry = self._loop.call_later(_RETRY, self._try_again)
        answer = Answer(False, detail)
        return [(need, answer) for need in batch.commits]

    def _try_again(self) -> None:
        self._retry = None
        if self.failing:
            self.completed(self.flush())

    def _refuse_overflow(self) -> Answered:
        """While the disk keeps the worker waiting, hold only so much."""
        if len(self._lines) <= _MOST_WAITING:
            return []
        refused = self._commits
        self._lose(len(self._lines))
        self._commits, self._lines, self._events = [], [], []
        return [(need, Answer(False, "the attestation log is behind")) for need in refused]

    def _lose(self, count: int) -> None:
        self.lost += count
        self._lost_in_outage += count

    def _resumed(self) -> bytes:
        """The record that closes a gap: how many records the outage cost."""
        at = datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return msgspec.json.encode(
            {"v": 1, "at": at, "event": "resumed", "node": self._node, "lost": self._lost_in_outage}
        )

"""The journal in front of a log that fails."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipguard.errors import LedgerError
from sipguard.ledger.log import AttestationLog
from sipguard.policy.need import Answer, CommitNeed
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.journal import Answered, Journal
from tests.runtime.kit import run


class FailingLog(AttestationLog):
    """A log whose disk is full while ``full`` is set."""

    full = False

    def append(self, lines: Sequence[bytes]) -> None:
        if self.full:
            raise LedgerError("attestation log: No space left on device")
        super().append(lines)


class Desk:
    """A journal on a failing log, and the answers it gave."""

    def __init__(self, directory: Path, *, worker: bool) -> None:
        clock = Clock()
        self.log = FailingLog.open(directory, "edge-1")
        self.faults = Faults(clock)
        self.journal = Journal(self.log, "edge-1", clock, self.faults, asyncio.get_running_loop(), worker=worker)
        self.journal.completed = self.note
        self.answers: Answered = []
        self.noted = asyncio.Event()

    def note(self, answers: Answered) -> None:
        self.answers += answers
        self.noted.set()

    async def flush(self) -> None:
        """Flush, and wait for the worker when there is one."""
        self.noted.clear()
        answers = self.journal.flush()
        if answers:
            self.note(answers)
        await self.noted.wait()


def commit(number: int) -> CommitNeed:
    """A need for a record with this number."""
    return CommitNeed(f"a-{number}", json.dumps({"id": f"a-{number}"}).encode())


def identifiers(directory: Path) -> list[str]:
    """What the log holds, in order: ids, or the event of records without."""
    lines = next(directory.glob("*.jsonl")).read_text().splitlines()
    return [record.get("id") or record["event"] for record in map(json.loads, lines)]


@pytest.mark.parametrize("worker", [False, True])
def test_a_failed_append_answers_not_met_and_keeps_the_events(tmp_path: Path, worker: bool) -> None:
    """Calls learn that their record is not durable; follow-ups wait; the outage is on record when it is over."""

    async def main() -> None:
        desk = Desk(tmp_path, worker=worker)
        desk.journal.commit(commit(1))
        await desk.flush()
        desk.log.full = True
        desk.journal.commit(commit(2))
        desk.journal.event(b'{"id":"event-1"}')
        await desk.flush()
        assert desk.answers[1] == (commit(2), Answer(False, "attestation log: No space left on device"))
        assert desk.journal.failing == "attestation log: No space left on device"
        assert (desk.journal.lost, desk.faults.alarms["ledger"]) == (1, 1)
        assert not desk.journal.pending
        desk.log.full = False
        desk.journal.commit(commit(3))
        await desk.flush()
        assert desk.answers[2] == (commit(3), Answer(True))
        assert desk.journal.failing == ""
        await desk.journal.close()
        assert identifiers(tmp_path) == ["a-1", "resumed", "event-1", "a-3"]

    run(main())


def test_the_log_is_tried_again_without_any_call(tmp_path: Path) -> None:
    """A balancer that sends no calls to a holding node does not keep it holding."""

    async def main() -> None:
        desk = Desk(tmp_path, worker=False)
        desk.log.full = True
        desk.journal.event(b'{"id":"event-1"}')
        desk.journal.flush()
        assert desk.journal.failing
        desk.log.full = False
        desk.noted.clear()
        await desk.noted.wait()
        assert not desk.journal.failing
        await desk.journal.close()
        assert identifiers(tmp_path) == ["resumed", "event-1"]

    run(main())


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """Events kept through a long outage are bounded, and the lost ones are counted."""

    async def main() -> None:
        desk = Desk(tmp_path, worker=False)
        desk.log.full = True
        for _ in range(12_000):
            desk.journal.event(b'{"id":"event"}')
        desk.journal.flush()
        assert desk.journal.lost == 2000
        desk.journal.event(b'{"id":"event"}')
        desk.journal.flush()
        assert desk.journal.lost == 2001
        await desk.journal.close()

    run(main())

"""Histogram, tags, watchdog and vitals."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.histogram import Histogram
from sipguard.runtime.tags import read_tags, write_tags
from sipguard.runtime.vitals import Status
from sipguard.runtime.watchdog import Watchdog
from tests.runtime.kit import run
from tests.runtime.sample_vitals import sample_vitals


def test_a_histogram_counts_up_to_and_including_its_bounds() -> None:
    """Buckets are cumulative and the last one holds everything, as Prometheus wants them."""
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds)
    assert histogram.cumulative() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert histogram.total == pytest.approx(7.65)


def test_tags_survive_on_disk(tmp_path: Path) -> None:
    """What was written is read, and nothing is left beside the file."""
    path = tmp_path / "tags.json"
    assert read_tags(path) == []
    write_tags(path, [{"account": "acme", "points": 5.0, "reasons": ["short-calls"], "features": {}}])
    assert read_tags(path)[0]["account"] == "acme"
    assert os.listdir(tmp_path) == ["tags.json"]


@pytest.mark.parametrize("octets", [b"", b"{", b"{}", b"null", b"[1, null]", b"\xff"])
def test_tags_that_cannot_be_read_are_none(tmp_path: Path, octets: bytes) -> None:
    """A damaged file does not keep the proxy from starting."""
    (tmp_path / "tags.json").write_bytes(octets)
    assert read_tags(tmp_path / "tags.json") == []


def test_tags_that_cannot_be_written_are_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A missing directory is logged, not raised."""
    write_tags(tmp_path / "missing" / "tags.json", [])
    assert caplog.records[0].getMessage() == "tags.unwritable"


def test_a_late_loop_is_measured_and_alarms() -> None:
    """How late the timer fires is the lag; beyond half a second it is an alarm."""
    now = [0.0]

    async def main() -> None:
        clock = Clock(lambda: now[0])
        faults = Faults(clock)
        watchdog = Watchdog(clock, faults, asyncio.get_running_loop())
        watchdog.start()
        now[0] = 2.5
        while not watchdog.lag:
            await asyncio.sleep(0)
        assert watchdog.lag == pytest.approx(2.0)
        assert faults.alarms["loop-lag"] == 1
        watchdog.close()

    run(main())


@pytest.mark.parametrize(
    ("changes", "status", "takes_calls"),
    [
        ({}, Status.OK, True),
        ({"lag": 1.0}, Status.DEGRADED, True),
        ({"reload_failure": "2 problems"}, Status.DEGRADED, True),
        ({"ledger_failure": "full", "ledger_holds": False}, Status.DEGRADED, True),
        ({"ledger_failure": "full", "ledger_holds": True}, Status.DEGRADED, False),
        ({"draining": True}, Status.DRAINING, False),
        ({"draining": True, "ledger_failure": "full"}, Status.DRAINING, False),
    ],
)
def test_the_status_says_what_is_amiss(changes: dict[str, Any], status: Status, takes_calls: bool) -> None:
    """One word, the reasons behind it, and whether calls should come here."""
    vitals = sample_vitals(**changes)
    assert (vitals.status, vitals.takes_calls) == (status, takes_calls)
    assert bool(vitals.reasons) is (status is not Status.OK)

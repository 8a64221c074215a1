"""A disk that is full: nothing of a batch stays, and the log works again when there is room."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipguard.errors import LedgerError
from sipguard.ledger.log import AttestationLog
from sipguard.ledger.reader import LogReader
from tests.ledger.kit import record, segment_paths

LIMITED = """
import json, resource, sys
from sipguard.errors import LedgerError
from sipguard.ledger.log import AttestationLog
from tests.ledger.kit import record
log = AttestationLog.open(sys.argv[1], "edge-1")
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 100_000))
kept, refused = [], 0
for number in range(100):
    try:
        log.append([record(number), record(number + 1000)])
        kept += [number, number + 1000]
    except LedgerError:
        refused += 1
        if refused == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(json.dumps([kept, refused]))
"""


def test_a_write_that_does_not_fit_leaves_no_half_line(tmp_path: Path) -> None:
    """A file size limit cuts a write in the middle of a batch: the batch is taken back, the next that fits is kept."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=30, check=True
    )
    kept, refused = json.loads(done.stdout)
    assert refused == 5
    assert [entry["id"] for entry in LogReader(tmp_path).records()] == [f"a-{number}" for number in kept]
    assert LogReader(tmp_path).verify() == (1, len(kept), None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB; skipped where the user may not mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "sipguard-test", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system takes root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def fill(log: AttestationLog) -> int:
    """Append until the disk is full; how many records fitted."""
    for number in range(1000):
        try:
            log.append([record(number, padding="x" * 700)])
        except LedgerError:
            return number
    raise AssertionError("the disk is never full")


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_a_full_disk_is_an_error_and_not_the_end(small_disk: Path, durability: str) -> None:
    """On a really full file system appends raise LedgerError, what was acknowledged stays whole, room heals it."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 20_000)
    with AttestationLog.open(small_disk, "edge-1", durability) as log:
        kept = fill(log)
        with pytest.raises(LedgerError, match="No space left"):
            log.append([record(kept, padding="x" * 5000)])
        assert LogReader(small_disk).verify() == (1, kept, None)
        ballast.unlink()
        log.append([record(kept)])
    assert LogReader(small_disk).verify() == (1, kept + 1, None)
    assert segment_paths(small_disk)[0].read_bytes().endswith(b"\n")

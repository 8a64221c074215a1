"""The writer: batches, segments, torn tails, one writer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sipguard.errors import LedgerError
from sipguard.ledger.log import AttestationLog
from sipguard.ledger.reader import LogReader
from tests.ledger.kit import lines, record, segment_paths


def test_appended_records_are_on_disk_when_append_returns(tmp_path: Path) -> None:
    """A call may leave as soon as ``append`` returns: its record is in the file."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(1), record(2)])
        assert [json.loads(line)["id"] for line in lines(tmp_path)] == ["a-1", "a-2"]


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_the_chain_goes_on_over_reopening(tmp_path: Path, durability: str) -> None:
    """A restarted writer continues the chain of the one before."""
    for number in range(3):
        with AttestationLog.open(tmp_path, "edge-1", durability) as log:
            log.append([record(number)])
    verification = LogReader(tmp_path).verify()
    assert (verification.records, verification.broken) == (3, None)
    assert len(segment_paths(tmp_path)) == 1


def test_segments_rotate_by_size_and_the_chain_goes_through_them(tmp_path: Path) -> None:
    """A segment that would grow beyond its size is left and the next one begun."""
    with AttestationLog.open(tmp_path, "edge-1", segment_size=1000) as log:
        for number in range(20):
            log.append([record(number)])
    paths = segment_paths(tmp_path)
    assert len(paths) > 3
    assert all(path.stat().st_size <= 1000 for path in paths)
    assert LogReader(tmp_path).verify() == (len(paths), 20, None)


def test_a_batch_larger_than_a_segment_is_still_one_batch(tmp_path: Path) -> None:
    """No batch is split or refused because of the segment size."""
    with AttestationLog.open(tmp_path, "edge-1", segment_size=1000) as log:
        log.append([record(number) for number in range(50)])
        log.append([record(51)])
    assert [path.read_bytes().count(b"\n") for path in segment_paths(tmp_path)] == [50, 1]


def test_a_new_segment_follows_the_last_hash_even_when_it_is_empty(tmp_path: Path) -> None:
    """A segment that was begun but never written does not make the chain start afresh."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(1)])
    (tmp_path / "attestation-20260101T000000Z-000002.jsonl").touch()
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(2)])
    assert LogReader(tmp_path).verify() == (2, 2, None)


@pytest.mark.parametrize("cut", [1, 2, 80, 150])
def test_a_torn_last_line_is_set_aside_and_the_chain_goes_on(tmp_path: Path, cut: int) -> None:
    """Half a line, left by a kill inside write(), is moved beside the segment; nothing before it is touched."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(1), record(2)])
    path = segment_paths(tmp_path)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(3)])
    torn = path.with_name(path.name + ".torn").read_bytes()
    assert whole.split(b"\n")[1].startswith(torn.rstrip(b"\n"))
    assert [json.loads(line)["id"] for line in lines(tmp_path)] == ["a-1", "a-3"]
    assert LogReader(tmp_path).verify().broken is None


def test_a_log_that_is_nothing_but_a_torn_line_starts_anew(tmp_path: Path) -> None:
    """The very first record torn leaves an empty log, not an unusable one."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(1)])
    path = segment_paths(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-5])
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(2)])
    assert LogReader(tmp_path).verify() == (1, 1, None)


def test_a_torn_tail_longer_than_a_block_is_found(tmp_path: Path) -> None:
    """The search for the last whole line does not depend on how long the torn one is."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(1)])
    path = segment_paths(tmp_path)[0]
    with open(path, "ab") as segment:
        segment.write(b"x" * 200_000)
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(2)])
    assert LogReader(tmp_path).verify().records == 2


def test_a_second_writer_is_turned_away(tmp_path: Path) -> None:
    """Two writers would fork the chain: the directory belongs to the first until it closes."""
    with AttestationLog.open(tmp_path, "edge-1"), pytest.raises(LedgerError, match="another process writes here"):
        AttestationLog.open(tmp_path, "edge-1")
    AttestationLog.open(tmp_path, "edge-1").close()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    """A killed writer does not keep the next one out."""
    code = (
        "import os, sys, signal; from sipguard.ledger.log import AttestationLog;"
        "log = AttestationLog.open(sys.argv[1], 'edge-1'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=30, check=False)
    AttestationLog.open(tmp_path, "edge-1").close()


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"x", b'{"a":1}\n', b'{"a":\n1}'])
def test_what_is_not_one_object_on_one_line_is_refused(tmp_path: Path, line: bytes) -> None:
    """A malformed record cannot corrupt the lines around it, and its batch leaves nothing."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        with pytest.raises(LedgerError):
            log.append([record(1), line])
        log.append([record(2)])
    assert LogReader(tmp_path).verify() == (1, 1, None)


def test_a_last_record_without_a_hash_stops_the_opening(tmp_path: Path) -> None:
    """A log whose end was edited is not written on as if nothing had happened."""
    (tmp_path / "attestation-20260101T000000Z-000001.jsonl").write_bytes(b'{"edited":true}\n')
    with pytest.raises(LedgerError, match="carries no hash"):
        AttestationLog.open(tmp_path, "edge-1")


def test_a_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """A file where the directory should be: LedgerError, with the path."""
    (tmp_path / "log").write_text("")
    with pytest.raises(LedgerError, match=r"log.*: File exists"):
        AttestationLog.open(tmp_path / "log", "edge-1")


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    """Only the durabilities that mean something are accepted."""
    with pytest.raises(LedgerError, match="durability"):
        AttestationLog.open(tmp_path, "edge-1", "tape")


def test_a_closed_log_appends_nothing(tmp_path: Path) -> None:
    """After ``close`` another writer may be there."""
    log = AttestationLog.open(tmp_path, "edge-1")
    log.append([record(1)])
    log.close()
    log.close()
    with pytest.raises(LedgerError, match="closed"):
        log.append([record(2)])


def test_others_cannot_read_the_records(tmp_path: Path) -> None:
    """Records name callers: the file is not for everyone."""
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(1)])
    assert os.stat(segment_paths(tmp_path)[0]).st_mode & 0o007 == 0

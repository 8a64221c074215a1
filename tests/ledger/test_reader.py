"""Reading: calls put together, searches, and what a verification names."""

import shutil
from pathlib import Path

import pytest

from sipguard.errors import LedgerError
from sipguard.ledger.log import AttestationLog
from sipguard.ledger.reader import LogReader
from tests.ledger.kit import record, segment_paths


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A log of five calls in several segments, their events interleaved."""
    with AttestationLog.open(tmp_path, "edge-1", segment_size=900) as log:
        for number in range(5):
            calling = {"effective": f"+1415555010{number}", "raw_from": "<sip:x@192.0.2.77>;tag=99887766"}
            called = {"request_uri": "+14155550199", "to": "+14155550199"}
            account = "acme" if number % 2 else "beta"
            log.append([record(number, calling=calling, called=called, account=account)])
            if number:
                log.append([record(number - 1, "answer", code=200), record(number - 1, "end", duration=number)])
    return tmp_path


def test_the_tail_is_the_last_calls_with_what_followed_them(directory: Path) -> None:
    """Decision, answer and end events of one id are one call, wherever they stand."""
    calls = LogReader(directory).tail(3)
    assert [call.identifier for call in calls] == ["a-2", "a-3", "a-4"]
    assert [[event["event"] for event in call.events] for call in calls] == [["answer", "end"], ["answer", "end"], []]


def test_the_tail_of_a_short_log_is_all_of_it(directory: Path) -> None:
    """Asking for more calls than there are gives those there are."""
    assert len(LogReader(directory).tail(100)) == 5


def test_a_call_is_found_by_its_identifier(directory: Path) -> None:
    """The identifier from a refusal's Warning leads to everything recorded about the call."""
    call = LogReader(directory).find("a-3")
    assert call is not None
    assert [event["event"] for event in call.events] == ["answer", "end"]
    assert call.as_json()["account"] == "acme"
    assert LogReader(directory).find("a-33") is None


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"calling": "+1 (415) 555-0102"}, ["a-2"]),
        ({"calling": "5550103"}, ["a-3"]),
        ({"called": "4155550199"}, ["a-0", "a-1", "a-2", "a-3", "a-4"]),
        ({"account": "acme"}, ["a-1", "a-3"]),
        ({"account": "acme", "calling": "0103"}, ["a-3"]),
        ({"account": "acm"}, []),
        ({"calling": "99887766"}, []),
        ({"calling": "anonymous"}, []),
    ],
)
def test_a_search_matches_digits_and_names(directory: Path, criteria: dict[str, str], found: list[str]) -> None:
    """Numbers match in part and in any spelling, accounts whole; header text (tags, addresses) does not count."""
    assert [call.identifier for call in LogReader(directory).search(**criteria)] == found


def test_an_intact_log_verifies(directory: Path) -> None:
    """Nothing is broken in what the writer wrote."""
    assert LogReader(directory).verify() == (len(segment_paths(directory)), 13, None)


def test_a_changed_record_is_named(directory: Path) -> None:
    """An edited record is the one that is named, with its segment and line."""
    path = next(path for path in segment_paths(directory) if b'"acme"' in path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b'"account":"acme"', b'"account":"beta"', 1))
    broken = LogReader(directory).verify().broken
    assert broken is not None
    assert (broken.segment, broken.reason) == (path.name, "its hash is not that of its octets")
    assert broken.identifier == "a-1"


def test_a_removed_record_is_missed_by_its_follower(directory: Path) -> None:
    """The record after a removed one no longer follows the one before it."""
    path = segment_paths(directory)[0]
    kept = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(kept[:1] + kept[2:]))
    broken = LogReader(directory).verify().broken
    assert broken is not None
    assert broken.reason == "does not follow the record before it"


def test_a_removed_segment_is_missed_by_the_next(directory: Path) -> None:
    """A segment taken out of the middle breaks the chain at the first line of the next."""
    paths = segment_paths(directory)
    paths[1].unlink()
    broken = LogReader(directory).verify().broken
    assert broken is not None
    assert (broken.segment, broken.line) == (paths[2].name, 1)


def test_the_oldest_segments_may_go(directory: Path) -> None:
    """Retention removes from the front: what is left still verifies."""
    segment_paths(directory)[0].unlink()
    assert LogReader(directory).verify().broken is None


def test_a_line_that_is_no_record_is_named(directory: Path) -> None:
    """Garbage in the middle is found by verification and skipped by reading."""
    path = segment_paths(directory)[1]
    path.write_bytes(b"garbage\n" + path.read_bytes())
    broken = LogReader(directory).verify().broken
    assert broken is not None
    assert (broken.line, broken.reason) == (1, "carries no chain members")
    assert len(LogReader(directory).tail(10)) == 5


def test_a_line_that_is_still_being_written_is_not_there_yet(directory: Path) -> None:
    """A reader beside the writer sees whole records only."""
    with open(segment_paths(directory)[-1], "ab") as segment:
        segment.write(record(9)[:20])
    assert LogReader(directory).verify().broken is None
    assert [call.identifier for call in LogReader(directory).tail(1)] == ["a-4"]


def test_a_directory_that_is_not_there_is_one_clear_line(directory: Path) -> None:
    """Reading a log that does not exist raises LedgerError with the path."""
    shutil.rmtree(directory)
    with pytest.raises(LedgerError, match="No such file"):
        LogReader(directory).tail(1)

"""The soak's own judgement: it must find what is wrong, or its "good" says nothing."""

import io
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.soak.accounting import Account, Seen, balance, read_log, read_results
from bench.soak.impairment import PASSED, Fate, Impairment
from bench.soak.kinds import INBOUND, KINDS, OUTBOUND, kind_of
from bench.soak.memory import MemoryBook, Sample
from bench.soak.message import read, request, response

CALL = "answered-1-x@soak.example"
BUSY = "busy-2-x@soak.example"
FORGED = "forged-3-x@soak.example"
RULE = "caller-id.not-owned"
SEEN = {
    CALL: Seen("answered", 200, "caller", "answered"),
    BUSY: Seen("failed", 486, "", "failed"),
    FORGED: Seen("failed", 403, "", ""),
}
GOOD: list[dict[str, Any]] = [
    {"event": "decision", "id": "a", "call_id": CALL, "decision": "forward"},
    {"event": "answer", "id": "a"},
    {"event": "decision", "id": "b", "call_id": BUSY, "decision": "forward"},
    {"event": "end", "id": "b", "answered": False, "code": 486, "released_by": "network"},
    {
        "event": "decision",
        "id": "c",
        "call_id": FORGED,
        "decision": "refuse",
        "code": 403,
        "rule": "caller-id.not-owned",
    },
    {"event": "end", "id": "a", "answered": True, "code": 200, "released_by": "caller"},
]


def account(records: list[dict[str, Any]], seen: dict[str, Seen] = SEEN, started: int = 3) -> Account:
    """The balance of a log."""
    return balance(started, seen, read_log(records))


def read_results_of(lines: list[str]) -> dict[str, Seen]:
    """What agents wrote down, from a file with these lines."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "results.csv")
        file.write_text("".join(lines))
        return read_results([file])


def test_good_log_balances() -> None:
    """One decision a call, one end for what went on, and everybody saw the same: nothing to complain about."""
    good = account(GOOD)
    assert good.balanced, good.faults
    assert (good.recorded, good.answered, good.failed, good.refused) == (3, 1, 1, 1)


@pytest.mark.parametrize("place", range(len(GOOD)))
def test_lost_record_is_found(place: int) -> None:
    """Whichever record is missing, the call it belongs to is named."""
    assert not account(GOOD[:place] + GOOD[place + 1 :]).balanced


@pytest.mark.parametrize("place", range(len(GOOD)))
def test_doubled_record_is_found(place: int) -> None:
    """A record that is there twice does not pass either."""
    assert not account([*GOOD, GOOD[place]]).balanced


@pytest.mark.parametrize(
    ("call_id", "seen"),
    [
        (CALL, Seen("answered", 200, "called", "answered")),
        (CALL, Seen("answered", 200, "caller", "")),
        (CALL, Seen("no response", 0, "", "")),
        (BUSY, Seen("failed", 480, "", "failed")),
        (FORGED, Seen("failed", 403, "", "failed")),
    ],
)
def test_disagreement_is_found(call_id: str, seen: Seen) -> None:
    """An end that saw something else than the log says is named, a refused call that arrived all the same too."""
    assert not account(GOOD, {**SEEN, call_id: seen}).balanced


def test_unfinished_call_is_found() -> None:
    """A call that was begun and never ended, and one in the log that nobody made, are faults."""
    assert not account(GOOD, started=4).balanced
    assert not account([*GOOD, {**GOOD[0], "call_id": "answered-9-y@soak.example"}]).balanced


def test_call_that_never_arrived_is_told_apart() -> None:
    """Without any record and without any response the network took it: listed, no fault of the proxy."""
    lost = account(GOOD, {**SEEN, "answered-4-x@soak.example": Seen("no response", 0, "", "")}, started=4)
    assert (lost.balanced, lost.never_arrived) == (True, 1)


def test_first_server_may_end_last() -> None:
    """Of a failover both servers' ends are written down; the one that took the call counts, in either order."""
    lines = ["called,f,failed,503,,0\n", "called,f,answered,200,caller,0\n"]
    for order in (lines, lines[::-1]):
        assert read_results_of(order)["f"].called == "answered"


def test_calls_turned_away_are_counted() -> None:
    """A 503 without a record is overload control's if the log counts it, and a lost record if not."""
    seen = {"busy-5-x@soak.example": Seen("failed", 503, "", "")}
    shed = {"event": "shed", "calls": {"pbx": 1}}
    turned_away = account([shed], seen, started=1)
    assert (turned_away.balanced, turned_away.shed) == (True, 1)
    assert not account([], seen, started=1).balanced


def test_outcome_that_its_kind_cannot_have_is_found() -> None:
    """Log and ends may agree, and be wrong together: a busy call that was answered."""
    wrong = [GOOD[2], {"event": "answer", "id": "b"}, {**GOOD[5], "id": "b"}]
    assert not account(wrong, {BUSY: Seen("answered", 200, "caller", "answered")}, started=1).balanced


def test_every_kind_is_known_by_its_call_id() -> None:
    """Names do not collide, and none holds the separator."""
    assert len(KINDS) == len(OUTBOUND) + len(INBOUND)
    assert all(kind_of(f"{name}-1-x@soak.example") is kind for name, kind in KINDS.items())
    assert kind_of("something else") is None


def test_fate_keeps_its_shares() -> None:
    """2 % are lost, 1 % doubled and 3 % held, give or take chance; the same seed gives the same network."""
    fate, again = Fate(Impairment(), "seed"), Fate(Impairment(), "seed")
    fates = [fate.decide() for _ in range(20_000)]
    assert fates == [again.decide() for _ in range(20_000)]
    shares = Counter("passed" if one is PASSED else ("lost", "held", "doubled")[len(one)] for one in fates)
    assert 300 < shares["lost"] < 500
    assert 130 < shares["doubled"] < 270
    assert 480 < shares["held"] < 720
    assert (fate.seen, fate.lost, fate.doubled) == (20_000, shares["lost"], shares["doubled"])


def grown(per_sample: float) -> float | None:
    """The growth that is found when memory grows by so many KiB from sample to sample."""
    book = MemoryBook(io.StringIO())
    for place in range(1001):
        book.add(Sample(place, min(place, 1000), place, 100_000 + int(place * per_sample), 0, 0, 0, 0))
    for _ in range(3):
        book.add(Sample(1001, 1000, 1000, 100_000, 0, 0, 0, 0))
    growth = book.growth(1000, 0.1)
    return None if growth is None else growth.percent


def test_leak_is_found() -> None:
    """Memory that grows with every sample shows, memory that does not is flat."""
    assert grown(0.0) == 0.0
    leaking = grown(20.0)
    assert leaking is not None
    assert leaking > 15.0


def test_short_run_says_nothing_about_memory() -> None:
    """Without samples in the warm-up and at the end there is no figure."""
    assert MemoryBook(io.StringIO()).growth(1000, 0.1) is None


def test_messages_are_read_as_written() -> None:
    """A response copies what ties it to its request."""
    lines = ["From: <sip:a@x>;tag=1", "To: <sip:b@x>", f"Call-ID: {CALL}", "CSeq: 7 INVITE", "Record-Route: <sip:p;lr>"]
    invite = read(request("INVITE sip:b@x", "SIP/2.0/UDP h;branch=z9hG4bK1", lines, "v=0\r\n"))
    assert (invite.method, invite.code, invite.number, invite.call_id) == ("INVITE", 0, 7, CALL)
    answer = read(response(invite, 200, "OK", "2", "sip:b@h"))
    assert (answer.method, answer.code, answer.number) == ("INVITE", 200, 7)
    for name in ("via", "from", "call-id", "record-route"):
        assert answer.headers[name] == invite.headers[name]
    assert answer.one("to") == "<sip:b@x>;tag=2"

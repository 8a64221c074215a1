"""The calls of the last hours that concern one account or number, from the attestation log, newest part first.

A busy log is long: at most so many records are read, and ``complete`` says whether that reached back far enough.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sipguard.ledger.reader import Call, LogReader, Record
from sipguard.traffic.profile import Profile
from sipguard.traffic.score import Score, score
from sipguard.traffic.window import WINDOW_SECONDS, Window

MOST_RECORDS = 300_000
_FEW = 5


@dataclass
class RecentCalls:
    """The calls found, oldest first. ``up`` is how many of everybody's have no end, by account and end user."""

    calls: list[Call]
    complete: bool
    up: Counter[tuple[str, str]] = field(default_factory=Counter)

    def counts(self) -> dict[str, object]:
        """How many there were, and what was decided about them."""
        decisions = [call.decision for call in self.calls]
        return {
            "calls": len(decisions),
            "all_read": self.complete,
            "decisions": _counted([record.get("decision")] for record in decisions),
            "attestations": _counted([record.get("attest")] for record in decisions),
            "refused_by": _counted([record.get("rule")] for record in decisions if record.get("decision") == "refuse"),
            "tags": _counted(record.get("tags") or () for record in decisions),
            "reported": _counted(record.get("reported") or () for record in decisions),
        }

    def reported(self, rule: str) -> int:
        """How many of them a rule matched that only reports."""
        return sum(rule in (call.decision.get("reported") or ()) for call in self.calls)

    def last(self, *, refused: bool = False) -> list[dict[str, object]]:
        """The last few, the newest first."""
        chosen = [call for call in self.calls if not refused or call.decision.get("decision") == "refuse"]
        return [brief(call) for call in chosen[: -_FEW - 1 : -1]]

    def score(self, profile: Profile, now: float) -> Score:
        """What the traffic statistics make of the last hour of these calls."""
        window = Window(now - WINDOW_SECONDS)
        for moment, event in sorted(self._events(now - WINDOW_SECONDS), key=lambda found: found[0]):
            _count(window, event, moment, profile)
        window.advance(now)
        return score(window, profile, now)

    def _events(self, start: float) -> list[tuple[float, Record]]:
        found = [
            (seconds(record), record)
            for call in self.calls
            if went_on(call.decision)
            for record in (call.decision, *call.events)
        ]
        return [(moment, record) for moment, record in found if moment > start]


def recent_calls(reader: LogReader, start: float, wanted: Callable[[Mapping[str, Any]], bool]) -> RecentCalls:
    """The calls decided since a moment (Unix seconds) whose decision record is wanted. Raises LedgerError."""
    earliest = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    events: dict[str, list[Record]] = {}
    calls: list[Call] = []
    up: Counter[tuple[str, str]] = Counter()
    complete = True
    if not reader.directory.exists():  # the node has never run
        return RecentCalls([], complete)
    for count, record in enumerate(reader.backwards(), 1):
        if str(record.get("at", "")) < earliest:
            break
        if count > MOST_RECORDS:
            complete = False
            break
        identifier = str(record.get("id", ""))
        if record.get("event") != "decision":
            events.setdefault(identifier, []).append(record)
        else:
            followed = events.pop(identifier, [])
            if _is_up(record, followed):
                up[str(record.get("account")), str(record.get("end_user") or "")] += 1
            if wanted(record):
                calls.append(Call(record, followed[::-1]))
    return RecentCalls(calls[::-1], complete, up)


def went_on(decision: Record) -> bool:
    """Whether it is about a call that was let through; emergency calls are in no count."""
    return (
        decision.get("decision") == "forward" and decision.get("method") == "INVITE" and not decision.get("emergency")
    )


def _is_up(decision: Record, followed: list[Record]) -> bool:
    """Whether a customer's call went on and has not ended."""
    return (
        went_on(decision)
        and decision.get("direction") == "origination"
        and all(record.get("event") != "end" for record in followed)
    )


def brief(call: Call) -> dict[str, object]:
    """One call in a line."""
    decision = call.decision
    calling, called = decision.get("calling") or {}, decision.get("called") or {}
    return {
        "at": decision.get("at"),
        "id": decision.get("id"),
        "account": decision.get("account"),
        "calling": calling.get("effective") or calling.get("from") or calling.get("raw_from"),
        "called": called.get("request_uri") or called.get("to") or called.get("raw_request_uri"),
        "decision": decision.get("decision"),
        "rule": decision.get("rule"),
        "code": decision.get("code"),
        "detail": decision.get("detail"),
        "attest": decision.get("attest"),
    }


def _counted(words: Any) -> dict[str, int]:
    return dict(Counter(str(word) for several in words for word in several if word).most_common())


def _count(window: Window, record: Record, moment: float, profile: Profile) -> None:
    """Tell a window what the proxy told its own."""
    event = record.get("event")
    if event == "decision":
        window.attempt(moment)
    elif event == "answer":
        window.answered(moment)
    elif event == "end" and record.get("answered"):
        window.ended(float(record.get("duration") or 0.0), profile.short_seconds, moment)
    elif event == "end" and record.get("released_by") == "caller":
        window.abandoned(moment)
    elif event == "end":
        window.failed(int(record.get("code") or 0), moment)


def seconds(record: Record) -> float:
    """When it was written, in Unix seconds; 0.0 when that cannot be read."""
    try:
        return datetime.fromisoformat(str(record.get("at"))).timestamp()
    except ValueError:
        return 0.0

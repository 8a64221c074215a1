"""What rules that only report have matched, and what those in mode throttle held back, counted from the attestation log
by rule and account.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_REPORTED = "report"  # robo-dial tags in mode report begin with it
_ADMITTED, _REFUSED = "admitted", "refused"  # as a throttle says in the trail
_ROBODIAL = "robodial.tag"
_DECISION, _FOLLOW_UP = "decision", "reported"  # events
_MOST_CALLERS = 10_000  # different callers counted for one row


@dataclass
class Matches:
    """One rule and one account: how many calls it matched, from how many numbers, of how many that were made.

    ``throttled`` are those that a rule in mode throttle let go on, ``refused`` those of which there were too many.
    """

    rule: str
    account: str
    calls: int = 0
    of: int = 0
    throttled: int = 0
    refused: int = 0
    callers: set[str] = field(default_factory=set)
    latest: str = ""
    example: str = ""

    def note(self, record: Mapping[str, Any], outcome: str) -> None:
        """One more call."""
        self.calls += 1
        self.throttled += outcome == _ADMITTED
        self.refused += outcome == _REFUSED
        self.latest, self.example = str(record.get("at", "")), str(record.get("id", ""))
        calling = record.get("calling") or {}
        caller = calling.get("effective") or calling.get("from") or calling.get("raw_from")
        if caller and len(self.callers) < _MOST_CALLERS:
            self.callers.add(str(caller))

    def record(self) -> dict[str, object]:
        """A row to print."""
        return {
            "rule": self.rule,
            "account": self.account,
            "calls": self.calls,
            "of": self.of,
            "share": f"{self.calls / self.of:.1%}",
            "throttled": self.throttled,
            "refused": self.refused,
            "callers": len(self.callers),
            "latest": self.latest,
            "example": self.example,
        }


def matches_of(
    records: Iterable[Mapping[str, Any]], since: int, rule: str | None = None, account: str | None = None
) -> list[Matches]:
    """The matches since a moment (Unix seconds), the most calls first."""
    start = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    found: dict[tuple[str, str], Matches] = {}
    made: Counter[str] = Counter()
    for record in records:
        event = record.get("event")
        if event not in (_DECISION, _FOLLOW_UP) or str(record.get("at", "")) < start:
            continue
        name = str(record.get("account") or f"trunk {record.get('trunk')}")
        made[name] += event == _DECISION
        if account is not None and name != account:
            continue
        for matched, outcome in _matched(record).items():
            if rule is None or matched == rule:
                found.setdefault((matched, name), Matches(matched, name)).note(record, outcome)
    for matches in found.values():
        matches.of = max(made[matches.account], matches.calls)  # a call that lasts may have begun earlier
    return sorted(found.values(), key=lambda matches: (-matches.calls, matches.rule, matches.account))


def _matched(record: Mapping[str, Any]) -> dict[str, str]:
    """The rules that only reported or throttled, and what became of the call; a follow-up has one."""
    if record.get("event") == _FOLLOW_UP:
        return {str(record.get("rule")): _REPORTED}
    rules = dict.fromkeys(map(str, record.get("reported", ())), _REPORTED)
    if _REPORTED in record.get("tags", ()):
        rules[_ROBODIAL] = _REPORTED
    for entry in record.get("trail", ()):
        if len(entry) == 3 and entry[0] == "throttled":
            rules[str(entry[2])] = str(entry[1])
    return rules

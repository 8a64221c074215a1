"""Every call accounted for: what the agents saw, held against the attestation log.

Each call a caller began has one decision record; a refused one nothing more, one that went on exactly one end, after
one answer if it was answered; and what the log says came of it is what its kind should come to and what the caller saw.
Nothing else is in the log. The two must agree call by call, so a lost record and a doubled one do not cancel out.

Two kinds of calls have no record of their own: those whose every INVITE was lost on the way, and those that
overload control turned away, which the log only counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.soak.kinds import ANSWERED, REFUSED, Outcome, kind_of

_SHOWN = 10


@dataclass(slots=True)
class Logged:
    """What the log holds about one call."""

    decisions: int = 0
    answers: int = 0
    ends: int = 0
    outcome: Outcome | None = None


@dataclass(slots=True)
class Log:
    """The log: its calls by Call-ID, and how many it says were turned away."""

    calls: dict[str, Logged] = field(default_factory=dict)
    shed: int = 0


@dataclass(slots=True)
class Account:
    """The result. ``kinds`` counts calls by kind and outcome; ``faults`` are sentences, ``more`` those not kept."""

    started: int = 0
    recorded: int = 0
    refused: int = 0
    answered: int = 0
    failed: int = 0
    never_arrived: int = 0
    shed: int = 0  # turned away by overload control
    strange: int = 0  # records of no call of the agents'
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every call is accounted for."""
        return not self.faults

    def fault(self, sentence: str) -> None:
        """Something does not fit."""
        if len(self.faults) < _SHOWN:
            self.faults.append(sentence)
        else:
            self.more += 1


@dataclass(slots=True)
class Seen:
    """What the two ends of a call saw."""

    how: str = ""
    code: int = 0
    by: str = ""
    called: str = ""  # how it ended for the called end; of two servers, for the one that took the call


def read_results(files: Iterable[Path]) -> dict[str, Seen]:
    """What the agents wrote down, by Call-ID."""
    calls: dict[str, Seen] = {}
    for file in files:
        with file.open(encoding="ascii") as lines:
            for line in lines:
                end, call_id, how, code, by, _ = line.split(",")
                seen = calls.setdefault(call_id, Seen())
                if end == "caller":
                    seen.how, seen.code, seen.by = how, int(code), by
                elif how != "silent" and (how != "failed" or not seen.called):
                    seen.called = how  # a first server may end after the one that took the call
    return calls


def read_log(records: Iterable[Mapping[str, Any]]) -> Log:
    """What the log says."""
    log = Log()
    by_record: dict[str, Logged] = {}
    for record in records:
        event, identifier = record["event"], record.get("id", "")
        if event == "shed":
            log.shed += sum(record["calls"].values())
        elif event == "decision":
            logged = log.calls.setdefault(record["call_id"], Logged())
            logged.decisions += 1
            by_record[identifier] = logged
            if record["decision"] != "forward":
                logged.outcome = Outcome(REFUSED, record["code"], record.get("rule", record["decision"]))
        else:
            _follow(by_record.get(identifier) or log.calls.setdefault(f"record {identifier}", Logged()), record)
    return log


def _follow(logged: Logged, record: Mapping[str, Any]) -> None:
    """A record after the decision."""
    if record["event"] == "answer":
        logged.answers += 1
    elif record["event"] == "end":
        logged.ends += 1
        how = ANSWERED if record["answered"] else "failed"
        logged.outcome = Outcome(how, record["code"], record["released_by"])


def balance(started: int, seen: Mapping[str, Seen], log: Log) -> Account:
    """Hold one against the other; ``started`` is how many calls the agents say they began."""
    account = Account(started=started)
    if started != len(seen):
        account.fault(f"{started} calls were begun and {len(seen)} ended")
    for call_id, call in seen.items():
        found = log.calls.get(call_id)
        if found is None:
            if call.how == "no response":
                account.never_arrived += 1
            elif (call.how, call.code, call.called) == ("failed", 503, ""):
                account.shed += 1
            else:
                account.fault(f"{call_id}: no record")
            continue
        account.recorded += 1
        _check(account, call_id, call, found)
    for call_id in log.calls.keys() - seen.keys():
        account.strange += 1
        account.fault(f"{call_id}: in the log, and no agent made this call")
    if account.shed > log.shed:  # more in the log were let in when they came again
        account.fault(f"{account.shed} calls were turned away, {log.shed} of them by overload control")
    return account


def _check(account: Account, call_id: str, seen: Seen, found: Logged) -> None:
    outcome, kind = found.outcome, kind_of(call_id)
    if outcome is None or kind is None:
        account.fault(f"{call_id}: decided, and nothing came of it")
        return
    account.kinds[kind.name, f"{outcome.how} {outcome.code} {outcome.by}"] += 1
    if outcome.how == REFUSED:
        account.refused += 1
        wanted = (1, 0, 0)
    elif outcome.how == ANSWERED:
        account.answered += 1
        wanted = (1, 1, 1)
    else:
        account.failed += 1
        wanted = (1, 0, 1)
    if (found.decisions, found.answers, found.ends) != wanted:
        account.fault(f"{call_id}: {found.decisions} decisions, {found.answers} answers, {found.ends} ends")
    if outcome not in kind.outcomes:
        account.fault(f"{call_id}: the log says {outcome.how} {outcome.code} by {outcome.by}")
    if not _agree(seen, outcome):
        account.fault(
            f"{call_id}: the log says {outcome.how} {outcome.code} by {outcome.by}, the caller saw {seen.how} "
            f"{seen.code} by {seen.by or 'the proxy'}, the called end {seen.called or 'nothing'}"
        )


def _agree(seen: Seen, outcome: Outcome) -> bool:
    """Whether both ends saw what the log says."""
    if outcome.how == ANSWERED:
        return (seen.how, seen.by, seen.called) == (ANSWERED, outcome.by, ANSWERED)
    if outcome.how == REFUSED:
        return (seen.how, seen.code, seen.called) == ("failed", outcome.code, "")
    return (seen.how, seen.code) == ("failed", outcome.code) and seen.called in ("", "failed")

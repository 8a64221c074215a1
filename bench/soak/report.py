"""What the soak tells: a line every ten seconds, and at the end a table of findings, each of them good or not."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.soak.accounting import Account, balance, read_log, read_results
from bench.soak.agent import Progress
from bench.soak.memory import Growth, MemoryBook, Sample
from bench.soak.node import complaints
from bench.soak.relay import Tally
from bench.soak.stage import Plan, Stage
from sipguard.ledger.reader import LogReader
from sipguard.ledger.segment import log_directory, segments

_EVERY = 10.0  # seconds
_MOST_GROWTH = 5.0  # per cent
_WARM_UP = 0.1  # of the calls, at least
_WARM_UP_SECONDS = 200.0  # at least: Timer C is three minutes

_OF_THE_MACHINE = ("loop-lag", "overload")  # alarms that say it was busy with something else
_EXPECTED_WARNINGS = frozenset(("target.down", "robodial.changed", "overload.started"))


class Finding(NamedTuple):
    """One row of the table."""

    what: str
    figure: str
    good: bool = True


class Narrator:
    """Says how it goes, and remembers how slow the agents had to be."""

    def __init__(self) -> None:
        self.slowest = 0.0
        self._next = 0.0

    def say(self, sample: Sample, progress: Progress) -> None:
        """A line, when it is time for one."""
        self.slowest = min(self.slowest or progress.pace, progress.pace)
        if sample.second < self._next:
            return
        self._next = sample.second + _EVERY
        print(
            f"{sample.second:7.0f} s  {progress.started:7} calls begun  {progress.finished:7} ended"
            f"  {progress.odd:3} odd  {progress.pace:4.0f}/s  RSS {sample.rss / 1024:6.1f} MiB"
            f"  {sample.open_transactions:6} open transactions  {sample.active_calls:5} active calls",
            flush=True,
        )


def findings(
    stage: Stage,
    book: MemoryBook,
    drained: float | None,
    slowest: float,
    ended: tuple[Progress, Tally, Mapping[str, float], int],
) -> list[Finding]:
    """Everything there is to say at the end."""
    progress, tally, metrics, exit_code = ended
    directory = log_directory(stage.node.directory / "var")
    account = balance(progress.started, read_results(stage.results.values()), read_log(LogReader(directory).records()))
    return [
        *_load(book, progress, slowest, tally, metrics),
        *_accounted(account, progress),
        *_drained(book, drained),
        *_memory(book, stage.plan),
        *_log(directory, metrics),
        *_node(stage, metrics, exit_code),
    ]


def _load(
    book: MemoryBook, progress: Progress, slowest: float, tally: Tally, metrics: Mapping[str, float]
) -> list[Finding]:
    begun = next(sample.second for sample in book.samples if sample.started >= progress.started)
    pace = f"{progress.started / max(1.0, begun):.0f} a second, when slowest {slowest:.0f}"
    share = f"{tally.lost} lost, {tally.doubled} doubled, {tally.held} held back"
    cpu = metrics.get("process_cpu_seconds_total", 0.0)
    return [
        Finding("calls", f"{progress.started} begun in {begun:.0f} s, {pace}"),
        Finding("datagrams", f"{tally.seen}: {share}"),
        Finding("proxy's processor time", f"{cpu:.0f} s, {cpu / max(1, progress.started) * 1e6:.0f} us a call"),
    ]


def _accounted(account: Account, progress: Progress) -> list[Finding]:
    rows = [
        Finding("accounted for", f"{account.recorded} of {account.started} calls", account.balanced),
        Finding("", f"{account.answered} answered, {account.failed} not answered, {account.refused} refused"),
        Finding("lost before the proxy saw them", str(account.never_arrived)),
        Finding("turned away by overload control", str(account.shed)),
        Finding("in the log, of no call", str(account.strange), account.strange == 0),
        Finding("ended as no call should", str(progress.odd), progress.odd == 0),
        Finding("messages of no call", str(progress.stray)),
    ]
    rows += [Finding(f"  {kind}", f"{count:7}  {outcome}") for (kind, outcome), count in sorted(account.kinds.items())]
    rows += [Finding("  fault", fault, False) for fault in account.faults]
    if account.more:
        rows.append(Finding("  fault", f"and {account.more} more", False))
    return rows


def _drained(book: MemoryBook, drained: float | None) -> list[Finding]:
    last = book.samples[-1]
    left = f"{last.open_transactions} transactions, {last.active_calls} calls, {last.parked} parked requests"
    return [
        Finding("left open", f"{left}", drained is not None),
        Finding("", "not drained" if drained is None else f"drained {drained:.0f} s after the last call", True),
    ]


def _memory(book: MemoryBook, plan: Plan) -> list[Finding]:
    share = max(_WARM_UP, min(0.5, _WARM_UP_SECONDS * plan.rate / plan.calls))
    growth: Growth | None = book.growth(plan.calls, share) if plan.slow else None
    peak = max(sample.rss for sample in book.samples)
    rows = [Finding("memory, most", f"{peak / 1024:.1f} MiB RSS")]
    if growth is None:
        return [*rows, Finding("memory, growth", "the run is too short to say")]
    return [
        *rows,
        Finding("memory, warm", f"{growth.warm / 1024:.1f} MiB RSS after {share:.0%} of the calls"),
        Finding("memory, end", f"{growth.end / 1024:.1f} MiB under load, {growth.percent:+.1f} %",
                growth.percent < _MOST_GROWTH),
        Finding("memory, drained", f"{growth.drained / 1024:.1f} MiB, {growth.drained_percent:+.1f} %",
                growth.drained_percent < _MOST_GROWTH),
    ]  # fmt: skip


def _log(directory: Path, metrics: Mapping[str, float]) -> list[Finding]:
    verification = LogReader(directory).verify()
    octets = sum(segment.path.stat().st_size for segment in segments(directory))
    broken = verification.broken
    chain = "intact" if broken is None else f"broken at {broken.segment} line {broken.line}: {broken.reason}"
    lost = metrics.get("sipguard_ledger_records_lost_total", 0.0)
    size = f"{octets / 1024 / 1024:.0f} MiB in {verification.segments} segments"
    return [
        Finding("attestation log", f"{verification.records} records, {size}"),
        Finding("its chain", chain, broken is None),
        Finding("records that could not be kept", f"{lost:.0f}", lost == 0),
    ]


def _node(stage: Stage, metrics: Mapping[str, float], exit_code: int) -> list[Finding]:
    errors, warnings = complaints(stage.node.log)
    alarms = {name: value for name, value in metrics.items() if name.startswith("sipguard_alarms_total") and value}
    late, overloads = (alarms.pop(f'sipguard_alarms_total{{alarm="{name}"}}', 0.0) for name in _OF_THE_MACHINE)
    unknown = Counter({event: count for event, count in warnings.items() if event not in _EXPECTED_WARNINGS})
    said = ", ".join(f"{event} {count}" for event, count in sorted(warnings.items())) or "none"
    rows = [
        Finding("alarms", ", ".join(alarms) or "none", not alarms),
        Finding("event loop more than half a second late", f"{late:.0f} times"),
        Finding("overloads", f"{overloads:.0f}"),
        Finding("errors in the node's log", str(len(errors)), not errors),
        Finding("warnings in the node's log", said, not unknown),
        Finding("exit code of the node", str(exit_code), exit_code == 0),
    ]
    return rows + [Finding("  error", error, False) for error in errors[:5]]


def print_table(found: list[Finding]) -> None:
    """The table, and one word."""
    width = max(len(finding.what) for finding in found)
    for finding in found:
        print(f"{'' if finding.good else 'BAD':3}  {finding.what:{width}}  {finding.figure}")
    print("soak: good" if all(finding.good for finding in found) else "soak: NOT GOOD")

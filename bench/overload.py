"""The overload curve, ``python -m bench.overload``: how many calls go through at 0.5, 1, 2, 3 times the load.

1x is found in the same run, because a shared machine is never the same twice: the rate is raised until the first call
is refused, lost or repeated, and the last rate that went well is 1x. Then the phases follow each other without a break,
each with SIPp callers of its own that do as real ones: they repeat what is not answered (T1), acknowledge a 503 and go
away. Beside them a few emergency calls a second are made. The proxy signs and records every call it takes. Where it
may, the bench has the scheduler prefer proxy and SIPp to all others: the proxy is measured, not its neighbours.

Two processors are often the two halves of one, and then a busy one halves the speed of the other. So that 1x and 3x are
measured at the same speed, the proxy has the first processor, SIPp the others, and those are kept busy by ballast that
gives way to everything else.

Reported for each phase, by the moment a call began: offered, completed (up to the answer to BYE), refused, lost
(neither of both), and the times from INVITE to 503 and to 200. Judged: goodput at the top against 1x, the slowest
refusal, lost calls, emergency calls, and when the last call was refused after the burst.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from bench import sipguard_node
from bench.load import CALLED, CALLER, DOMAIN, OWNED, Carrier
from bench.process import BenchError, Program
from scenarios import lifeline
from scenarios.driver import FLOWS, free_port
from scenarios.node import Node

CURVE = (0.5, 1.0, 2.0, 3.0, 0.5)
STEP = 1.15  # from one rate that is tried to the next
TRIAL = 6.0  # seconds
GOODPUT = 0.8  # of 1x that must go through at the top
PROMPT = 1.0  # seconds within which every refusal must come
RECOVERY = 5.0  # seconds after the burst until no call is refused any more
PRIORITY = -15  # as nice(2) has it
EMERGENCY_RATE = 5  # calls a second
_ANSWERED, _REFUSED, _ENDED = "1", "2", "3"  # rtd numbers of the flow


def prefer(process: int) -> None:
    """Have the scheduler prefer a process and its session, when we may ask for that."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, PRIORITY)
        Path(f"/proc/{process}/autogroup").write_text(str(PRIORITY))


def apart() -> tuple[set[int], set[int]]:
    """The processors of the proxy, and those of everybody else here; the same when there is only one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


class Outcome(NamedTuple):
    """What became of the calls of one SIPp caller; times in seconds, in ``refusals`` behind the moment they came."""

    offered: int
    completed: int
    refusals: list[tuple[float, float]]
    setups: list[float]
    repeated: int

    @property
    def refused(self) -> int:
        """Calls that got a 503."""
        return len(self.refusals)

    @property
    def lost(self) -> int:
        """Calls that came to no good end."""
        return self.offered - self.completed - self.refused


class Caller:
    """One SIPp that makes calls at a rate for so many seconds; it runs until ``outcome`` is asked for."""

    def __init__(self, directory: Path, to: tuple[str, int], rate: int, seconds: float, *, called: str = "") -> None:
        directory.mkdir()
        self._directory = directory
        self._calls = round(rate * seconds)
        self._longest = seconds * 2 + 40
        numbers = directory / "numbers.csv"
        pairs = (f"{OWNED[n % len(OWNED)]};{called or number};" for n, number in enumerate(CALLED))
        numbers.write_text("\n".join(("SEQUENTIAL", *pairs)) + "\n")
        command = [
            "sipp", "-sf", str(FLOWS / "overload_uac.xml"), "-inf", str(numbers), "-key", "domain", DOMAIN,
            "-i", CALLER, "-bind_local", "-p", str(free_port(CALLER)), f"{to[0]}:{to[1]}", "-nostdin",
            "-r", str(rate), "-m", str(self._calls), "-l", "50000", "-d", "100", "-recv_timeout", "12000",
            "-buff_size", "4000000", "-trace_stat", "-stf", str(directory / "statistics.csv"), "-fd", "1",
            "-trace_rtt", "-rtt_freq", "1", "-trace_err", "-error_file", str(directory / "errors"),
        ]  # fmt: skip
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, cwd=directory, stdin=nowhere, stdout=nowhere, stderr=nowhere,
            start_new_session=True, preexec_fn=lifeline.die_with_parent,
        )  # fmt: skip
        prefer(self._process.pid)
        os.sched_setaffinity(self._process.pid, apart()[1])

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def outcome(self) -> Outcome:
        """Wait for the last call. Raises BenchError when it does not end."""
        try:
            self._process.wait(self._longest)
        except subprocess.TimeoutExpired:
            raise BenchError("the callers did not end in time") from None
        with (self._directory / "statistics.csv").open(newline="") as file:
            *_, last = csv.DictReader(file, delimiter=";")
        times: dict[str, list[tuple[float, float]]] = {_ANSWERED: [], _REFUSED: [], _ENDED: []}
        for path in self._directory.glob("*_rtt.csv"):
            for line in path.read_text().splitlines()[1:]:
                at, milliseconds, which = line.split(";")[:3]
                times[which].append((float(at) / 1000, float(milliseconds) / 1000))
        return Outcome(
            int(last["TotalCallCreated"]), len(times[_ENDED]), times[_REFUSED],
            [seconds for _, seconds in times[_ANSWERED]], int(last["Retransmissions(C)"]),
        )  # fmt: skip


class Bench:
    """One proxy and those who call through it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipguard-bench-")))
        carrier = stack.enter_context(Carrier())
        self.node = Node(self._directory / "node")
        self._program: Program = stack.enter_context(sipguard_node.run(self.node, self._sections(carrier.uri)))
        prefer(self._program.process_id)
        os.sched_setaffinity(self._program.process_id, apart()[0])
        self._ballast()
        self._number = 0

    def _ballast(self) -> None:
        """Something to do for the processors of SIPp when it has nothing to do."""
        for processor in apart()[1] - apart()[0]:
            ballast = subprocess.Popen(
                [sys.executable, "-c", "while True: pass"],
                stdin=subprocess.DEVNULL, preexec_fn=lifeline.die_with_parent, start_new_session=True,
            )  # fmt: skip
            self._stack.callback(ballast.wait)
            self._stack.callback(ballast.kill)
            os.sched_setaffinity(ballast.pid, {processor})
            os.setpriority(os.PRIO_PROCESS, ballast.pid, 19)
            with suppress(OSError):
                Path(f"/proc/{ballast.pid}/autogroup").write_text("19")

    def processor_seconds(self) -> float:
        """CPU time of the proxy so far."""
        return self._program.cpu_seconds()

    def _sections(self, carrier: str) -> str:
        return f"""{sipguard_node.signing(self._directory / "node" / "certs", carrier)}
[[trunk]]
name = "emergency"
side = "network"
targets = ["{carrier}"]
classes = ["emergency"]

[policy.emergency]
unprovisioned = "route"
"""

    def caller(self, rate: int, seconds: float, called: str = "") -> Caller:
        """Callers that begin now."""
        self._number += 1
        caller = Caller(self._directory / str(self._number), self.node.address, rate, seconds, called=called)
        self._stack.callback(caller.stop)
        return caller

    def sustainable(self, first: int) -> int:
        """The highest rate at which every call goes through at the first try. Raises BenchError."""
        self.caller(first, 2.0).outcome()  # caches, branches and pages warm
        rate, best, misses = float(first), 0, 0
        while misses < 2:
            outcome = self.caller(round(rate), TRIAL).outcome()
            well = outcome.completed == outcome.offered and outcome.repeated == 0
            print(f"  {round(rate):5} calls/s: {'all through' if well else 'not all'}", flush=True)
            if well:
                best, misses = round(rate), 0
                rate *= STEP
            else:
                misses += 1  # once more: it may have been somebody else on this machine
        if not best:
            raise BenchError(f"the machine does not carry {first} calls a second; begin lower (--from)")
        return best


class Phase(NamedTuple):
    """One step of the curve and what came of it."""

    factor: float
    rate: int
    busy: float  # share of one processor that the proxy took
    calls: Outcome
    emergency: Outcome


def curve(bench: Bench, base: int, seconds: float) -> list[Phase]:
    """All phases, one after the other without a break."""
    running, busy = [], []
    for factor in CURVE:
        rate = round(base * factor)
        begun = time.time()
        running.append((factor, rate, bench.caller(rate, seconds), bench.caller(EMERGENCY_RATE, seconds, "911")))
        before = bench.processor_seconds()
        time.sleep(max(0.0, begun + seconds - time.time()))
        busy.append((bench.processor_seconds() - before) / seconds)
    return [
        Phase(factor, rate, share, calls.outcome(), emergency.outcome())
        for (factor, rate, calls, emergency), share in zip(running, busy, strict=True)
    ]


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them is; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def show(phases: list[Phase], seconds: float) -> None:
    """The table."""
    print(
        "\n load  calls/s  proxy  offered  completed  refused  lost  goodput/s  503 p50/p99/max s     200 p50/p99 s"
        "    911 done  911 p50/p99 s"
    )
    for phase in phases:
        calls, emergency = phase.calls, phase.emergency
        waits = [wait for _, wait in calls.refusals]
        print(
            f"{phase.factor:4.1f}x  {phase.rate:7}  {phase.busy:5.0%}  {calls.offered:7}  {calls.completed:9}  "
            f"{calls.refused:7}  {calls.lost:4}  {calls.completed / seconds:9.0f}  "
            f"{percentile(waits, 0.5):5.3f} {percentile(waits, 0.99):5.3f} {max(waits, default=0.0):5.3f}     "
            f"{percentile(calls.setups, 0.5):5.3f} {percentile(calls.setups, 0.99):5.3f}    "
            f"{emergency.completed:4}/{emergency.offered:<4} "
            f"{percentile(emergency.setups, 0.5):5.3f} {percentile(emergency.setups, 0.99):5.3f}"
        )


def judge(phases: list[Phase], seconds: float) -> list[str]:
    """What is not as it must be, in words."""
    top = max(phases, key=lambda phase: phase.factor)
    base = next(phase for phase in phases if phase.factor == 1.0)
    after = phases[-1]
    goodput = top.calls.completed / base.calls.completed
    slowest = max((wait for phase in phases for _, wait in phase.calls.refusals), default=0.0)
    lost = sum(phase.calls.lost for phase in phases)
    recovered = max((at for at, _ in after.calls.refusals), default=0.0)
    emergency = sum(phase.emergency.offered - phase.emergency.completed for phase in phases)
    print(f"\ngoodput at {top.factor:g}x: {goodput:.0%} of 1x (at least {GOODPUT:.0%})")
    print(f"slowest refusal: {slowest:.3f} s (at most {PROMPT:g} s)")
    print(f"calls neither completed nor refused: {lost}; emergency calls that failed: {emergency}")
    print(f"last refusal after the burst: {recovered:.1f} s (at most {RECOVERY:g} s)")
    found = (
        (goodput < GOODPUT, "too few calls go through at the top"),
        (slowest > PROMPT, "a refusal came too late"),
        (lost > 0, "calls were lost"),
        (emergency > 0, "emergency calls failed"),
        (recovered > RECOVERY, "it does not recover"),
    )
    return [what for wrong, what in found if wrong]


def main() -> int:
    """Run, print, and return the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--from", dest="first", type=int, default=200, help="rate the search for 1x begins with")
    arguments.add_argument("--base", type=int, default=0, help="take this rate as 1x instead of searching")
    arguments.add_argument("--seconds", type=float, default=8.0, help="length of one phase")
    options = arguments.parse_args()
    with ExitStack() as stack:
        bench = Bench(stack)
        print("the highest rate at which every call goes through at the first try:")
        base = options.base or bench.sustainable(options.first)
        phases = curve(bench, base, options.seconds)
        show(phases, options.seconds)
        complaints = judge(phases, options.seconds)
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")

"""``python -m bench.soak``: run the soak, print how it goes every ten seconds, then a table, and say by the exit code.

Exit code 0: every call is accounted for, nothing is left open, memory is flat, and neither the log's chain nor the
node's own log has anything to complain about. 1: something of that is not so. 2: the soak could not be run.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from bench.process import BenchError
from bench.soak.memory import MemoryBook
from bench.soak.network import choose
from bench.soak.report import Finding, Narrator, findings, print_table
from bench.soak.stage import Plan, Stage
from scenarios.node import NodeError

_ROOT = Path(__file__).resolve().parent.parent.parent


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.soak", description="Calls of every outcome, all accounted for.")
    parser.add_argument("--calls", type=int, default=500_000, help="how many calls (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=300.0, help="calls per second (default: %(default)s)")
    parser.add_argument("--loss", type=float, default=0.02, help="share of datagrams lost (default: %(default)s)")
    parser.add_argument("--seed", default="5oa", help="of everything that is drawn (default: %(default)s)")
    parser.add_argument("--t1", type=float, default=0.5, help="timer T1 of everybody, seconds (default: %(default)s)")
    parser.add_argument("--network", choices=("auto", "namespaces", "loopback"), default="auto")
    parser.add_argument("--directory", type=Path, help="where everything is kept; else it is removed after a success")
    return parser.parse_args()


def _directory(wanted: Path | None) -> Path:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        return wanted.resolve()
    (_ROOT / "var").mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="soak-", dir=_ROOT / "var"))


def run(plan: Plan, wanted: str, directory: Path) -> list[Finding]:
    """The soak. Raises BenchError or NodeError when it cannot be run."""
    network = choose(wanted)
    print(f"soak: {plan.calls} calls at {plan.rate:g} calls/s, {plan.loss:.1%} of datagrams lost, T1 {plan.t1:g} s")
    print(f"soak: over {network.means}; everything is kept in {directory}", flush=True)
    narrator = Narrator()
    with (directory / "memory.csv").open("w", encoding="ascii") as file, Stage(plan, network, directory) as stage:
        book = MemoryBook(file)
        stage.play(book, narrator.say)
        drained = stage.drain(book, narrator.say)
        ended = stage.end()
        return findings(stage, book, drained, narrator.slowest, ended)


def main() -> int:
    """Run, print, and return the exit code."""
    options = _options()
    plan = Plan(options.calls, options.rate, options.loss, options.seed, options.t1)
    directory = _directory(options.directory)
    try:
        found = run(plan, options.network, directory)
    except (BenchError, NodeError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    print_table(found)
    good = all(finding.good for finding in found)
    if good and options.directory is None:
        shutil.rmtree(directory)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""CPU per call, sipguard against Kamailio with secsipid: ``python -m bench.against_kamailio [--mode verify]``.

A call is INVITE 100 180 200 ACK BYE 200 through the proxy. In mode ``sign`` sipguard does all it does for an
origination: source, caller-ID ownership, do-not-originate, robo-dial class, attestation, SHAKEN signature, and the
attestation record before the call leaves. In mode ``verify`` the calls come from the network, each with a PASSporT of
its own: sipguard checks all of it against the call and against the certificate it knows, writes verstat and record, and
routes to the customer. A call that does not verify is refused, so every call counted was verified. Kamailio
(``bench/kamailio/kamailio.cfg``, one UDP worker) is stateful, record-routes, and signs or verifies; its configuration
says what that covers. Both fetch the certificate over HTTPS from a repository on loopback, in the warm-up.

Runs alternate, so that what else the machine does falls on both; the figure is user plus system time of all processes
of the proxy, start-up and the first calls left out. Reported: the median of the runs, and the ratio.

Compare at equal rates only: wake-ups are a good part of the cost, and a busier proxy sleeps less between messages.
"""

import argparse
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import kamailio, sipguard_node
from bench.far_carrier import FarCarrier
from bench.load import Carrier, Load, originating, place
from bench.process import BenchError, Program

PEERS: dict[str, Callable[[Path, str, FarCarrier | None], tuple[Program, tuple[str, int]]]] = {
    "sipguard": sipguard_node.start,
    "kamailio": kamailio.start,
}
MODES = ("sign", "verify")


def measure(mode: str, peer: str, load: Load) -> float:
    """Microseconds of CPU per call of one run. Raises BenchError when the run does not count."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipguard-bench-")))
        carrier = stack.enter_context(Carrier())
        far = stack.enter_context(FarCarrier(directory / "far")) if mode == "verify" else None
        traffic = originating if far is None else far.traffic
        program, address = PEERS[peer](directory, carrier.uri, far)
        stack.enter_context(program)
        place(Load(load.rate, 1.0, load.hold), address, directory, traffic)  # caches, branches and pages warm
        before = program.cpu_seconds()
        place(load, address, directory, traffic)
        spent = program.cpu_seconds() - before
        if far is not None and far.fetched != 1:
            raise BenchError(f"the certificate was fetched {far.fetched} times, not once")
        return spent / load.calls * 1e6


def main() -> int:
    """Run, print, and return the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--mode", choices=MODES, default="sign", help="what the proxies do with a call")
    arguments.add_argument("--rate", type=int, default=200, help="calls per second")
    arguments.add_argument("--seconds", type=float, default=10.0, help="length of one run")
    arguments.add_argument("--runs", type=int, default=3, help="runs of each peer")
    arguments.add_argument("--peer", choices=sorted(PEERS), action="append", help="only this peer")
    options = arguments.parse_args()
    load, peers = Load(options.rate, options.seconds), options.peer or list(PEERS)
    print(
        f"{options.mode}: {load.calls} calls at {load.rate} calls/s per run, {options.runs} runs each, "
        f"on {socket.gethostname()}"
    )
    figures: dict[str, list[float]] = {peer: [] for peer in peers}
    for run in range(1, options.runs + 1):
        for peer in peers:
            figures[peer].append(measure(options.mode, peer, load))
            print(f"  run {run}  {peer:9}  {figures[peer][-1]:7.1f} us of CPU per call", flush=True)
    medians = {peer: statistics.median(values) for peer, values in figures.items()}
    for peer, median in medians.items():
        print(f"{peer:9}  median {median:7.1f} us of CPU per call")
    if len(medians) == len(PEERS):
        print(f"ratio sipguard/kamailio  {medians['sipguard'] / medians['kamailio']:.2f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")

"""CPU microseconds of one whole call through the engine alone: six messages in, seven out, no socket.

INVITE (100, screened, signed, recorded), 180, 200, ACK, BYE, 200. Usage: ``python -m bench.engine [blocks]``. The
operator is the sample one: every rule as it is by default, no limits set, no credentials asked for, and a caller that
writes only what it must. Where others use the machine as well, instructions tell more than time: run it with 2 and
with 6 blocks under ``valgrind --tool=callgrind`` and ``PYTHONHASHSEED=0``; the difference is what 400 calls take.
"""

import gc
import statistics
import sys
import time

from sipguard.engine import Ask, Engine, Send
from sipguard.policy.need import Answer
from sipguard.sip.flow import Flow
from sipguard.testing.sample import ACME_PBX, CARRIER_A, Sample, flow_from, invite

WALL = 1_800_000_000.0
BLOCK = 100  # calls


def in_dialog(method: str, number: int, route: str, to_tag: str) -> bytes:
    """An in-dialog request of the caller."""
    host, port = ACME_PBX
    rows = (
        f"{method} sip:{CARRIER_A[0]}:{CARRIER_A[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{number};rport",
        f"Route: {route}",
        f"From: <sip:+14155550100@{host};user=phone>;tag=caller-tag",
        f"To: <sip:+12125550123@192.0.2.1;user=phone>;tag={to_tag}",
        f"Call-ID: bench-{number}@sample",
        f"CSeq: {1 if method == 'ACK' else 2} {method}",
        "Max-Forwards: 70",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(rows).encode()


def response(request: bytes, code: int, phrase: str) -> bytes:
    """The carrier's response to a request the engine sent."""
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    kept = [row for row in head if row.split(":")[0] in ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")]
    kept = [f"{row};tag=carrier" if row.startswith("To:") and ";tag=" not in row else row for row in kept]
    contact = f"Contact: <sip:{CARRIER_A[0]}:{CARRIER_A[1]}>"
    rows = (f"SIP/2.0 {code} {phrase}", *kept, contact, "Content-Length: 0", "", "")
    return "\r\n".join(rows).encode("latin-1")


class Load:
    """Calls through one engine; only the engine's doors are on the clock."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = 0.0
        self.spent = 0

    def door(self, data: bytes, flow: Flow) -> list[Send]:
        """Receive, commit what is asked, and give back what is sent."""
        start = time.perf_counter_ns()
        outputs = self.engine.receive(data, flow, self.now, WALL + self.now)
        sends: list[Send] = []
        for output in outputs:
            if isinstance(output, Send):
                sends.append(output)
            elif isinstance(output, Ask):
                more = self.engine.complete(output.need, Answer(True), self.now, WALL + self.now)
                sends.extend(item for item in more if isinstance(item, Send))
        self.spent += time.perf_counter_ns() - start
        return sends

    def one(self, number: int) -> None:
        """One call, start to end."""
        customer, carrier = flow_from(ACME_PBX), flow_from(CARRIER_A)
        forwarded = self.door(invite(call_id=f"bench-{number}@sample").encode(), customer)[-1].data
        self.door(response(forwarded, 180, "Ringing"), carrier)
        self.door(response(forwarded, 200, "OK"), carrier)
        route = forwarded.partition(b"Record-Route: ")[2].partition(b"\r\n")[0].decode()
        self.door(in_dialog("ACK", number, route, "carrier"), customer)
        bye = self.door(in_dialog("BYE", number, route, "carrier"), customer)[-1].data
        self.door(response(bye, 200, "OK"), carrier)

    def pass_time(self, seconds: float) -> None:
        """Let timers run; on the clock too."""
        self.now += seconds
        start = time.perf_counter_ns()
        self.engine.tick(self.now, WALL + self.now)
        self.spent += time.perf_counter_ns() - start


def main() -> None:
    """Print microseconds per call: the quickest and the median block, so that a noisy machine shows as such."""
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    load = Load(Sample().engine)
    gc.collect()
    gc.freeze()
    figures = []
    for block in range(blocks):
        load.spent = 0
        for number in range(BLOCK):
            load.one(block * BLOCK + number)
            load.pass_time(0.01)
        figures.append(load.spent / 1000 / BLOCK)
    load.pass_time(100)
    median, quickest = statistics.median(figures), min(figures)
    print(f"engine: {quickest:.1f} us per call in the quickest block of {BLOCK}, {median:.1f} in the median one")
    print(f"open transactions at the end: {load.engine.open_transactions}")


if __name__ == "__main__":
    main()

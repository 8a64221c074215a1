"""The load: one SIPp caller and one SIPp carrier, the same for every proxy measured.

SIPp is started directly, not through pysipp: a measurement wants no message traces. A run counts only when every call
succeeded and nothing was retransmitted; otherwise the proxy was measured doing something else.
"""

import csv
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from bench.process import BenchError
from scenarios.driver import FLOWS, free_port

CALLER, CARRIER = "127.0.0.21", "127.0.0.31"
DOMAIN = "load.example"
OWNED = tuple(f"+1415555{n:04}" for n in range(100, 200))
CALLED = tuple(f"+1202555{n:04}" for n in range(1000, 2000))


class Load(NamedTuple):
    """How much: calls per second, for so many seconds, each held for so many milliseconds."""

    rate: int
    seconds: float
    hold: int = 100

    @property
    def calls(self) -> int:
        """Calls in all."""
        return round(self.rate * self.seconds)


class Carrier(AbstractContextManager["Carrier"]):
    """The answering side."""

    def __init__(self) -> None:
        self.port = free_port(CARRIER)
        self._process = subprocess.Popen(
            [
                "sipp", "-sf", str(FLOWS / "carrier_uas.xml"), "-i", CARRIER, "-bind_local", "-p", str(self.port),
                "-nostdin", "-nr", "-l", "20000", "-buff_size", "4000000",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def uri(self) -> str:
        """Where it is reached."""
        return f"sip:{CARRIER}:{self.port}"

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


class Traffic(NamedTuple):
    """What SIPp plays: a flow of ``scenarios/``, the file its fields come from, and its keys."""

    flow: str
    injection: Path
    keys: Mapping[str, str]


def originating(directory: Path, load: Load) -> Traffic:
    """Unsigned calls from owned numbers to the rest of the world."""
    file = directory / "numbers.csv"
    pairs = (f"{OWNED[n % len(OWNED)]};{called};" for n, called in enumerate(CALLED))
    file.write_text("\n".join(("SEQUENTIAL", *pairs)) + "\n")
    return Traffic("load_uac", file, {"domain": DOMAIN})


def place(load: Load, to: tuple[str, int], directory: Path, traffic: Callable[[Path, Load], Traffic]) -> None:
    """Make the calls. Raises BenchError unless every one of them went through without a retransmission."""
    flow, injection, keys = traffic(directory, load)
    statistics = directory / "statistics.csv"
    statistics.unlink(missing_ok=True)
    command = [
        "sipp", "-sf", str(FLOWS / f"{flow}.xml"), "-inf", str(injection),
        *(word for key, value in keys.items() for word in ("-key", key, value)),
        "-i", CALLER, "-bind_local", "-p", str(free_port(CALLER)), f"{to[0]}:{to[1]}",
        "-nostdin", "-r", str(load.rate), "-m", str(load.calls), "-l", "20000", "-d", str(load.hold),
        "-recv_timeout", "5000", "-trace_stat", "-stf", str(statistics), "-fd", "1",
    ]  # fmt: skip
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=load.seconds * 2 + 30, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchError("the load did not end in time") from None
    with statistics.open(newline="") as file:
        *_, last = csv.DictReader(file, delimiter=";")
    good, failed, again = (int(last[key]) for key in ("SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)"))
    if good != load.calls or failed or again:
        raise BenchError(f"{good} of {load.calls} calls went through, {failed} failed, {again} retransmissions")

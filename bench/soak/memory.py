"""The proxy's memory over the run: samples of RSS and PSS, and how much it grew after the warm-up.

Compared is like with like: the median under full load right after the warm-up, and the median under full load at the
end. What is left when everything has drained is told besides, and must not be more either.
"""

import csv
import statistics
from pathlib import Path
from typing import IO, NamedTuple


class Sample(NamedTuple):
    """The state of the proxy at one moment; sizes in KiB."""

    second: float
    started: int
    finished: int
    rss: int
    pss: int
    open_transactions: int
    active_calls: int
    parked: int


class Growth(NamedTuple):
    """Medians in KiB."""

    warm: float
    end: float
    drained: float

    @property
    def percent(self) -> float:
        """How much more there is under load at the end than after the warm-up."""
        return (self.end / self.warm - 1) * 100

    @property
    def drained_percent(self) -> float:
        """The same of what is left when nothing is under way any more."""
        return (self.drained / self.warm - 1) * 100


class MemoryBook:
    """Takes samples and writes them to a CSV file."""

    def __init__(self, file: IO[str]) -> None:
        self.samples: list[Sample] = []
        self._file = file
        self._writer = csv.writer(file)
        self._writer.writerow(Sample._fields)

    def add(self, sample: Sample) -> None:
        """Keep it."""
        self.samples.append(sample)
        self._writer.writerow([round(value, 1) for value in sample])
        self._file.flush()

    def growth(self, calls: int, warm_up: float) -> Growth | None:
        """From the end of the warm-up (a share of the calls) to the end; None when the run was too short to say."""
        first, width = calls * warm_up, calls * 0.1
        warm = [sample.rss for sample in self.samples if first <= sample.started <= first + width]
        end = [sample.rss for sample in self.samples if calls - width <= sample.started < calls]
        drained = [sample.rss for sample in self.samples if sample.started >= calls][-3:]
        if min(len(warm), len(end), len(drained)) < 3:
            return None
        return Growth(statistics.median(warm), statistics.median(end), statistics.median(drained))


def sizes(process: int) -> tuple[int, int]:
    """RSS and PSS of a process in KiB."""
    found = {"Rss": 0, "Pss": 0}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0])
    return found["Rss"], found["Pss"]

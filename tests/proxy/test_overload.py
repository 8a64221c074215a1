"""The overload controller on virtual time: a single server with a queue, and calls that cost it what ours cost."""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from sipguard.proxy.overload import Overload, OverloadSettings, fair_level

CALL = 0.0012  # seconds of work for a whole call: 833 calls a second is what the server sustains
START = 0.0005  # of which its INVITE takes this
REFUSAL = 0.00008
BATCH = 64


@dataclass
class Server:
    """Reads what waits in batches, as the runtime does; ``pauses`` are (when, how long) nothing is read."""

    settings: OverloadSettings = field(default_factory=OverloadSettings)
    pauses: list[tuple[float, float]] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.overload = Overload(self.settings)
        self.admitted: list[tuple[float, str]] = []
        self.refused: list[tuple[float, str]] = []
        self.waits: list[tuple[float, float]] = []
        self._arrivals: list[tuple[float, int, str]] = []
        self._number = 0
        self._random = random.Random(7)

    def offer(self, rate: float, start: float, seconds: float, trunk: str = "a") -> None:
        """Calls of a trunk, at random moments."""
        at = start
        while at < start + seconds:
            self._arrive(at, trunk)
            at += self._random.expovariate(rate)

    def _arrive(self, at: float, what: str) -> None:
        self._number += 1
        heapq.heappush(self._arrivals, (at, self._number, what))

    def run(self) -> None:
        """Until everything is served."""
        queue: deque[tuple[float, int, str]] = deque()
        while self._arrivals or queue:
            if not queue:
                self.now = max(self.now, self._arrivals[0][0])
            if self.pauses and self.pauses[0][0] <= self.now:
                self.now += self.pauses.pop(0)[1]
            while self._arrivals and self._arrivals[0][0] <= self.now:
                queue.append(heapq.heappop(self._arrivals))
            self.overload.observe(self.now - queue[0][0], self.now)
            for _ in range(min(BATCH, len(queue))):
                self._serve(queue.popleft())

    def _serve(self, message: tuple[float, int, str]) -> None:
        arrived, _, what = message
        self.waits.append((arrived, self.now - arrived))
        if not what:
            self.now += (CALL - START) / 3
        elif self.overload.admits(what):
            self.admitted.append((arrived, what))
            self.now += START
            for later in (0.01, 0.02, 0.03):
                self._arrive(self.now + later, "")
        else:
            self.refused.append((arrived, what))
            self.now += REFUSAL

    def completed(self, start: float, end: float, trunk: str = "a") -> float:
        """Calls a second that were let in between two moments."""
        return sum(start <= at < end and who == trunk for at, who in self.admitted) / (end - start)

    def longest_wait(self, start: float, end: float) -> float:
        """Of any message that arrived between two moments."""
        return max(wait for at, wait in self.waits if start <= at < end)


def test_below_capacity_nothing_is_shed() -> None:
    """At nine tenths of what the server sustains every call comes in."""
    server = Server()
    server.offer(750, 0, 20)
    server.run()
    assert server.refused == []


@pytest.mark.parametrize("factor", [2, 3])
def test_goodput_and_waits_under_overload(factor: int) -> None:
    """At twice and three times the load four fifths of the calls go through, and nothing waits for half a second."""
    server = Server()
    server.offer(800, 0, 5)
    server.offer(800 * factor, 5, 10)
    server.run()
    assert server.completed(7, 15) >= 0.8 * server.completed(1, 5)
    assert server.longest_wait(5, 15) < 0.5
    assert server.longest_wait(8, 15) < 0.15


def test_recovery() -> None:
    """Half a second after the burst every call comes in again, and the controller is at rest soon after."""
    server = Server()
    server.offer(2400, 0, 5)
    server.offer(400, 5, 5)
    server.run()
    assert [at for at, _ in server.refused if at > 5.5] == []
    assert server.overload.shed == 0.0


@pytest.mark.parametrize("pause", [0.03, 0.05, 0.1])
def test_a_pause_sheds_nothing(pause: float) -> None:
    """A garbage collection or a slow disk write makes calls wait, and costs none of them."""
    server = Server(pauses=[(1.0, pause), (2.0, pause), (3.0, pause)])
    server.offer(500, 0, 4)
    server.run()
    assert server.refused == []


def test_a_flooding_trunk_does_not_starve_the_others() -> None:
    """What exceeds a trunk's fair share is shed from that trunk alone."""
    server = Server()
    server.offer(2200, 0, 10, "flood")
    server.offer(100, 0, 10, "small")
    server.run()
    offered = 10 * 100
    refused = sum(who == "small" and at > 1 for at, who in server.refused)
    assert refused < 0.02 * offered
    assert server.completed(2, 10, "flood") > 400


def test_trunks_that_offer_the_same_get_the_same() -> None:
    """Two trunks far above their share end up with equal shares."""
    server = Server()
    server.offer(1200, 0, 10, "a")
    server.offer(1200, 0, 10, "b")
    server.run()
    assert server.completed(2, 10, "a") == pytest.approx(server.completed(2, 10, "b"), rel=0.1)


def test_a_trickle_always_comes_in() -> None:
    """Whatever the delay, ``most_shed`` bounds the share that is turned away."""
    overload = Overload(OverloadSettings(most_shed=0.9))
    for step in range(100):
        overload.observe(5.0, step * 0.02)
    assert overload.shed == 0.9
    assert sum(overload.admits("a") for _ in range(1000)) == pytest.approx(100, abs=2)


def test_silence_ends_the_overload() -> None:
    """When nothing arrives any more, nothing waits: the share goes to zero by time alone."""
    overload = Overload(OverloadSettings())
    for step in range(100):
        overload.observe(1.0, step * 0.02)
    assert overload.shed > 0.9
    for step in range(30):
        overload.idle(2.0 + step * 0.1)
    assert overload.shed == 0.0
    assert overload.admits("a")


def test_the_past_does_not_count() -> None:
    """A delay seen after a long silence must stand for the whole patience again."""
    overload = Overload(OverloadSettings())
    overload.observe(0.2, 1.0)
    overload.observe(0.2, 100.0)
    overload.observe(0.2, 100.05)
    assert overload.shed == 0.0


def test_inputs_decide_alone() -> None:
    """The same observations and calls give the same decisions."""

    def decisions() -> list[bool]:
        overload = Overload(OverloadSettings())
        made = []
        for step in range(200):
            overload.observe(0.08, step * 0.02)
            made += [overload.admits("a"), overload.admits("b"), overload.admits("a")]
        return made

    assert decisions() == decisions()
    assert False in decisions()


@pytest.mark.parametrize(
    ("rates", "capacity", "level"),
    [
        ([], 0.0, float("inf")),
        ([10.0, 20.0], 30.0, float("inf")),
        ([10.0, 90.0], 50.0, 40.0),
        ([90.0, 90.0, 10.0], 100.0, 45.0),
        ([5.0], 0.0, 0.0),
    ],
)
def test_fair_level(rates: list[float], capacity: float, level: float) -> None:
    """Rates cut down to the level fill the capacity, and those below it are untouched."""
    assert fair_level(rates, capacity) == level

"""Bounds and fairness of fetches in flight (VS-34)."""

import asyncio

import pytest

from sipguard.policy.need import Answer
from sipguard.runtime.clock import Clock
from sipguard.runtime.flights import Bounds, Flights
from tests.runtime.kit import run


class Field:
    """Flights that land when told to; ``now`` is the clock."""

    def __init__(self, bounds: Bounds) -> None:
        self.now = 0.0
        self.begun: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.flights = Flights(self._fly, Clock(monotonic=lambda: self.now), 2.0, bounds)

    async def _fly(self, url: str) -> Answer:
        self.begun.append(url)
        await self.gates.setdefault(url, asyncio.Event()).wait()
        return Answer(True, url)

    async def land(self, url: str) -> None:
        """Let a flight end, and what follows from it begin."""
        self.gates.setdefault(url, asyncio.Event()).set()
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.clause("VS-34")
def test_one_flight_for_all_who_wait() -> None:
    """Whoever asks for a URL that is in flight or in the queue joins it."""

    async def main() -> None:
        field = Field(Bounds(per_host=1))
        first, second = field.flights.join("a/1", "a"), field.flights.join("a/2", "a")
        assert field.flights.join("a/1", "a") is first
        assert field.flights.join("a/2", "a") is second
        await field.land("a/1")
        assert field.begun == ["a/1", "a/2"]
        await field.land("a/2")
        assert first is not None
        assert second is not None
        assert (first.result(), second.result()) == (Answer(True, "a/1"), Answer(True, "a/2"))

    run(main())


@pytest.mark.clause("VS-34")
def test_a_host_has_its_share_and_hosts_take_turns() -> None:
    """One host's queue never holds a place that another host could use, and no host is served twice in a row."""

    async def main() -> None:
        field = Field(Bounds(at_once=2, per_host=1))
        for number in range(3):
            for host in ("a", "b", "c"):
                field.flights.join(f"{host}/{number}", host)
        await asyncio.sleep(0)
        assert field.begun == ["a/0", "b/0"]
        await field.land("b/0")
        assert field.begun[2:] == ["c/0"]
        await field.land("a/0")
        await field.land("c/0")
        assert field.begun[3:] == ["a/1", "b/1"]

    run(main())


@pytest.mark.clause("VS-34")
def test_what_waits_is_bounded_in_all_and_for_each_host() -> None:
    """There is room to wait for a while; beyond it the answer is no, at once."""

    async def main() -> None:
        field = Field(Bounds(at_once=1, per_host=1, waiting=3, waiting_per_host=2))
        joined = [field.flights.join(f"a/{number}", "a") is not None for number in range(4)]
        assert joined == [True, True, True, False]
        assert field.flights.join("b/0", "b") is not None
        assert field.flights.join("c/0", "c") is None
        await field.flights.close()

    run(main())


@pytest.mark.clause("VS-34")
def test_who_waited_too_long_is_not_served() -> None:
    """The calls behind it have gone on by then: the place goes to one that can still use it."""

    async def main() -> None:
        field = Field(Bounds(per_host=1))
        field.flights.join("a/0", "a")
        late = field.flights.join("a/1", "a")
        field.now = 3.0
        field.flights.join("a/2", "a")
        await field.land("a/0")
        assert field.begun == ["a/0", "a/2"]
        assert late is not None
        assert late.result() == Answer(False, "too many certificates are being fetched")
        assert field.flights.join("a/1", "a") is not late
        await field.flights.close()

    run(main())

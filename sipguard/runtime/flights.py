"""Fetches in flight: one per URL however many wait for it, so many at once, fewer per host (VS-34).

A repository that hangs holds the places of its host and no others; what waits for it waits in a queue of its own, and
hosts take turns. All numbers are bounded: a flood of URLs is refused, not stored.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from sipguard.policy.need import Answer
from sipguard.runtime.clock import Clock


class Bounds(NamedTuple):
    """How many fetches may be under way, and how many may wait for a place."""

    at_once: int = 64
    per_host: int = 4
    waiting: int = 1024
    waiting_per_host: int = 128


class Flights:
    """Starts ``fly(url)`` when there is a place for it. ``patience``: seconds after which a place comes too late."""

    def __init__(
        self,
        fly: Callable[[str], Coroutine[Any, Any, Answer]],
        clock: Clock,
        patience: float,
        bounds: Bounds | None = None,
    ) -> None:
        self.patience = patience
        self._fly = fly
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._known: dict[str, asyncio.Future[Answer]] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._running: Counter[str] = Counter()  # by host
        self._queues: OrderedDict[str, deque[tuple[str, float]]] = OrderedDict()  # by host: URL and since when

    def join(self, url: str, host: str) -> asyncio.Future[Answer] | None:
        """What a fetch comes to, begun already or now; None when there is not even room to wait."""
        known = self._known.get(url)
        if known is not None:
            return known
        bounds = self._bounds
        fits = len(self._tasks) < bounds.at_once and self._running[host] < bounds.per_host
        queue = self._queues.get(host, ())
        crowded = len(self._known) - len(self._tasks) >= bounds.waiting or len(queue) >= bounds.waiting_per_host
        if crowded and not fits:
            return None
        flight: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._known[url] = flight
        if fits:
            self._start(url, host)
        else:
            self._queues.setdefault(host, deque()).append((url, self._clock.monotonic()))
        return flight

    async def close(self) -> None:
        """Give up what is in flight and what waits."""
        self._queues.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for flight in self._known.values():
            flight.cancel()
        self._known.clear()

    def _start(self, url: str, host: str) -> None:
        self._running[host] += 1
        task = asyncio.get_running_loop().create_task(self._fly(url))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._landed(url, host, done))

    def _landed(self, url: str, host: str, task: asyncio.Task[Answer]) -> None:
        self._tasks.discard(task)
        self._running[host] -= 1
        if not self._running[host]:
            del self._running[host]
        if task.cancelled():
            return
        self._settle(url, task.result())
        self._fill()

    def _fill(self) -> None:
        """Give free places to what waits, one host after the other."""
        for host in list(self._queues):
            if len(self._tasks) >= self._bounds.at_once:
                return
            if self._running[host] >= self._bounds.per_host:
                continue
            url = self._next(host)
            if url is not None:
                self._start(url, host)

    def _next(self, host: str) -> str | None:
        """The first of a host's queue that still has somebody waiting; the host goes to the end of the turn."""
        queue = self._queues.pop(host)
        earliest = self._clock.monotonic() - self.patience
        found = None
        while queue and found is None:
            url, since = queue.popleft()
            if since < earliest:
                self._settle(url, Answer(False, "too many certificates are being fetched"))
            else:
                found = url
        if queue:
            self._queues[host] = queue
        return found

    def _settle(self, url: str, answer: Answer) -> None:
        flight = self._known.pop(url, None)
        if flight is not None and not flight.done():
            flight.set_result(answer)

"""Synthetic traffic on a virtual clock: what an account's calls look like, with a seeded source of chance.

The distributions are chosen by hand, so what they show is how the detector behaves, not how it would fare in the field.
"""

import heapq
import random

from sipguard.traffic.book import TrafficBook
from sipguard.traffic.standing import StandingChange


def play(
    book: TrafficBook,
    account: str,
    *,
    attempts: int,
    rate: float,
    answered: float,
    mean_duration: float,
    start: float = 0.0,
    seed: int = 1,
    abandoned: float = 0.0,
    code: int = 486,
) -> list[StandingChange]:
    """Feed a book Poisson arrivals (``rate`` per second) and exponential durations; what the sweeps saw change."""
    source = random.Random(seed)
    events: list[tuple[float, int, str, float]] = []
    now = start
    for number in range(attempts):
        now += source.expovariate(rate)
        events.append((now, number, "attempt", 0.0))
        chance, ringing = source.random(), source.uniform(1.0, 15.0)
        if chance < answered:
            duration = source.expovariate(1.0 / mean_duration)
            events.append((now + ringing, number, "answered", 0.0))
            events.append((now + ringing + duration, number, "ended", duration))
        elif chance < answered + abandoned:
            events.append((now + ringing, number, "abandoned", 0.0))
        else:
            events.append((now + ringing, number, "failed", 0.0))
    heapq.heapify(events)
    changes, sweep = [], start + 60.0
    while events:
        moment, _, kind, duration = heapq.heappop(events)
        while sweep <= moment:
            changes += book.sweep(sweep)
            sweep += 60.0
        _apply(book, account, kind, duration, code, moment)
    return changes + book.sweep(sweep)


def _apply(book: TrafficBook, account: str, kind: str, duration: float, code: int, now: float) -> None:
    if kind == "attempt":
        book.attempt(account, now)
    elif kind == "answered":
        book.answered(account, now)
    elif kind == "ended":
        book.ended(account, duration, now)
    elif kind == "abandoned":
        book.abandoned(account, now)
    else:
        book.failed(account, code, now)

"""Destination traffic: where the calls of accounts went in the last minutes, and how many of them rang for an instant.

A reload keeps it. Only what a figure is configured for is counted.
"""

from sipguard.traffic.missed_calls import MissedCalls
from sipguard.traffic.recent_counts import RecentCounts


class DestinationTraffic:
    """By account and called number, by account and place (a country or prefix), and missed calls by account."""

    __slots__ = ("five_minutes", "hour", "missed", "numbers")

    def __init__(self, capacity: int = 100_000) -> None:
        """``capacity`` bounds the keys of each kind."""
        self.numbers = RecentCounts(900.0, 15, capacity)
        self.five_minutes = RecentCounts(300.0, 10, capacity)
        self.hour = RecentCounts(3600.0, 12, capacity)
        self.missed = MissedCalls(capacity)

    def resize(self, capacity: int) -> None:
        """Remember so many keys of each kind from now on."""
        for counts in (self.numbers, self.five_minutes, self.hour, self.missed):
            counts.capacity = capacity

"""What a bad network does to each datagram: loses it, doubles it, or holds it until others have overtaken it.

Seeded, so that a run's network is the same one each time it is given the same datagrams.
"""

from dataclasses import dataclass
from random import Random

PASSED = (0.0,)  # one copy, at once


@dataclass(frozen=True, slots=True)
class Impairment:
    """Shares of all datagrams in one direction. A held one waits ``held_least`` to ``held_most`` seconds."""

    lost: float = 0.02
    doubled: float = 0.01
    held: float = 0.03
    held_least: float = 0.002
    held_most: float = 0.040


class Fate:
    """Decides about datagrams, and counts what it decided."""

    def __init__(self, impairment: Impairment, seed: str) -> None:
        self.seen = self.lost = self.doubled = self.held = 0
        self._impairment = impairment
        self._random = Random(seed)
        self._held = impairment.held
        self._doubled = self._held + impairment.doubled
        self._lost = self._doubled + impairment.lost

    def decide(self) -> tuple[float, ...]:
        """After how many seconds a copy is delivered, for each copy; nothing for a datagram that is lost."""
        self.seen += 1
        drawn = self._random.random()
        if drawn >= self._lost:
            return PASSED
        if drawn < self._held:
            self.held += 1
            return (self._pause(),)
        if drawn < self._doubled:
            self.doubled += 1
            return (0.0, self._pause())
        self.lost += 1
        return ()

    def _pause(self) -> float:
        return self._random.uniform(self._impairment.held_least, self._impairment.held_most)

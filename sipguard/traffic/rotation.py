"""Rotation: who was refused at whom not long ago, and under how many numbers it has tried to get there since.

Only refusals make an entry, so an account that is never refused costs nothing. The table is bounded and shared fairly:
what is over goes first, and then what was refused longest ago. A caller is a fingerprint of the numbers it shows, for a
refused request may show hundreds.
"""

from sipguard.traffic.shares import Pair, Shares


class _Trial:
    __slots__ = ("callers", "until")

    def __init__(self, caller: int) -> None:
        self.until = 0.0
        self.callers = {caller}


class RotationWatch:
    """The pairs of account and called number with a refusal. ``now`` is monotonic seconds."""

    __slots__ = ("_trials",)

    def __init__(self, capacity: int = 10_000) -> None:
        self._trials: Shares[_Trial] = Shares(capacity)

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def capacity(self) -> int:
        """How many pairs are remembered at most."""
        return self._trials.capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._trials.capacity = capacity

    def refused(self, pair: Pair, caller: int, now: float, window: float) -> None:
        """A call was refused; for ``window`` seconds other callers of the account are counted there."""
        trials = self._trials
        trial = trials.take(pair)
        if trial is None or trial.until <= now:
            trial = _Trial(caller)
        trial.until = now + window
        while (oldest := trials.oldest(pair[0])) is not None and oldest.until <= now:
            trials.drop_oldest(pair[0])
        trials.put(pair, trial)

    def watches(self, pair: Pair, now: float) -> bool:
        """Whether there was a refusal not long ago."""
        trial = self._trials.get(pair)
        return trial is not None and now < trial.until

    def tried(self, pair: Pair, caller: int, most: int) -> int:
        """One more attempt where ``watches`` said yes: how many different callers there were, ``most`` at most."""
        trial = self._trials.get(pair)
        if trial is None:
            return 0
        if len(trial.callers) < most:
            trial.callers.add(caller)
        return len(trial.callers)

"""Rotation: who was refused at whom not long ago, and under how many numbers it has tried to get there since.

Only refusals make an entry, so an account that is never refused costs nothing. The table is bounded and in the order of
the latest refusal: what is over goes first, and at the bound what was refused longest ago. A caller is a fingerprint of
the numbers it shows, for a refused request may show hundreds.
"""

Pair = tuple[str, str]  # an account and a called number


class _Trial:
    __slots__ = ("callers", "until")

    def __init__(self, caller: int) -> None:
        self.until = 0.0
        self.callers = {caller}


class RotationWatch:
    """The pairs of account and called number with a refusal. ``now`` is monotonic seconds."""

    __slots__ = ("_trials", "capacity")

    def __init__(self, capacity: int = 10_000) -> None:
        self.capacity = capacity
        self._trials: dict[Pair, _Trial] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def refused(self, pair: Pair, caller: int, now: float, window: float) -> None:
        """A call was refused; for ``window`` seconds other callers of the account are counted there."""
        trials = self._trials
        trial = trials.pop(pair, None)  # to the end
        if trial is None or trial.until <= now:
            trial = _Trial(caller)
        trial.until = now + window
        while trials:
            oldest = next(iter(trials))
            if len(trials) < self.capacity and trials[oldest].until > now:
                break
            del trials[oldest]
        trials[pair] = trial

    def watches(self, pair: Pair, now: float) -> bool:
        """Whether there was a refusal not long ago."""
        trial = self._trials.get(pair)
        return trial is not None and now < trial.until

    def tried(self, pair: Pair, caller: int, most: int) -> int:
        """One more attempt where ``watches`` said yes: how many different callers there were, ``most`` at most."""
        callers = self._trials[pair].callers
        if len(callers) < most:
            callers.add(caller)
        return len(callers)

"""The order in which a call tries its targets: trunk by trunk, by priority, shared by weight, the sick ones last.

Targets of one priority take turns: each gains its weight per call, the one that has most is first and pays what all
gained (smooth weighted round-robin). So every target gets its share, evenly spread, without drawing lots.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sipguard.policy.need import Server
from sipguard.policy.trunk import Trunk
from sipguard.proxy.branch import Attempt
from sipguard.proxy.health import Health


class _Plan:
    """The attempts at one trunk, group by group of one priority; those without are one group that is an order.

    ``gained`` is how much the targets that take turns have gained, by their place in ``attempts``; None where there are
    none such.
    """

    __slots__ = ("attempts", "gained", "groups", "trunk")

    def __init__(self, trunk: Trunk) -> None:
        self.trunk = trunk
        self.attempts = [Attempt((trunk, target), target.place, target.names) for target in trunk.targets]
        places = range(len(trunk.targets))
        self.groups = [list(group) for _, group in groupby(places, lambda place: trunk.targets[place].priority)]
        priorities = [target.priority for target in trunk.targets if target.priority is not None]
        self.gained = [0] * len(places) if len(set(priorities)) < len(priorities) else None


class Dispatch:
    """Arranges attempts."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._plans: dict[str, _Plan] = {}  # by trunk name

    def attempts(self, trunks: Sequence[Trunk], now: float) -> list[Attempt]:
        """Every target of every trunk, in the order to try them."""
        found: list[Attempt] = []
        for trunk in trunks:
            plan = self._plans.get(trunk.name)
            if plan is None or plan.trunk is not trunk:
                plan = self._plans[trunk.name] = _Plan(trunk)
            found += plan.attempts if plan.gained is None else self._taking_turns(plan, plan.gained)
        if not self._health.troubled:
            return found
        well, sick = self.sorted_out(found, now)
        return well + sick

    def sorted_out(self, attempts: Iterable[Attempt], now: float) -> tuple[list[Attempt], list[Attempt]]:
        """The attempts at what is well, and those that come last."""
        well: list[Attempt] = []
        sick: list[Attempt] = []
        for attempt in attempts:
            (well if self._health.is_well(attempt.place, now) else sick).append(attempt)
        return well, sick

    def _taking_turns(self, plan: _Plan, gained: list[int]) -> list[Attempt]:
        """One turn in every group. A target that is down takes none, so that its share falls to all others."""
        ordered: list[Attempt] = []
        for group in plan.groups:
            if len(group) > 1 and plan.trunk.targets[group[0]].priority is not None:
                group = self._one_turn(group, plan, gained)
            ordered += [plan.attempts[place] for place in group]
        return ordered

    def _one_turn(self, group: list[int], plan: _Plan, gained: list[int]) -> list[int]:
        up = [place for place in group if self._is_up(plan.attempts[place])]
        weights = {place: plan.trunk.targets[place].weight for place in up}
        for place, weight in weights.items():
            gained[place] += weight
        ordered = sorted(up, key=lambda place: -gained[place])
        if ordered:
            gained[ordered[0]] -= sum(weights.values())
        return ordered + [place for place in group if place not in up]

    def _is_up(self, attempt: Attempt) -> bool:
        return not isinstance(attempt.place, Server) or self._health.is_up(attempt.place)

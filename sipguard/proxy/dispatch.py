"""The order in which a call tries its targets: trunk by trunk, by priority, shared by weight, the sick ones last.

Targets of one priority take turns: each gains its weight per call, the one that has most is first and pays what all
gained (smooth weighted round-robin). So every target gets its share, evenly spread, without drawing lots.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sipguard.policy.directory import Target, Trunk
from sipguard.policy.need import Server
from sipguard.proxy.health import Health
from sipguard.proxy.response_context import Attempt


class _Sharing:
    """The targets of one trunk with a priority, group by group, and how much each has gained."""

    def __init__(self, trunk: Trunk) -> None:
        self.trunk = trunk
        self.groups = [list(group) for _, group in groupby(trunk.targets, lambda target: target.priority)]
        self.gained = dict.fromkeys(trunk.targets, 0)


class Dispatch:
    """Arranges attempts."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._sharing: dict[str, _Sharing] = {}  # by trunk name

    def attempts(self, trunks: Sequence[Trunk], now: float) -> list[Attempt]:
        """Every target of every trunk, in the order to try them."""
        found = []
        for trunk in trunks:
            targets = trunk.targets
            if targets and targets[0].priority is not None and len(targets) > 1:
                targets = self._shared(trunk)
            found += [Attempt((trunk, target), target.place, target.names) for target in targets]
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

    def _shared(self, trunk: Trunk) -> tuple[Target, ...]:
        sharing = self._sharing.get(trunk.name)
        if sharing is None or sharing.trunk is not trunk:
            sharing = self._sharing[trunk.name] = _Sharing(trunk)
        ordered: list[Target] = []
        for group in sharing.groups:
            if len(group) > 1 and group[0].priority is not None:
                group = self._taking_turns(group, sharing.gained)
            ordered += group
        return tuple(ordered)

    def _taking_turns(self, group: list[Target], gained: dict[Target, int]) -> list[Target]:
        """One turn. A target that is down takes none, so that its share falls to all others."""
        up = [target for target in group if not isinstance(target.place, Server) or self._health.is_up(target.place)]
        for target in up:
            gained[target] += target.weight
        ordered = sorted(up, key=lambda target: -gained[target])
        if ordered:
            gained[ordered[0]] -= sum(target.weight for target in up)
        return ordered + [target for target in group if target not in up]

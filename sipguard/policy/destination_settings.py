"""What the operator asks about where calls go: how many, how fast, for how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.heading import Headings, Risk
from sipguard.traffic.limit import UNLIMITED, CallLimit
from sipguard.traffic.missed_calls import MissedCallThresholds

HIGH_RISK = (
    "AC", "AZ", "BY", "CD", "CF", "CU", "DJ", "ER", "GM", "GN", "GW", "KM", "KP", "LR", "LT", "LV", "MG", "MV", "NR",
    "SH", "SL", "SO", "ST", "TD", "TL", "TN", "TO", "TV", "VU", "ZW",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many calls an account may make to one number in 15 minutes, and to one place in 5 and in 60; 0: no limit."""

    number: int = 0
    five_minutes: int = 0
    hour: int = 0

    @property
    def counts(self) -> bool:
        """Whether there is any limit."""
        return bool(self.number or self.five_minutes or self.hour)


@dataclass(frozen=True, slots=True)
class VelocitySettings:
    """``ceilings`` are everybody's by risk; those in ``accounts`` replace them for some, and for who is below them."""

    ceilings: Mapping[Risk, Ceiling] = field(default_factory=dict)
    accounts: Mapping[str, Mapping[Risk, Ceiling]] = field(default_factory=dict)
    counts: bool = field(init=False)  # whether there is any limit

    def __post_init__(self) -> None:
        every = [*self.ceilings.values(), *(own for account in self.accounts.values() for own in account.values())]
        object.__setattr__(self, "counts", any(ceiling.counts for ceiling in every))

    def ceiling(self, risk: Risk, path: Sequence[str]) -> Ceiling:
        """The limits of an account; ``path`` runs from the top of the tree down to it."""
        if self.accounts:
            for name in reversed(path):
                own = self.accounts.get(name, {}).get(risk)
                if own is not None:
                    return own
        return self.ceilings.get(risk, _NONE)


_NONE = Ceiling()


@dataclass(frozen=True, slots=True)
class DestinationLimit:
    """Limits on the calls to one place: of each account, and of all ``together``."""

    account: CallLimit = UNLIMITED
    together: CallLimit = UNLIMITED


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """``max_duration`` is by destination, in seconds from the answer."""

    headings: Headings = field(default_factory=Headings)
    velocity: VelocitySettings = field(default_factory=VelocitySettings)
    wangiri: MissedCallThresholds = field(default_factory=MissedCallThresholds)
    max_duration: DestinationTable[float] = field(default_factory=DestinationTable)

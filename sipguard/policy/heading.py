"""Where a call goes, as its velocity is counted: a high-risk prefix, or else a country, and how risky that is."""

from dataclasses import dataclass, field
from enum import StrEnum

from sipguard.policy.countries import country_of, home
from sipguard.policy.destination_table import DestinationTable
from sipguard.stir.telephone_number import TN

_COUNTRY_DIGITS = 4  # that tell a country
_REMEMBERED = 4096


class Risk(StrEnum):
    """How much a destination invites fraud."""

    HOME = "home"
    ABROAD = "abroad"
    HIGH = "high-risk"


@dataclass(frozen=True, slots=True)
class Heading:
    """Where a call goes: a high-risk prefix, or a country."""

    place: str
    risk: Risk

    def trail(self) -> tuple[str, str]:
        """What the trail shows after the stage name."""
        return (self.place, self.risk.value)


@dataclass(frozen=True, slots=True)
class Headings:
    """Finds the heading of numbers by their first digits; ``high_risk`` holds prefixes and countries."""

    high_risk: DestinationTable[bool] = field(default_factory=DestinationTable)
    _digits: int = field(init=False, compare=False, repr=False)
    _known: dict[tuple[str, str], Heading] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """See how many digits matter."""
        object.__setattr__(self, "_digits", max(_COUNTRY_DIGITS, self.high_risk.longest))

    def of(self, tn: TN, country: str) -> Heading:
        """Where this number is for callers at home in this country."""
        start = (tn[: self._digits], country)
        found = self._known.get(start)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[start] = self._find(tn, country)
        return found

    def _find(self, tn: TN, country: str) -> Heading:
        prefix = self.high_risk.prefix_of(tn)
        if prefix is not None:
            return Heading(prefix, Risk.HIGH)
        there = country_of(tn)
        if there in home(country):
            return Heading(there or "", Risk.HOME)
        return Heading(there or "no country", Risk.HIGH if there in self.high_risk.values else Risk.ABROAD)

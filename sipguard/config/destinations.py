"""``[policy.destinations]``: what customers may call, how often they may call there, and for how long.

What the figures mean is said in ``sipguard.policy.destination_settings``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field

from sipguard.config.destination import Destination
from sipguard.config.dial_plan import dial_plan
from sipguard.config.section import Section
from sipguard.policy.countries import ANYWHERE
from sipguard.policy.destination_settings import HIGH_RISK, Ceiling, DestinationSettings, VelocitySettings
from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.heading import Headings, Risk
from sipguard.policy.premium_numbers import PREMIUM
from sipguard.traffic.missed_calls import MissedCallThresholds

Number = Annotated[int, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(ge=1, le=86_400)]


def _country(text: str) -> str:
    return text if text == ANYWHERE else dial_plan(text).country


class CeilingSection(Section):
    """Calls to one number in 15 minutes, and to one country or high-risk prefix in 5 and in 60; 0: no limit."""

    number: Number = 0
    five_minutes: Number = 0
    hour: Number = 0

    def ceiling(self) -> Ceiling:
        """As stages read it."""
        return Ceiling(self.number, self.five_minutes, self.hour)


class HomeSection(CeilingSection):
    """In the country of the trunk."""

    number: Number = 50


class AbroadSection(CeilingSection):
    """In each other country."""

    number: Number = 20
    five_minutes: Number = 100
    hour: Number = 600


class HighRiskSection(CeilingSection):
    """At each entry of ``high_risk`` and in each premium range."""

    number: Number = 5
    five_minutes: Number = 10
    hour: Number = 30


class OwnCeilingSection(Section):
    """An account's own figures; one that is left out is everybody's."""

    number: Number | None = None
    five_minutes: Number | None = None
    hour: Number | None = None

    def ceiling(self, everybodys: Ceiling) -> Ceiling:
        """As stages read it."""
        return replace(everybodys, **self.model_dump(exclude_none=True))


class AccountVelocitySection(Section):
    """The figures of one account, and of those below it that have none of their own."""

    home: OwnCeilingSection | None = None
    abroad: OwnCeilingSection | None = None
    high_risk: OwnCeilingSection | None = None

    def ceilings(self, everybodys: Mapping[Risk, Ceiling]) -> dict[Risk, Ceiling]:
        """Those that are given."""
        sections = {Risk.HOME: self.home, Risk.ABROAD: self.abroad, Risk.HIGH: self.high_risk}
        return {risk: section.ceiling(everybodys[risk]) for risk, section in sections.items() if section is not None}


class VelocitySection(Section):
    """``[policy.destinations.velocity]``: the limits of every account, and those of some."""

    home: HomeSection = HomeSection()
    abroad: AbroadSection = AbroadSection()
    high_risk: HighRiskSection = HighRiskSection()
    accounts: Mapping[str, AccountVelocitySection] = Field(default_factory=dict)

    def settings(self) -> VelocitySettings:
        """As stages read it."""
        everybodys = {
            Risk.HOME: self.home.ceiling(), Risk.ABROAD: self.abroad.ceiling(), Risk.HIGH: self.high_risk.ceiling(),
        }  # fmt: skip
        return VelocitySettings(everybodys, {name: own.ceilings(everybodys) for name, own in self.accounts.items()})


class WangiriSection(Section):
    """``[policy.destinations.wangiri]``: when calls that ring for an instant are too many; ``calls`` 0: never."""

    ring: float = Field(default=2.0, gt=0, le=30)
    calls: Number = 20
    share: float = Field(default=0.5, ge=0, le=1)
    callees: int = Field(default=15, ge=1, le=1000)

    def thresholds(self) -> MissedCallThresholds:
        """As stages read them."""
        return MissedCallThresholds(self.ring, self.calls, self.share, self.callees)


class DestinationsSection(Section):
    """``[policy.destinations]``: what customers may call. Accounts may name countries of their own."""

    countries: tuple[Annotated[str, AfterValidator(_country)], ...] = ()
    premium: tuple[Annotated[str, Field(pattern=r"^\+[0-9]{1,14}$")], ...] = ()
    high_risk: tuple[Destination, ...] = HIGH_RISK
    velocity: VelocitySection = VelocitySection()
    wangiri: WangiriSection = WangiriSection()
    max_duration: Mapping[Destination, Seconds] = Field(default_factory=dict)
    remembered: int = Field(default=100_000, ge=1000, le=10_000_000)

    def settings(self) -> DestinationSettings:
        """As stages read them."""
        premium = (f"+{prefix.removeprefix('+')}" for prefix in (*PREMIUM, *self.premium))
        return DestinationSettings(
            headings=Headings(DestinationTable(dict.fromkeys((*premium, *self.high_risk), True))),
            velocity=self.velocity.settings(),
            wangiri=self.wangiri.thresholds(),
            max_duration=DestinationTable(self.max_duration),
        )

"""``[policy.destinations]``: what customers may call, how often they may call there, and for how long.

What the figures mean is said in ``sipguard.policy.destination_settings``.
"""

from collections.abc import Mapping
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


class AccountVelocitySection(Section):
    """What is left out is as for everybody."""

    home: CeilingSection | None = None
    abroad: CeilingSection | None = None
    high_risk: CeilingSection | None = None

    def ceilings(self) -> dict[Risk, Ceiling]:
        """Those that are given."""
        sections = {Risk.HOME: self.home, Risk.ABROAD: self.abroad, Risk.HIGH: self.high_risk}
        return {risk: section.ceiling() for risk, section in sections.items() if section is not None}


class VelocitySection(AccountVelocitySection):
    """``[policy.destinations.velocity]``: the limits of every account, and those of some."""

    home: CeilingSection = CeilingSection(number=50)
    abroad: CeilingSection = CeilingSection(number=20, five_minutes=100, hour=600)
    high_risk: CeilingSection = CeilingSection(number=5, five_minutes=10, hour=30)
    accounts: Mapping[str, AccountVelocitySection] = Field(default_factory=dict)

    def settings(self) -> VelocitySettings:
        """As stages read it."""
        own = {name: section.ceilings() for name, section in self.accounts.items()}
        return VelocitySettings(self.ceilings(), own)


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

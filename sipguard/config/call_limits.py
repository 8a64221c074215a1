"""``[limits.calls]``: how many calls a second and at a time are let in, from whom and to where; 0 is no limit."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from sipguard.config.destination import Destination
from sipguard.config.section import Section
from sipguard.policy.destination_settings import DestinationLimit
from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.settings import CallLimits
from sipguard.traffic.hugging import HuggingSettings
from sipguard.traffic.limit import CallLimit

Rate = Annotated[float, Field(ge=0, le=100_000)]
Number = Annotated[int, Field(ge=0, le=10_000_000)]


class RateSection(Section):
    """A rate: calls a second, and how many may come at once; 0: as many as in a second."""

    rate: Rate = 0.0
    burst: Number = 0

    def limit(self) -> CallLimit:
        """As stages read it."""
        return CallLimit(self.rate, self.burst)


class LimitSection(RateSection):
    """A rate, and how many calls may be up at the same time."""

    concurrent: Number = 0

    def limit(self) -> CallLimit:
        """As stages read it."""
        return CallLimit(self.rate, self.burst, self.concurrent)


class CapSection(LimitSection):
    """A limit that is there unless it is taken away."""

    rate: Rate = 1.0
    concurrent: Number = 10


class ThrottleSection(LimitSection):
    """How fast, and how many at a time, calls go on that a rule in mode throttle matched."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.rate and not self.concurrent:
            raise ValueError("limits nothing: a throttle needs a rate, or a number of calls at a time (concurrent)")
        return self


class CommonThrottleSection(CapSection, ThrottleSection):
    """The throttle of rules that have none of their own."""


class DestinationLimitSection(LimitSection):
    """The limit of each account on calls to one place; ``together`` is that of all accounts."""

    together: LimitSection = LimitSection()


class HuggingSection(Section):
    """When an account counts as keeping just below its limits; 0 windows: it never does."""

    share: float = Field(default=0.9, ge=0.5, le=1)
    window: float = Field(default=60.0, ge=10, le=3600)
    windows: int = Field(default=10, ge=0, le=1000)

    def settings(self) -> HuggingSettings:
        """As stages read it."""
        return HuggingSettings(**self.model_dump())


class CallLimitsSection(Section):
    """The limits of everybody; ``accounts`` are those of some, and a trunk may have its own.

    ``destinations`` are by prefix or country.
    """

    source: RateSection = RateSection()
    trunk: LimitSection = LimitSection()
    account: LimitSection = LimitSection()
    number: LimitSection = LimitSection()
    egress: LimitSection = LimitSection()
    throttle: CommonThrottleSection = CommonThrottleSection()
    restricted: CapSection = CapSection()
    accounts: Mapping[str, LimitSection] = Field(default_factory=dict)
    destinations: Mapping[Destination, DestinationLimitSection] = Field(default_factory=dict)
    hugging: HuggingSection = HuggingSection()
    remembered: int = Field(default=100_000, ge=1000, le=10_000_000)

    def limits(self) -> CallLimits:
        """As stages read them."""
        return CallLimits(
            source=self.source.limit(),
            trunk=self.trunk.limit(),
            account=self.account.limit(),
            number=self.number.limit(),
            egress=self.egress.limit(),
            throttle=self.throttle.limit(),
            restricted=self.restricted.limit(),
            hugging=self.hugging.settings(),
            accounts={name: section.limit() for name, section in self.accounts.items()},
            destinations=DestinationTable(
                {
                    place: DestinationLimit(section.limit(), section.together.limit())
                    for place, section in self.destinations.items()
                }
            ),
        )

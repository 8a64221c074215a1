"""``[policy.hours]`` and ``[policy.repeated]``: when, and how often, people may be called by who sells."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from sipguard.config.destination import CalledCountry
from sipguard.config.section import Section
from sipguard.policy.calling_hours import CallingHours
from sipguard.policy.repeated_calls import RepeatedCalls

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Whose = Literal["selling", "all"]


def _time(text: str) -> str:
    if _TIME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a time of day like 08:00')
    return text


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


Time = Annotated[str, AfterValidator(_time)]


class HoursSection(Section):
    """The local hours of the called number."""

    opens: Time = "08:00"
    closes: Time = "21:00"
    days: tuple[Day, ...] = Field(default=_WEEK, min_length=1)
    countries: tuple[CalledCountry, ...] = ()
    accounts: Whose = "selling"

    @model_validator(mode="after")
    def _in_order(self) -> "HoursSection":
        if _minutes(self.opens) >= _minutes(self.closes):
            raise ValueError(f"closes at {self.closes}, which is not after {self.opens} when it opens")
        return self

    def hours(self) -> CallingHours:
        """As stages read it."""
        return CallingHours(
            _minutes(self.opens),
            _minutes(self.closes),
            frozenset(_WEEK.index(day) for day in self.days),
            self.countries,
            self.accounts == "all",
        )


class RepeatedSection(Section):
    """How often one number may be called."""

    calls: int = Field(default=3, ge=1, le=100)
    window: float = Field(default=86_400.0, ge=60, le=2_592_000)
    accounts: Whose = "selling"
    remembered: int = Field(default=100_000, ge=1000, le=10_000_000)

    def repeated(self) -> RepeatedCalls:
        """As stages read it."""
        return RepeatedCalls(self.calls, self.window, self.accounts == "all")

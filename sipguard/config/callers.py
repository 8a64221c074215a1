"""``[policy.callers]``: what is known of callers' numbers beside the numbering plans."""

from typing import Annotated

from pydantic import Field

from sipguard.config.numbering import numbering_plans
from sipguard.config.section import Section
from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.emergency_numbers import Overrides
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.settings import RotationSettings

Prefix = Annotated[str, Field(pattern=r"^\+[0-9]{1,14}$")]


class RotationSection(Section):
    """Other caller numbers right after a refusal; ``remembered`` bounds the pairs of account and callee."""

    window: float = Field(default=60.0, ge=0, le=3600)
    callers: int = Field(default=3, ge=2, le=100)
    remembered: int = Field(default=10_000, ge=100, le=1_000_000)

    def settings(self) -> RotationSettings:
        """As the chain reads it."""
        return RotationSettings(self.window, self.callers)


class CallersSection(Section):
    """``allocated``: prefixes in use that the plans do not know yet."""

    allocated: tuple[Prefix, ...] = ()
    rotation: RotationSection = RotationSection()

    def numbers(self, premium: PremiumNumbers, emergency: Overrides) -> CallerNumbers:
        """As stages read it."""
        allocated = (prefix.removeprefix("+") for prefix in self.allocated)
        return CallerNumbers(numbering_plans(), allocated, premium, dict(emergency))

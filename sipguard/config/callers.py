"""``[policy.callers]``: what is known of callers' numbers beside the numbering plans."""

from typing import Annotated

from pydantic import Field

from sipguard.config.numbering import numbering_plans
from sipguard.config.section import Section
from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.emergency_numbers import Overrides
from sipguard.policy.premium_numbers import PremiumNumbers

Prefix = Annotated[str, Field(pattern=r"^\+[0-9]{1,14}$")]


class CallersSection(Section):
    """``allocated``: prefixes in use that the plans do not know yet."""

    allocated: tuple[Prefix, ...] = ()

    def numbers(self, premium: PremiumNumbers, emergency: Overrides) -> CallerNumbers:
        """As stages read it."""
        allocated = (prefix.removeprefix("+") for prefix in self.allocated)
        return CallerNumbers(numbering_plans(), allocated, premium, dict(emergency))

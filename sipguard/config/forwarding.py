"""``[policy.forwarding]``: how long a call that was delivered may be forwarded, and how often.

The keys are those of ``sipguard.policy.settings.ForwardingSettings``.
"""

from pydantic import Field

from sipguard.config.section import Section
from sipguard.policy.settings import ForwardingSettings


class ForwardingSection(Section):
    """What is remembered of calls delivered to trunks that may forward; which those are is their ``forwarding``."""

    window: float = Field(default=180.0, ge=1, le=10_800)
    forwards: int = Field(default=5, ge=1, le=100)
    remembered: int = Field(default=10_000, ge=100, le=1_000_000)

    def settings(self) -> ForwardingSettings:
        """As the policy reads it."""
        return ForwardingSettings(**self.model_dump())

"""``[scanners]``: when a source that nobody knows is taken for a scanner, and for how long it is banned.

The keys are those of ``sipguard.policy.settings.ScannerSettings``, which says what each of them means.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from sipguard.config.address import parse_source
from sipguard.config.section import Section
from sipguard.policy.emergency_numbers import EVERYWHERE, NUMBERS
from sipguard.policy.settings import TOOLS, ScannerSettings

Text = Annotated[str, Field(min_length=3, max_length=64)]
Seconds = Annotated[float, Field(ge=1, le=31 * 86_400)]
Threshold = Annotated[int, Field(ge=1, le=10_000)]


def _honeypot(user: str) -> str:
    """Nobody in distress may end in a trap."""
    if user in EVERYWHERE or any(user in numbers for numbers in NUMBERS.values()):
        raise ValueError(f"{user} is an emergency number somewhere")
    return user.lower()


class ScannersSection(Section):
    """Thresholds, lists and lengths of bans; what each rule does is its mode under ``[policy]``."""

    user_agents: tuple[Text, ...] = TOOLS
    honeypots: tuple[Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_honeypot)], ...] = ()
    window: Seconds = 60.0
    users: Threshold = 20
    digest_failures: Threshold = 20
    malformed: Threshold = 20
    malformed_share: float = Field(default=0.5, gt=0, le=1)
    bans: tuple[Seconds, ...] = (60.0, 300.0, 3600.0, 86_400.0)
    forget_after: Seconds = 86_400.0
    watched: int = Field(default=10_000, ge=100, le=1_000_000)
    banned: int = Field(default=10_000, ge=100, le=1_000_000)
    allow: tuple[Annotated[str, AfterValidator(parse_source)], ...] = ()
    ban_trunks: bool = False

    @field_validator("bans")
    @classmethod
    def _growing(cls, bans: tuple[float, ...]) -> tuple[float, ...]:
        if not bans or list(bans) != sorted(bans):
            raise ValueError("lists lengths of bans in seconds, at least one, each no shorter than the one before")
        return bans

    def settings(self) -> ScannerSettings:
        """As the proxy core reads it."""
        return ScannerSettings(**self.model_dump(exclude={"honeypots"}), honeypots=frozenset(self.honeypots))

"""``[policy.emergency.notify]``: who is told of emergency calls, and how hard we try."""

from pydantic import Field, ValidationInfo, field_validator

from sipguard.config.section import ConfiguredPath, Section
from sipguard.stir.x5u import X5uRules, locate, problem


def _rules(hosts: tuple[str, ...]) -> X5uRules:
    return X5uRules(allow_private_hosts=frozenset(host.lower().strip("[]") for host in hosts))


class NotifySection(Section):
    """Where notices go; without a URL nobody is told."""

    allow_private_hosts: tuple[str, ...] = ()
    url: str = ""
    https_ca: ConfiguredPath | None = None
    timeout: float = Field(default=5.0, gt=0, le=60)
    attempts: int = Field(default=5, ge=1, le=20)
    retry_delay: float = Field(default=1.0, gt=0, le=60)
    queue: int = Field(default=1000, ge=1, le=100_000)

    @field_validator("url")
    @classmethod
    def _https(cls, url: str, info: ValidationInfo) -> str:
        if not url:
            return url
        location = locate(url)
        refusal = location if isinstance(location, str) else problem(url, _rules(info.data["allow_private_hosts"]))
        if refusal is not None:
            raise ValueError(
                f"{refusal}; write it like https://alerts.example.com/sipguard, or see allow_private_hosts"
            )
        return url

    @property
    def rules(self) -> X5uRules:
        """Which hosts may be connected to."""
        return _rules(self.allow_private_hosts)

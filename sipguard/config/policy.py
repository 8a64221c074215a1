"""``[policy]``: rules and their modes, emergency calls, destinations, callers, and whom refused callers may turn to."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from sipguard.config.callers import CallersSection
from sipguard.config.consent import HoursSection, RepeatedSection
from sipguard.config.destinations import DestinationsSection
from sipguard.config.forwarding import ForwardingSection
from sipguard.config.notify import NotifySection
from sipguard.config.rule import RuleSection
from sipguard.config.section import Section
from sipguard.config.suggestion import suggestion
from sipguard.config.trunk import Country
from sipguard.policy.protected_names import appearance
from sipguard.policy.rules import RULES
from sipguard.policy.unprovisioned import Unprovisioned

_SHORTEST_NAME = 4


def _rule(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"no rule has this name{suggestion(name, RULES)}")
    return name


def _name_to_protect(name: str) -> str:
    if len(appearance(name)) < _SHORTEST_NAME:
        raise ValueError(f'"{name}" is too short a name to look for; write at least {_SHORTEST_NAME} letters')
    return name


RuleName = Annotated[str, AfterValidator(_rule)]


class EmergencySection(Section):
    """``[policy.emergency]``."""

    unprovisioned: Unprovisioned = Unprovisioned.REJECT
    unprovisioned_by_country: Mapping[Country, Unprovisioned] = Field(default_factory=dict)
    callback_window: float = Field(default=1800.0, ge=0, le=86_400)
    notify: NotifySection = NotifySection()
    location_url: str = Field(
        default="", max_length=512, pattern=r"^((https|sips?|pres):[!#-;=?-~]*\{number\}[!#-;=?-~]*)?$"
    )
    location_when: Literal["missing", "always"] = "missing"
    callback_numbers: int = Field(default=10_000, ge=1, le=1_000_000)
    numbers: Mapping[Country, tuple[Annotated[str, Field(pattern=r"^[0-9]{2,6}$")], ...]] = Field(default_factory=dict)


class RedressSection(Section):
    """``[policy.redress]``: whom a caller blocked by analytics may turn to (ATIS-1000099)."""

    url: str = Field(default="", max_length=256, pattern=r"^[!#-~]*$")  # neither a space nor a quote
    telephone: str = Field(default="", pattern=r"^(\+[0-9]{4,15})?$")


class PolicySection(Section):
    """``[policy]``."""

    revision: str = Field(default="unversioned", min_length=1, max_length=64)
    rules: Mapping[RuleName, RuleSection] = Field(default_factory=dict)
    precedence: tuple[Literal["p-asserted-identity", "p-preferred-identity", "remote-party-id", "from"], ...] = (
        "p-asserted-identity",
        "p-preferred-identity",
        "remote-party-id",
        "from",
    )
    protected_names: tuple[Annotated[str, AfterValidator(_name_to_protect)], ...] = ()
    suspended_calls: Literal["continue", "end"] = "continue"
    emergency: EmergencySection = EmergencySection()
    destinations: DestinationsSection = DestinationsSection()
    callers: CallersSection = CallersSection()
    hours: HoursSection = HoursSection()
    repeated: RepeatedSection = RepeatedSection()
    forwarding: ForwardingSection = ForwardingSection()
    redress: RedressSection = RedressSection()

    @field_validator("precedence")
    @classmethod
    def _once_each(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if not fields or len(set(fields)) != len(fields):
            raise ValueError("names each header field at most once, and at least one")
        return fields

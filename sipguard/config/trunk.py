"""A trunk as the operator writes it, in the configuration file or (same rules) in the registry."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal

import phonenumbers
from pydantic import AfterValidator, Field, field_validator

from sipguard.config.address import is_address, is_host_name, parse_source, parse_target
from sipguard.config.call_limits import LimitSection
from sipguard.config.dial_plan import dial_plan
from sipguard.config.section import Authorities, ConfiguredPath, Section
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.trunk import OnMismatch, Side, Target, TrafficClass, Trunk
from sipguard.stir.telephone_number import TN

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
DEFAULT_CERTIFICATE = "default"
Consequence = Literal["tag", "reject"]


def _target(text: str) -> str:
    parse_target(text)
    return text


def _country(text: str) -> str:
    return dial_plan(text).country


def _domain(text: str) -> str:
    if not is_host_name(text):
        raise ValueError(f'"{text}" is not a domain name as certificates have it')
    return text.lower().rstrip(".")


DomainName = Annotated[str, AfterValidator(_domain)]
Country = Annotated[str, AfterValidator(_country)]
Source = Annotated[str, AfterValidator(parse_source)]
TargetUri = Annotated[str, AfterValidator(_target)]


class TrunkSection(Section):
    """One ``[[trunk]]``: a SIP neighbour."""

    name: Name
    side: Side
    account: str | None = None
    sources: tuple[Source, ...] = ()
    targets: tuple[TargetUri, ...] = ()
    classes: frozenset[TrafficClass] = frozenset((TrafficClass.CONVERSATIONAL,))
    trusted: bool = False
    on_mismatch: OnMismatch = OnMismatch.REJECT
    default_number: str | None = None
    forwarding: Forwarding = Forwarding.REFUSE
    country: Country = "US"
    on_failure: Consequence | None = None
    on_unavailable: Consequence | None = None
    require_identity: bool | None = None
    certificate: str = DEFAULT_CERTIFICATE
    gateway: bool = False
    overload_control: bool = False
    udp_only: bool = False
    behind_nat: bool = False
    probe: bool = True
    response_timeout: float = Field(default=0.0, ge=0, le=32)
    ring_timeout: float = Field(default=0.0, ge=0, le=3600)
    follow_redirects: bool = False
    tls_names: tuple[DomainName, ...] = ()
    tls_ca: Authorities | None = None
    digest: bool = False
    username: Annotated[str, Field(pattern=r"^[^\"\\\x00-\x1f\x7f]{1,128}$")] | None = None
    password_file: ConfiguredPath | None = None
    realm: Annotated[str, Field(pattern=r"^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$")] | None = None

    limit: LimitSection | None = None
    egress_limit: LimitSection | None = None

    @field_validator("default_number")
    @classmethod
    def _international(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            raise ValueError(f'"{text}" is not a number like +14155550100') from None
        if not phonenumbers.is_possible_number(number):
            raise ValueError(f'"{text}" is too long or too short to be a number')
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def trunk(self) -> Trunk:
        """The trunk the engine works with."""
        return Trunk(
            name=self.name,
            side=self.side,
            account=self.account,
            sources=self.sources,
            targets=_by_priority(self._identified(parse_target(uri)) for uri in self.targets),
            classes=self.classes,
            trusted=self.trusted,
            on_mismatch=self.on_mismatch,
            default_number=None if self.default_number is None else TN(self.default_number.lstrip("+")),
            forwarding=self.forwarding,
            dial_plan=dial_plan(self.country),
            on_failure=self.on_failure,
            on_unavailable=self.on_unavailable,
            require_identity=self.require_identity,
            certificate=self.certificate,
            gateway=self.gateway,
            overload_control=self.overload_control,
            udp_only=self.udp_only,
            behind_nat=self.behind_nat,
            probe=self.probe,
            response_timeout=self.response_timeout,
            ring_timeout=self.ring_timeout,
            follow_redirects=self.follow_redirects,
            tls_names=self.tls_names,
            tls_ca=self.tls_ca,
            digest=self.digest,
            username=self.username,
            password_file=None if self.password_file is None else str(self.password_file),
            realm=self.realm,
            limit=None if self.limit is None else self.limit.limit(),
            egress_limit=None if self.egress_limit is None else self.egress_limit.limit(),
        )

    def _identified(self, target: Target) -> Target:
        """Over TLS, who must be there: the host of the URI (RFC 5922 §7.3); at a mere address, who the trunk says."""
        return replace(target, names=self.tls_names) if _nameless(target) else target


def _by_priority(targets: Iterable[Target]) -> tuple[Target, ...]:
    """The lowest number first; those without one last, in turn."""
    last = 65_536
    return tuple(sorted(targets, key=lambda target: last if target.priority is None else target.priority))


def _targets(values: object) -> Iterator[Target]:
    """Those of the written targets that can be read."""
    for text in values if isinstance(values, list | tuple) else ():
        with contextlib.suppress(ValueError):
            yield parse_target(str(text))


def _nameless(target: Target) -> bool:
    """Whether a target is reached over TLS and does not say at whose name."""
    return target.transport == "tls" and is_address(target.host)


def trunk_problems(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What is wrong between the keys of one trunk, written but not necessarily valid: (key, sentence)."""
    side = values.get("side")
    names = values.get("tls_names")
    if side == "customer" and not values.get("sources") and not names and not values.get("digest"):
        yield "sources", "a customer trunk needs the addresses its calls come from, or tls_names, or digest = true"
    if side == "customer" and not values.get("account"):
        yield "account", "a customer trunk needs the account its calls belong to"
    if side == "network" and not values.get("targets") and not values.get("sources") and not names:
        yield "targets", "a network trunk needs targets to send to, sources or tls_names to receive from, or both"
    if side == "network" and values.get("gateway"):
        yield "gateway", "is for customer trunks: calls from the network side are verified, not signed"
    if side == "network" and values.get("digest"):
        yield "digest", "is for customer trunks: the network is not asked for credentials"
    if values.get("forwarding", "refuse") != "refuse" and (side == "network" or values.get("gateway")):
        yield "forwarding", "is for trunks of customers that call with their own numbers"
    if side == "customer" and values.get("follow_redirects"):
        yield "follow_redirects", "is for network trunks: a customer that forwards its calls makes new ones"
    yield from _carrier_problems(values)
    if values.get("on_mismatch") == "replace" and not values.get("default_number"):
        yield "default_number", 'is required by on_mismatch = "replace"'
    if 0 < _number(values, "ring_timeout") <= _number(values, "response_timeout"):
        yield "ring_timeout", "should exceed response_timeout: a target says something before it rings"
    if not names and any(_nameless(target) for target in _targets(values.get("targets"))):
        yield "tls_names", "is required by a TLS target that is an address: nobody could tell who is there"


def _number(values: Mapping[str, object], key: str) -> float:
    """A value if it is a number, which its own section checks."""
    value = values.get(key)
    return value if isinstance(value, int | float) else 0.0


def _carrier_problems(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What is wrong with the credentials for a carrier."""
    username, file = values.get("username"), values.get("password_file")
    if values.get("side") == "customer" and (username or file or values.get("realm")):
        yield "username", "is for network trunks; customers are asked by digest = true"
    elif username and not file:
        yield "password_file", "is required by username"
    elif not username and (file or values.get("realm")):
        yield "username", "is required by password_file and realm"

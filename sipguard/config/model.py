"""The sections of ``sipguard.toml``; the whole of it is ``Configuration``. Times are seconds, sizes octets.

Every key has a default or is required. ``sipguard.toml`` at the root of the project shows and explains each of them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sipguard.config.address import SocketAddress, parse_socket_address
from sipguard.config.call_limits import CallLimitsSection
from sipguard.config.callers import CallersSection
from sipguard.config.consent import HoursSection, RepeatedSection
from sipguard.config.destinations import DestinationsSection
from sipguard.config.digest import DigestSection
from sipguard.config.forwarding import ForwardingSection
from sipguard.config.notify import NotifySection
from sipguard.config.pkcs11_uri import KeyPlace
from sipguard.config.robodial import RobodialSection
from sipguard.config.rule import RuleSection
from sipguard.config.scanners import ScannersSection
from sipguard.config.section import Authorities, ConfiguredPath, Section, resolve
from sipguard.config.suggestion import suggestion
from sipguard.config.trunk import Consequence, Country, Name, TrunkSection
from sipguard.policy.protected_names import appearance
from sipguard.policy.rules import RULES
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.proxy.overload import OverloadSettings
from sipguard.sip.uri import default_port
from sipguard.stir.authentication import SERIAL
from sipguard.stir.x5u import locate

_ORIGIN = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9.-]+(:[0-9]{1,5})?|[A-Za-z][A-Za-z0-9+.-]*://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?"
)
DNS_PORT = 53
_SHORTEST_NAME = 4
TIMER_C = 181.0
IDLE_TIMEOUT = 300.0


def _admin(text: str) -> str:
    return str(parse_socket_address(text))


def _name_server(text: str) -> str:
    return str(parse_socket_address(text, DNS_PORT))


def _origin(text: str) -> str:
    """A web origin as browsers write it (RFC 6454 §6.1)."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f'"{text}" is not an origin like https://phone.example.com')
    return text.lower()


def _rule(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"no rule has this name{suggestion(name, RULES)}")
    return name


def _name_to_protect(name: str) -> str:
    if len(appearance(name)) < _SHORTEST_NAME:
        raise ValueError(f'"{name}" is too short a name to look for; write at least {_SHORTEST_NAME} letters')
    return name


RuleName = Annotated[str, AfterValidator(_rule)]


class NodeSection(Section):
    """``[node]``: this proxy."""

    name: Name
    state: ConfiguredPath = Field(default=Path("var"), validate_default=True)


class ListenerSection(Section):
    """One ``[[listener]]``: an address calls arrive on."""

    transport: Literal["udp", "tcp", "tls", "ws", "wss"]
    bind: str
    advertise: str | None = None
    certificate: ConfiguredPath | None = None
    key: ConfiguredPath | None = None
    client_ca: ConfiguredPath | None = None
    transport_parameter: bool = False
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()

    @field_validator("bind")
    @classmethod
    def _bound(cls, text: str, info: ValidationInfo) -> str:
        return str(parse_socket_address(text, default_port(info.data.get("transport"))))

    @field_validator("advertise")
    @classmethod
    def _reachable(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        address = parse_socket_address(text, default_port(info.data.get("transport")), names=True)
        if address.wildcard:
            raise ValueError(f'others cannot reach "{text}"')
        return str(address)

    @property
    def address(self) -> SocketAddress:
        """The address to bind."""
        return parse_socket_address(self.bind)

    @property
    def advertised(self) -> SocketAddress:
        """The address Via and Record-Route say."""
        return self.address if self.advertise is None else parse_socket_address(self.advertise, names=True)


class TlsSection(Section):
    """``[tls]``: TLS towards neighbours, and what a handshake may take."""

    ca: Authorities | None = None
    handshake_timeout: float = Field(default=5.0, gt=0, le=60)
    max_handshakes: int = Field(default=100, ge=1, le=10_000)


class RegistrySection(Section):
    """``[registry]``: where accounts and numbers are. Without a URL: ``registry.db`` in the state directory."""

    url: str | None = None
    poll_interval: float = Field(default=0.5, ge=0.05, le=60)
    stale_after: float = Field(default=86_400.0, ge=1, le=2_592_000)
    on_stale: Literal["continue", "refuse"] = "continue"

    @field_validator("url")
    @classmethod
    def _store(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        if url.startswith("postgresql://"):
            return url
        prefix, separator, path = url.partition(":///")
        if prefix != "sqlite" or not separator or not path:
            raise ValueError("is neither sqlite:///var/registry.db nor postgresql://user@host/database")
        directory: Path = (info.context or {}).get("directory", Path())
        return f"sqlite:///{directory / path}"


class LedgerSection(Section):
    """``[ledger]``: how durable an attestation record is before its call leaves."""

    durability: Literal["process", "disk"] = "process"
    on_failure: Literal["hold", "continue"] = "hold"


class SigningCertificate(Section):
    """One ``[stir.sign.certificates.NAME]``, or one generation of several in ``[[stir.sign.certificates.NAME]]``."""

    certificate: ConfiguredPath
    key: KeyPlace
    url: str

    @property
    def key_file(self) -> Path | None:
        """The PEM file of the key; None when it is in a hardware module."""
        return self.key if isinstance(self.key, Path) else None

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        location = locate(url.replace(SERIAL, "0"))
        if isinstance(location, str):
            raise ValueError(f"{location}; write it like https://certificates.example/leaf.pem")
        return url


class SignSection(Section):
    """``[stir.sign]``: signing of calls that leave for the network."""

    outage: Literal["unsigned", "refuse"] = "unsigned"
    stale_date: Literal["redate", "unsigned", "refuse"] = "redate"
    origid: Literal["account", "call"] = "account"
    emergency_priority: str = Field(default="", pattern=r"^(esnet\.[0-4])?$")  # RFC 7135
    certificates: Mapping[Name, tuple[SigningCertificate, ...]] = Field(default_factory=dict)

    @field_validator("certificates", mode="before")
    @classmethod
    def _one_or_several(cls, certificates: object) -> object:
        """A single table is one generation."""
        if not isinstance(certificates, Mapping):
            return certificates
        return {name: [entry] if isinstance(entry, Mapping) else entry for name, entry in certificates.items()}


class VerifySection(Section):
    """``[stir.verify]``: verification of calls that arrive from the network."""

    anchors: ConfiguredPath | None = None
    window: int = Field(default=60, ge=1, le=3600)
    original_window: int = Field(default=60, ge=1, le=10_800)  # RFC 8946 §4.2: three hours at most
    priority_authorities: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    fetch_timeout: float = Field(default=2.0, gt=0, le=30)
    allow_private_hosts: tuple[str, ...] = ()
    https_ca: ConfiguredPath | None = None
    on_failure: Consequence = "tag"
    on_unavailable: Consequence = "tag"
    require: bool = False
    policy_administrator: ConfiguredPath | None = None
    crl: str | None = None
    revocation: Literal["soft", "hard"] = "soft"
    cache_capacity: int = Field(default=1000, ge=1, le=1_000_000)

    @field_validator("crl")
    @classmethod
    def _file_or_url(cls, crl: str | None, info: ValidationInfo) -> str | None:
        if crl is None or (crl.startswith("https://") and not isinstance(locate(crl), str)):
            return crl
        if "://" in crl or not crl:
            raise ValueError("is neither a file nor a URL like https://policy-administrator.example/crl")
        return str(resolve(Path(crl), info))


class StirSection(Section):
    """``[stir]``."""

    sign: SignSection = SignSection()
    verify: VerifySection = Field(default_factory=VerifySection)


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


class TimersSection(Section):
    """``[timers]``: RFC 3261 §17 and the proxy's Timer C."""

    t1: float = Field(default=0.5, gt=0, le=10)
    t2: float = Field(default=4.0, gt=0, le=60)
    t4: float = Field(default=5.0, gt=0, le=60)
    max_call_duration: float = Field(default=21_600.0, ge=60, le=2_592_000)
    timer_c: float = Field(default=TIMER_C, gt=180, le=3600)  # RFC 3261 §16.6 (11): larger than three minutes


class DnsSection(Section):
    """``[dns]``: who is asked for the servers of targets given by name; nobody named: the system's name servers."""

    servers: tuple[Annotated[str, AfterValidator(_name_server)], ...] = ()
    timeout: float = Field(default=2.0, gt=0, le=30)

    @property
    def addresses(self) -> tuple[SocketAddress, ...]:
        """The name servers."""
        return tuple(parse_socket_address(server) for server in self.servers)


class LimitsSection(Section):
    """``[limits]``: what one peer may make us hold."""

    max_message: int = Field(default=65535, ge=1300, le=1_048_576)
    max_datagram: int = Field(default=1300, ge=576, le=65535)
    max_connections: int = Field(default=1000, ge=1, le=100_000)
    max_per_address: int = Field(default=250, ge=1, le=100_000)
    max_unwritten: int = Field(default=1_048_576, ge=65_536, le=67_108_864)
    message_timeout: float = Field(default=20.0, gt=0, le=300)
    idle_timeout: float = Field(default=IDLE_TIMEOUT, ge=1, le=86_400)
    connect_timeout: float = Field(default=4.0, gt=0, le=60)
    ping_interval: float = Field(default=0.0, ge=0, le=86_400)
    pong_timeout: float = Field(default=10.0, gt=0, le=300)
    calls: CallLimitsSection = CallLimitsSection()


class HealthSection(Section):
    """``[health]``: when a target counts as down, and whether it is asked."""

    probe_interval: float = Field(default=0.0, ge=0, le=3600)
    down_after: int = Field(default=3, ge=1, le=100)
    up_after: int = Field(default=2, ge=1, le=100)
    retry_after: float = Field(default=30.0, ge=1, le=3600)


class OverloadSection(Section):
    """``[overload]``: when new calls are turned away, and what neighbours are told about it."""

    target: float = Field(default=0.05, ge=0.005, le=1)
    patience: float = Field(default=0.1, ge=0, le=5)
    interval: float = Field(default=0.02, ge=0.005, le=1)
    correction: float = Field(default=0.3, gt=0, le=10)
    damping: float = Field(default=2.0, ge=0, le=20)
    most_shed: float = Field(default=0.98, gt=0, le=1)
    calm: float = Field(default=2.0, ge=0, le=60)
    retry_after: int = Field(default=2, ge=0, le=60)
    validity: float = Field(default=0.5, ge=0.1, le=60)
    longest_validity: float = Field(default=60.0, ge=0.1, le=3600)
    priority_namespaces: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], ...] = ("esnet", "ets", "wps")
    remembered: int = Field(default=50_000, ge=1000, le=10_000_000)
    receive_buffer: int = Field(default=4_194_304, ge=65_536, le=268_435_456)

    def settings(self) -> OverloadSettings:
        """As the proxy core reads it."""
        values = self.model_dump(exclude={"receive_buffer", "priority_namespaces"})
        return OverloadSettings(**values, priority_namespaces=frozenset(self.priority_namespaces))


class AdminSection(Section):
    """``[admin]``: the health and metrics listener."""

    bind: Annotated[str, AfterValidator(_admin)] = "127.0.0.1:8080"

    @property
    def address(self) -> SocketAddress:
        """The address to bind."""
        return parse_socket_address(self.bind)


class LogSection(Section):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    mask_numbers: bool = False


class Configuration(Section):
    """The whole file."""

    node: NodeSection
    listener: tuple[ListenerSection, ...]
    tls: TlsSection = TlsSection()
    registry: RegistrySection = RegistrySection()
    ledger: LedgerSection = LedgerSection()
    trunk: tuple[TrunkSection, ...] = ()
    stir: StirSection = Field(default_factory=StirSection)
    policy: PolicySection = PolicySection()
    robodial: RobodialSection = RobodialSection()
    digest: DigestSection = DigestSection()
    scanners: ScannersSection = ScannersSection()
    timers: TimersSection = TimersSection()
    limits: LimitsSection = LimitsSection()
    dns: DnsSection = DnsSection()
    health: HealthSection = HealthSection()
    overload: OverloadSection = OverloadSection()
    admin: AdminSection = AdminSection()
    log: LogSection = LogSection()
    drain_timeout: float = Field(default=30.0, ge=0, le=3600)

    @property
    def realm(self) -> str:
        """Whose realm customers' credentials are for."""
        return self.digest.realm or self.node.name

    @property
    def registry_url(self) -> str:
        """The registry's database."""
        return self.registry.url or f"sqlite:///{self.node.state / 'registry.db'}"

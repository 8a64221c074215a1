"""The sections of ``sipguard.toml``; the whole of it is ``Configuration``. Times are seconds, sizes octets.

Every key has a default or is required. ``sipguard.toml`` at the root of the project shows and explains each of them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sipguard.config.address import SocketAddress, parse_socket_address
from sipguard.config.call_limits import CallLimitsSection
from sipguard.config.digest import DigestSection
from sipguard.config.listener import ListenerSection
from sipguard.config.policy import PolicySection
from sipguard.config.robodial import RobodialSection
from sipguard.config.scanners import ScannersSection
from sipguard.config.section import Authorities, ConfiguredPath, Section
from sipguard.config.stir import StirSection
from sipguard.config.trunk import Name, TrunkSection
from sipguard.proxy.overload import OverloadSettings

DNS_PORT = 53


TIMER_C = 181.0


IDLE_TIMEOUT = 300.0


def _admin(text: str) -> str:
    return str(parse_socket_address(text))


def _name_server(text: str) -> str:
    return str(parse_socket_address(text, DNS_PORT))


class NodeSection(Section):
    """``[node]``: this proxy."""

    name: Name
    state: ConfiguredPath = Field(default=Path("var"), validate_default=True)


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

"""What can be seen of a running node from outside, as one value: for ``/healthz`` and ``/metrics``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sipguard.runtime.histogram import Histogram

LAGGING = 0.5  # seconds the loop may be late before the node calls itself degraded


class Status(StrEnum):
    """``ok``; ``degraded``: something is amiss; ``draining``: no new calls are taken, the process will end."""

    OK = "ok"
    DEGRADED = "degraded"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Vitals:
    """A snapshot; the histograms and mappings in it go on counting."""

    node: str
    uptime: float  # seconds
    draining: bool
    ledger_failure: str  # empty while the attestation log works
    ledger_holds: bool  # whether calls without a record are refused
    ledger_records: int
    ledger_lost: int
    lag: float  # seconds, the latest measurement
    reload_failure: str  # empty when the last reload succeeded, or there was none
    open_transactions: int
    active_calls: int
    parked: int
    connections: int
    certificate_fetches: int
    certificate_failures: int
    counters: Mapping[tuple[str, ...], int]
    alarms: Mapping[str, int]
    messages: Mapping[tuple[str, str], int]  # by transport and event
    receive_seconds: Histogram
    ledger_seconds: Histogram
    lag_seconds: Histogram
    shed: float = 0.0  # share of new calls that overload control turns away
    queueing: float = 0.0  # seconds messages waited before they were read, as overload control last saw it
    banned: int = 0  # sources
    registry_failure: str = ""  # empty while the registry can be read
    registry_age: float = 0.0  # seconds since it was read last
    targets_up: Mapping[tuple[str, str], bool] = field(default_factory=dict)  # by trunk and target URI
    tls_until: Mapping[str, int] = field(default_factory=dict)  # when the certificate of a TLS listener expires
    signing_until: Mapping[str, int] = field(default_factory=dict)  # when the last certificate of a name expires

    @property
    def reasons(self) -> list[str]:
        """What is amiss, in words for an operator."""
        reasons = []
        if self.draining:
            reasons.append("draining: no new calls are taken")
        if self.ledger_failure:
            reasons.append(self.ledger_failure)
        if self.lag > LAGGING:
            reasons.append(f"the event loop is {self.lag:.1f} s late")
        if self.shed:
            reasons.append(f"overload: {self.shed:.0%} of the new calls are turned away")
        if self.reload_failure:
            reasons.append(f"the last reload failed: {self.reload_failure}")
        if self.registry_failure:
            reasons.append(f"the registry cannot be read: {self.registry_failure}")
        return reasons

    @property
    def status(self) -> Status:
        """The one word."""
        if self.draining:
            return Status.DRAINING
        return Status.DEGRADED if self.reasons else Status.OK

    @property
    def takes_calls(self) -> bool:
        """Whether a balancer should send calls here."""
        return not (self.draining or (self.ledger_failure and self.ledger_holds))

"""What the proxy core is told once: its name, its waits, and what follows when the attestation log fails."""

from dataclasses import dataclass, field

from sipguard.proxy.overload import OverloadSettings
from sipguard.transaction.settings import TimerSettings


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Frozen settings of one engine; times in seconds.

    ``ledger_on_failure`` is ``hold`` (a call without a durable record is refused with 503) or ``continue`` (it goes on,
    with an alarm). ``record_route_secret`` keys the dialog token in our Record-Route URIs, so that a dialog outlives
    a restart but cannot be invented. A request of more than ``max_datagram`` octets goes to a UDP target over TCP.
    """

    node: str = "sipguard"
    need_timeout: float = 2.0
    ledger_on_failure: str = "hold"
    record_route_secret: bytes = b""
    max_datagram: int = 1300  # RFC 3261 §18.1.1
    probe_interval: float = 0.0  # seconds between two OPTIONS to a target; 0: none
    down_after: int = 3  # failures in a row
    up_after: int = 2  # answers in a row
    retry_after: float = 30.0  # until a call tries a target that is down at its own place
    max_call_duration: float = 6 * 3600.0  # a call without re-INVITE or UPDATE for so long lost its BYE
    overload: OverloadSettings = field(default_factory=OverloadSettings)
    timers: TimerSettings = field(default_factory=TimerSettings)

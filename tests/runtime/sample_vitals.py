"""Vitals of a healthy node, with whatever a test changes."""

from typing import Any

from sipguard.runtime.histogram import Histogram
from sipguard.runtime.vitals import Vitals

_HEALTHY: dict[str, Any] = {
    "node": "edge-1",
    "uptime": 12.3456,
    "draining": False,
    "ledger_failure": "",
    "ledger_holds": True,
    "ledger_records": 7,
    "ledger_lost": 0,
    "lag": 0.001,
    "reload_failure": "",
    "open_transactions": 3,
    "active_calls": 2,
    "parked": 1,
    "connections": 4,
    "certificate_fetches": 5,
    "certificate_failures": 1,
    "counters": {
        ("calls", "origination", "refused", "caller-id.not-owned", "403"): 2,
        ("alarms", "ledger"): 1,
        ("unknown", "x"): 9,
    },
    "alarms": {"bug": 1, "ledger": 2},
    "messages": {("udp", "received"): 10},
}


def sample_vitals(**changes: Any) -> Vitals:
    """Vitals of a healthy node but for ``changes``."""
    histograms = {name: Histogram((0.1, 1.0)) for name in ("receive_seconds", "ledger_seconds", "lag_seconds")}
    return Vitals(**{**_HEALTHY, **histograms, **changes})

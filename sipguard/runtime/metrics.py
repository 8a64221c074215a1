"""Prometheus: a collector that reads plain integers at scrape time, so that counting costs the hot path an addition.

Labels are words from fixed sets (directions, rules, codes, trunks): telephone numbers, addresses and names that a
caller chooses never become labels, so their number is bounded.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from sipguard.runtime.vitals import Vitals

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class _Labelled(NamedTuple):
    """A family of engine counters: its help text and what the parts of its keys mean."""

    text: str
    labels: tuple[str, ...]


_COUNTERS: Mapping[str, _Labelled] = {
    "calls": _Labelled("Calls decided.", ("direction", "verdict", "rule", "code")),
    "reported": _Labelled("Rules in report mode that would have acted.", ("direction", "rule")),
    "throttled": _Labelled("Calls that rules in mode throttle matched.", ("direction", "rule", "outcome")),
    "verified": _Labelled("Calls whose Identity was verified.", ("verstat", "reason")),
    "signed": _Labelled("Calls signed.", ("attest",)),
    "disputed": _Labelled("Signatures of ours that a verifier reported as failed (RFC 9410).", ("cause",)),
    "digest": _Labelled("Requests of customers that credentials were wanted for.", ("outcome",)),
    "malformed": _Labelled("Messages that are not usable SIP.", ("code",)),
    "shed": _Labelled("Calls turned away by overload control.", ("trunk",)),
    "bans": _Labelled("Sources that were banned.", ("rule",)),
    "banned_messages": _Labelled("Messages of banned sources that were dropped.", ()),
    "rejected": _Labelled("Requests refused before screening.", ("code",)),
    "alarms": _Labelled("Conditions an operator should look at.", ("alarm",)),
}


class EngineCollector(Collector):
    """Everything ``/metrics`` says about the proxy; ``vitals`` is asked at each scrape."""

    def __init__(self, vitals: Callable[[], Vitals]) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Family]:
        """The families, as prometheus_client wants them."""
        vitals = self._vitals()
        yield from _counters(vitals)
        yield from _gauges(vitals)
        for name, text, histogram in (
            ("sipguard_receive_seconds", "Engine time for one message.", vitals.receive_seconds),
            ("sipguard_ledger_append_seconds", "Time to append one batch of records.", vitals.ledger_seconds),
            ("sipguard_loop_lag_seconds", "How late the event loop is.", vitals.lag_seconds),
        ):
            family = HistogramMetricFamily(name, text)
            family.add_metric([], histogram.cumulative(), histogram.total)
            yield family

    def describe(self) -> Iterator[Family]:
        """Nothing: the registry need not collect to learn the names."""
        return iter(())


def build_registry(vitals: Callable[[], Vitals]) -> CollectorRegistry:
    """A registry of its own with the engine's metrics and the process's (CPU, memory, descriptors)."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(vitals))
    ProcessCollector(registry=registry)
    return registry


def _counters(vitals: Vitals) -> Iterator[Family]:
    counts = dict(vitals.counters)
    for name, number in vitals.alarms.items():
        alarm: tuple[str, ...] = ("alarms", name)
        counts[alarm] = counts.get(alarm, 0) + number
    for name, described in _COUNTERS.items():
        family = CounterMetricFamily(f"sipguard_{name}", described.text, labels=described.labels)
        for key, count in counts.items():
            if key[0] == name and len(key) == len(described.labels) + 1:
                family.add_metric(list(key[1:]), float(count))
        yield family
    datagrams = CounterMetricFamily("sipguard_messages", "Messages by transport.", labels=("transport", "event"))
    for (transport, event), number in vitals.messages.items():
        datagrams.add_metric([transport, event], float(number))
    yield datagrams
    for metric, text, number in (
        ("sipguard_ledger_records", "Attestation records appended.", vitals.ledger_records),
        ("sipguard_ledger_records_lost", "Attestation records that could not be kept.", vitals.ledger_lost),
        ("sipguard_certificate_fetches", "Certificate fetches begun.", vitals.certificate_fetches),
        ("sipguard_certificate_fetch_failures", "Certificate fetches that failed.", vitals.certificate_failures),
    ):
        yield CounterMetricFamily(metric, text, value=float(number))


def _gauges(vitals: Vitals) -> Iterator[Family]:
    targets = GaugeMetricFamily("sipguard_target_up", "1 while a target counts as up.", labels=("trunk", "target"))
    for labels, up in vitals.targets_up.items():
        targets.add_metric(labels, float(up))
    yield targets
    for name, text, number in (
        ("sipguard_open_transactions", "Transactions that have not ended.", vitals.open_transactions),
        ("sipguard_active_calls", "Calls between INVITE and BYE.", vitals.active_calls),
        ("sipguard_parked_requests", "Requests that wait for a fact.", vitals.parked),
        ("sipguard_connections", "Open connections: TCP, TLS and WebSocket.", vitals.connections),
        ("sipguard_ledger_up", "1 while the attestation log can be written.", 0 if vitals.ledger_failure else 1),
        ("sipguard_admitted_share", "Share of new calls that overload control lets in.", 1.0 - vitals.shed),
        ("sipguard_queueing_seconds", "How long messages wait to be read, while that is measured.", vitals.queueing),
        ("sipguard_registry_up", "1 while the registry can be read.", 0 if vitals.registry_failure else 1),
        ("sipguard_registry_age_seconds", "Seconds since the registry was last read.", vitals.registry_age),
        ("sipguard_banned_sources", "Sources that are banned now.", vitals.banned),
        ("sipguard_draining", "1 while new calls are turned away.", 1 if vitals.draining else 0),
    ):
        yield GaugeMetricFamily(name, text, value=float(number))
    for name, text, label, moments in (
        ("signing", "When the last signing certificate of a name expires.", "certificate", vitals.signing_until),
        ("tls", "When the certificate of a TLS listener expires.", "listener", vitals.tls_until),
    ):
        metric = f"sipguard_{name}_certificate_expiry_timestamp_seconds"
        expiry = GaugeMetricFamily(metric, text, labels=(label,))
        for value, moment in moments.items():
            expiry.add_metric([value], float(moment))
        yield expiry

"""What /metrics says."""

import re

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sipguard.runtime.histogram import Histogram
from sipguard.runtime.metrics import build_registry
from tests.runtime.sample_vitals import sample_vitals


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_engines_counters_become_labelled_metrics() -> None:
    """Calls by direction, verdict, rule and code; alarms of engine and runtime in one family."""
    text = generate_latest(build_registry(sample_vitals)).decode()
    found = values(text)
    labels = {"direction": "origination", "verdict": "refused", "rule": "caller-id.not-owned", "code": "403"}
    assert found["sipguard_calls_total", frozenset(labels.items())] == 2
    assert found["sipguard_alarms_total", frozenset({("alarm", "ledger")})] == 3
    assert found["sipguard_alarms_total", frozenset({("alarm", "bug")})] == 1
    assert found["sipguard_messages_total", frozenset({("transport", "udp"), ("event", "received")})] == 10
    assert found["sipguard_ledger_up", frozenset()] == 1
    assert "unknown" not in text


def test_latency_and_processor_time_are_there() -> None:
    """Histograms with count and sum, and the process's own CPU seconds."""
    histogram = Histogram((0.1, 1.0))
    histogram.observe(0.5)
    text = generate_latest(build_registry(lambda: sample_vitals(receive_seconds=histogram))).decode()
    found = values(text)
    assert found["sipguard_receive_seconds_bucket", frozenset({("le", "1.0")})] == 1
    assert found["sipguard_receive_seconds_count", frozenset()] == 1
    assert found["sipguard_receive_seconds_sum", frozenset()] == 0.5
    assert found["process_cpu_seconds_total", frozenset()] > 0


def test_every_family_is_asked_anew() -> None:
    """A scrape shows the numbers of its moment."""
    records = [7]
    registry = build_registry(lambda: sample_vitals(ledger_records=records[0]))
    generate_latest(registry)
    records[0] = 8
    assert values(generate_latest(registry).decode())["sipguard_ledger_records_total", frozenset()] == 8


def test_no_label_can_hold_a_telephone_number() -> None:
    """Label names are words from a fixed set; none of them is a place for what a caller chooses."""
    text = generate_latest(build_registry(sample_vitals)).decode()
    names = set(re.findall(r"[{,]([a-z_]+)=", text))
    assert names <= {"direction", "verdict", "rule", "code", "alarm", "transport", "event", "le"}


def test_targets_by_trunk() -> None:
    """Whether a target counts as up, by the names the operator gave."""
    uri = "sip:192.0.2.2:5060"
    up = {("carrier-a", uri): False, ("carrier-b", uri): True}
    found = values(generate_latest(build_registry(lambda: sample_vitals(targets_up=up))).decode())
    assert found["sipguard_target_up", frozenset({("trunk", "carrier-a"), ("target", uri)})] == 0
    assert found["sipguard_target_up", frozenset({("trunk", "carrier-b"), ("target", uri)})] == 1

"""The fault table of the verification service, on the wire: every case one INVITE to one real proxy process."""

import re
from pathlib import Path

import pytest

from tests.live import wire_faults
from tests.live.wire_cases import GROUPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stir-faults.md"
LEAST = 80
_ALARM = re.compile(r'^sipguard_alarms_total\{alarm="([^"]+)"\}', re.MULTILINE)

pytestmark = pytest.mark.live


@pytest.mark.clause("VS-01", "VS-19", "VS-20", "VS-21", "VS-22", "VS-31", "VS-35", "VS-37", "RFC 8224 6.2.2")
def test_every_fault_has_its_outcome_on_the_wire(tmp_path: Path) -> None:
    """Each case ends as the table says, an ordinary call passes after each, and the proxy has nothing to regret.

    The certificate that all good tokens name is fetched once.
    """
    with wire_faults.bench(tmp_path) as running:
        findings = wire_faults.play(running)
        assert wire_faults.differences(findings) == []
        metrics = running.metrics()
        assert 'sipguard_verified_total{reason="signature",verstat="TN-Validation-Failed"}' in metrics
        assert _ALARM.findall(metrics) == []
        assert running.forge.repository.fetched["/good"] == 1
        assert running.node.stop() == 0
        assert "Traceback" not in running.node.log.read_text()
        assert "bug" not in {event["event"] for event in running.node.log_events()}


def test_the_table_is_long_enough() -> None:
    """At least eighty cases, no two of one name."""
    names = [case.name for cases in GROUPS.values() for case in cases]
    assert len(names) == len(set(names))
    assert len(names) >= LEAST


def test_the_page_is_the_table() -> None:
    """``docs/stir-faults.md`` is what ``python -m tests.live.wire_faults`` prints."""
    assert PAGE.read_text() == wire_faults.page()

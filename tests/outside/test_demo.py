"""The demo judges every line, and says so with its exit code."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import calls, demo
from scenarios.calls import Outcome
from scenarios.demo import Line, differences
from scenarios.node import NodeError

ROOT = Path(__file__).resolve().parents[2]


def test_a_line_that_differs_anywhere_is_named() -> None:
    """Place, code, rule, mark and alert all count."""
    expected = Outcome("conversational", 200, "caller-id owned", "A")
    changes = ({"where": "segregated"}, {"code": 403}, {"rule": "x"}, {"mark": "B"}, {"alert": True})
    lines = [Line("call", "sent", expected, expected._replace(**change)) for change in changes]
    assert differences([Line("call", "sent", expected, expected)]) == []
    assert len(differences(lines)) == len(changes)


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_all_lines_are_as_expected(
    good: bool, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """0 only when every line is as expected."""
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "run", lambda console, directory: good)
    assert demo.main() == code


def test_a_proxy_that_does_not_come_up_is_one_clear_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What went wrong is printed, and the exit code is 1."""

    def fail(console: object, directory: Path) -> bool:
        raise NodeError("did not come up")

    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "run", fail)
    assert demo.main() == 1


def test_the_demo_refuses_a_call_by_every_rule_it_is_known_for() -> None:
    """Calls from customers are refused by six different rules; the call after the burst takes the segregated route."""
    refused = {call.expected.rule for call in calls.origination() if call.expected.code == 403}
    assert refused == {
        "caller-id.not-owned", "caller-id.asserted-not-owned", "emergency.unprovisioned",
        "caller-id.do-not-originate", "account.suspended", "source.unknown",
    }  # fmt: skip
    assert calls.after_the_burst().expected.where == "segregated"


@pytest.mark.live
@pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed")
def test_agents_die_with_whoever_started_them(tmp_path: Path) -> None:
    """A driver that is killed outright leaves no SIPp behind: the kernel ends it."""
    program = (
        "import sys, time; from pathlib import Path; from scenarios.driver import Stage\n"
        "agent = Stage(Path(sys.argv[1])).server('carrier_uas', '127.0.0.31'); print(agent.process_id, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        process_id = int(driver.stdout.readline())
        driver.send_signal(signal.SIGKILL)
    stat = Path(f"/proc/{process_id}/stat")
    for _ in range(100_000):
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
    pytest.fail("SIPp is still there")

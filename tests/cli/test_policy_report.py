"""``sipguard policy``: exceptions shown, and what rules that only report would have refused."""

from pathlib import Path

import pytest

from sipguard.ledger.log import AttestationLog
from tests.cli.kit import CONFIGURATION, Shell
from tests.ledger.kit import record

RECENT, OLD = "2999-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A log with six calls of acme and two of globex; some matched rules in report mode."""
    calls = [
        {"account": "acme", "at": OLD, "reported": ["caller-id.not-owned"]},
        {"account": "acme", "reported": ["caller-id.not-owned"], "calling": {"effective": "14155550199"}},
        {"account": "acme", "reported": ["caller-id.not-owned"], "calling": {"from": "14155550199"}},
        {"account": "acme", "tags": ["report", "short-calls"], "calling": {"effective": "14155550100"}},
        {"account": "acme"},
        {"account": "acme", "decision": "refuse", "rule": "account.suspended"},
        {"account": "globex", "reported": ["caller-id.not-owned"], "calling": {"raw_from": "<sip:x@y>"}},
        {"account": "globex", "trail": [["throttled", "admitted", "caller-id.do-not-originate"]], "tags": ["x"]},
        {"account": "globex", "trail": [["throttled", "refused", "caller-id.do-not-originate"]]},
        {"trunk": "stranger", "account": None, "reported": ["source.no-account"]},
    ]
    with AttestationLog.open(tmp_path / "var" / "attestation", "edge-1") as log:
        for number, call in enumerate(calls):
            log.append([record(number, **({"at": RECENT, "decision": "forward"} | call)), record(number, "end")])
    return Shell(tmp_path)


def test_matches_are_counted_by_rule_and_account(shell: Shell) -> None:
    """Calls, of how many, from how many numbers; old calls and refusals by rules in force do not count."""
    rows = [(row["rule"], row["account"], row["calls"], row["of"], row["callers"]) for row in
            shell.data("policy", "report")]  # fmt: skip
    assert rows == [
        ("caller-id.do-not-originate", "globex", 2, 3, 0),
        ("caller-id.not-owned", "acme", 2, 5, 1),
        ("caller-id.not-owned", "globex", 1, 3, 1),
        ("robodial.tag", "acme", 1, 5, 1),
        ("source.no-account", "trunk stranger", 1, 1, 0),
    ]


def test_what_a_throttle_let_on_and_what_it_refused(shell: Shell) -> None:
    """A rule in mode throttle has both figures in its row, one in report neither."""
    rows = {(row["rule"], row["account"]): (row["throttled"], row["refused"]) for row in shell.data("policy", "report")}
    assert rows["caller-id.do-not-originate", "globex"] == (1, 1)
    assert rows["caller-id.not-owned", "globex"] == (0, 0)


@pytest.mark.clause("policy: destinations")
def test_a_call_that_would_have_been_ended_is_counted(tmp_path: Path) -> None:
    """By the follow-up that says so; it is no further call, and one that began before the time asked about is one."""
    followed = {"at": RECENT, "rule": "destination.duration", "detail": "longer than 600 s to GN"}
    with AttestationLog.open(tmp_path / "var" / "attestation", "edge-1") as log:
        log.append([record(1, at=RECENT, decision="forward", account="acme")])
        log.append([record(1, "reported", account="acme", **followed)])
        log.append([record(2, at=OLD, decision="forward", account="globex")])
        log.append([record(2, "reported", account="globex", **followed)])
    rows = Shell(tmp_path).data("policy", "report")
    assert [(row["rule"], row["account"], row["calls"], row["of"]) for row in rows] == [
        ("destination.duration", "acme", 1, 1),
        ("destination.duration", "globex", 1, 1),
    ]


def test_throttles_are_shown(tmp_path: Path) -> None:
    """The table in force has the throttle of each rule that throttles somebody."""
    shell = Shell(
        tmp_path,
        CONFIGURATION + '[policy.rules."caller-id.not-owned"]\nmode = "throttle"\nthrottle = { rate = 0.5 }\n'
        '[policy.rules."robodial.tag"]\nexceptions = { "account:acme" = "throttle" }\n',
    )
    rules = {row["rule"]: row["throttle"] for row in shell.data("policy", "show")}
    assert rules["caller-id.not-owned"] == "0.5 a second"
    assert rules["robodial.tag"] == "1 a second, 10 at a time"
    assert rules["limit.rate"] == ""


def test_a_report_is_narrowed(shell: Shell) -> None:
    """By time, rule and account; the example is a record that ``log show`` finds."""
    assert shell.data("policy", "report", "--since", "2019-01-01", "--account", "acme")[0]["calls"] == 3
    [row] = shell.data("policy", "report", "--rule", "robodial.tag")
    assert shell.run("log", "show", row["example"]).code == 0
    assert "no rule would have refused" in shell.run("policy", "report", "--account", "nobody").err
    assert shell.run("policy", "report", "--since", "ages").code == 2


def test_exceptions_are_shown(tmp_path: Path) -> None:
    """The table in force names who is excepted and what the rule does for them."""
    shell = Shell(
        tmp_path,
        CONFIGURATION + '[policy.rules."caller-id.not-owned"]\nallow = ["account:lab"]\n'
        'exceptions = { "trunk:acme-pbx" = "report", "number:+14155550100" = "tag" }\n',
    )
    rules = {row["rule"]: row for row in shell.data("policy", "show")}
    assert rules["caller-id.not-owned"]["mode"] == "block"
    assert rules["caller-id.not-owned"]["exceptions"] == [
        "trunk:acme-pbx=report", "number:+14155550100=tag", "account:lab=off",
    ]  # fmt: skip
    assert rules["robodial.tag"]["exceptions"] == []


@pytest.mark.parametrize("subject", ["acme", "acount:acme", "number:14155550100", "trunk:", "number:+１"])
def test_a_bad_exception_is_named(tmp_path: Path, subject: str) -> None:
    """An exception for nothing that can be is an error of the configuration, with its key."""
    shell = Shell(tmp_path, CONFIGURATION + f'[policy.rules."caller-id.not-owned"]\nallow = ["{subject}"]\n')
    outcome = shell.run("policy", "show")
    assert outcome.code == 2
    assert 'policy.rules."caller-id.not-owned".allow' in outcome.err

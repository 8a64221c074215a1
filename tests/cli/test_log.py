"""``sipguard log``: tail, show, search, verify."""

import json
from pathlib import Path

import pytest

from sipguard.ledger.log import AttestationLog
from tests.cli.kit import Shell
from tests.ledger.kit import record, segment_paths


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A node whose log holds three calls."""
    with AttestationLog.open(tmp_path / "var" / "attestation", "edge-1") as log:
        for number in range(3):
            log.append(
                [
                    record(
                        number, calling={"effective": f"+1415555010{number}"}, called={"request_uri": "+14155550199"},
                        account="acme", decision="forward", at="2026-11-24T00:00:00.000Z", direction="origination",
                    ),
                    record(number, "end", code=200, duration=12.5, route="carrier-a"),
                ]
            )  # fmt: skip
    return Shell(tmp_path)


def test_tail_prints_the_last_calls(shell: Shell) -> None:
    """One line a call: what was decided and what became of it."""
    outcome = shell.run("log", "tail", "-n", "2")
    assert outcome.code == 0
    header, *rows = outcome.out.splitlines()
    assert header.split("\t")[:3] == ["id", "at", "direction"]
    assert [row.split("\t")[0] for row in rows] == ["a-1", "a-2"]
    assert {"carrier-a", "12.5", "+14155550102"} <= set(rows[1].split("\t"))


def test_tail_as_json_is_one_object_a_line(shell: Shell) -> None:
    """Programs read the decision with its follow-ups."""
    outcome = shell.run("log", "tail", "--json")
    calls = [json.loads(line) for line in outcome.out.splitlines()]
    assert [call["id"] for call in calls] == ["a-0", "a-1", "a-2"]
    assert [event["event"] for event in calls[0]["events"]] == ["end"]


def test_show_prints_everything_about_one_call(shell: Shell) -> None:
    """By the identifier from the Warning of a refusal; exit code 1 when the log does not know it."""
    outcome = shell.run("log", "show", "a-1")
    assert outcome.code == 0
    assert "+14155550101" in outcome.out
    assert json.loads(shell.run("log", "show", "a-1", "--json").out)["events"][0]["duration"] == 12.5
    assert shell.run("log", "show", "a-9").code == 1


def test_the_last_emergency_test_is_in_the_log(tmp_path: Path) -> None:
    """The latest 933 call of a number, and the latest to help, with what became of them; no other number's."""
    with AttestationLog.open(tmp_path / "var" / "attestation", "edge-1") as log:
        for number, (caller, called) in enumerate(
            [("14155550100", "933"), ("14155550100", "933"), ("14155550100", "911"), ("141555501001", "933")]
        ):
            at = f"2026-11-24T00:00:0{number}.000Z"
            log.append([record(number, calling={"effective": caller}, emergency=called, decision="forward", at=at)])
            log.append([record(number, "end", code=200)])
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    shell.run("emergency", "add", "4155550100", "--account", "acme")
    shown = shell.data("emergency", "show", "4155550100")
    assert shown["last_test"] == "2026-11-24T00:00:01.000Z 933 200 (record a-1)"
    assert shown["last_call"] == "2026-11-24T00:00:02.000Z 911 200 (record a-2)"
    assert "last_test" in shell.run("emergency", "show", "4155550100").out


def test_search_finds_by_number_and_account(shell: Shell) -> None:
    """Exit code 0 with the calls found, 1 with none, 2 without any criterion."""
    outcome = shell.run("log", "search", "--calling", "415 555 0101", "--json")
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == ["a-1"]
    assert len(shell.run("log", "search", "--account", "acme", "--json").out.splitlines()) == 3
    assert shell.run("log", "search", "--called", "999").code == 1
    assert shell.run("log", "search").code == 2


def test_verify_names_the_first_broken_record(shell: Shell, tmp_path: Path) -> None:
    """Exit code 0 for an intact chain; 1, and where it broke, otherwise."""
    assert shell.run("log", "verify").out == "chain intact: 6 records in 1 segments\n"
    path = segment_paths(tmp_path / "var" / "attestation")[0]
    path.write_bytes(path.read_bytes().replace(b"+14155550101", b"+14155550109"))
    outcome = shell.run("log", "verify", "--json")
    assert outcome.code == 1
    broken = json.loads(outcome.out)["broken"]
    assert (broken["line"], broken["identifier"]) == (3, "a-1")
    assert "line 3 (record a-1)" in shell.run("log", "verify").out


def test_a_log_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Exit code 1 and the path."""
    outcome = Shell(tmp_path).run("log", "tail")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.count("\n") == 1
    assert "No such file or directory" in outcome.err


def test_undecided_calls_and_refused_requests_are_shown(tmp_path: Path) -> None:
    """A call nobody decided about has its line; a re-INVITE that was refused does not stand for the call it was in."""
    with AttestationLog.open(tmp_path / "var" / "attestation", "edge-1") as log:
        log.append(
            [
                record(1, decision="undecided", code=487, detail="cancelled before it was decided"),
                record(2, decision="forward"),
                record(2, "answer", code=200, route="carrier-a"),
                record(2, "refused", code=403, rule="caller-id.changed", method="INVITE"),
                record(2, "reported", rule="destination.duration"),
            ]
        )
    shell = Shell(tmp_path)
    header, first, second = (line.split("\t") for line in shell.run("log", "tail").out.splitlines())
    column = {name: position for position, name in enumerate(header)}
    assert (first[column["decision"]], first[column["code"]]) == ("undecided", "487")
    assert (second[column["decision"]], second[column["code"]]) == ("forward", "200")
    assert second[column["route"]] == "carrier-a"
    assert "caller-id.changed" in shell.run("log", "show", "a-2").out

"""Changes of the registry in a running node: followed, recompiled, survived."""

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.runtime.live_node import LiveNode, live_node

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

CALLED = "INVITE sip:+14155550199@"
OTHER = "+14155550123"


def sipguard(node: LiveNode, *arguments: str) -> None:
    """An operator's command, beside the running node."""
    command = [sys.executable, "-m", "sipguard", *arguments, "--config", str(node.config)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def test_a_suspension_holds_within_a_second(tmp_path: Path) -> None:
    """The first call more than a second after ``account suspend`` is refused, and one after ``activate`` passes."""
    with live_node(tmp_path) as node:
        node.invite("before")
        node.carrier.receive(CALLED)
        sipguard(node, "account", "suspend", "acme")
        changed = time.monotonic()
        node.wait_for("registry.followed")
        assert time.monotonic() - changed < 1.0
        node.invite("suspended")
        assert "account.suspended" in node.customer.receive("SIP/2.0 403")
        sipguard(node, "account", "activate", "acme")
        node.wait_for("registry.followed", 2)
        node.invite("active")
        node.carrier.receive(CALLED)


def test_a_lowered_limit_holds_within_a_second_and_drops_nobody(tmp_path: Path) -> None:
    """The call that is up is not ended and takes the only place; without the limit the next call passes again."""
    with live_node(tmp_path) as node:
        node.invite("up")
        node.carrier.answer(node.carrier.receive(CALLED), "200 OK", node.proxy)
        node.customer.receive("SIP/2.0 200")
        sipguard(node, "account", "set", "acme", "--max-calls", "1")
        changed = time.monotonic()
        node.wait_for("registry.followed")
        assert time.monotonic() - changed < 1.0
        node.invite("refused")
        assert "limit.concurrent" in node.customer.receive("SIP/2.0 503")
        sipguard(node, "account", "set", "acme", "--max-calls", "none")
        node.wait_for("registry.followed", 2)
        node.invite("passes")
        assert "passes" in node.carrier.receive(CALLED)
        assert not [line for line in node.lines if line["event"] in ("call.ended", "call.expired")]


def test_calls_of_a_suspended_account_end(tmp_path: Path) -> None:
    """With ``suspended_calls = "end"`` both sides get a BYE though nobody says anything, and the record says policy."""
    with live_node(tmp_path, '[policy]\nsuspended_calls = "end"\n') as node:
        node.invite("up")
        node.carrier.answer(node.carrier.receive(CALLED), "200 OK", node.proxy)
        node.customer.receive("SIP/2.0 200")
        sipguard(node, "account", "suspend", "acme")
        changed = time.monotonic()
        for neighbour in (node.carrier, node.customer):
            bye = neighbour.receive(f"BYE sip:{neighbour.host}:{neighbour.port} SIP/2.0")
            assert "Call-ID: up\r\n" in bye
            neighbour.answer(bye, "200 OK", node.proxy)
        assert time.monotonic() - changed < 2.0  # live within one, on a machine that does other things
        node.wait_for("call.ended")
        node.until(lambda: [record for record in node.log.records() if record.get("released_by") == "policy"])


def test_an_import_is_compiled_beside_the_calls(tmp_path: Path) -> None:
    """Imported numbers may be used without anybody's doing; the node says that it reloaded."""
    with live_node(tmp_path) as node:
        rows = tmp_path / "numbers.csv"
        rows.write_text(f"number,account,kind\n{OTHER},acme,owned\n")
        node.invite("before", OTHER)
        node.customer.receive("SIP/2.0 403")
        sipguard(node, "number", "import", str(rows))
        node.wait_for("reloaded")
        node.invite("after", OTHER)
        node.carrier.receive(CALLED)


@pytest.mark.clause("policy: destinations")
def test_an_opt_out_holds_within_a_second(tmp_path: Path) -> None:
    """The first list of all is followed like any change; who is taken off it again is called again."""
    with live_node(tmp_path) as node:
        node.invite("before")
        node.carrier.receive(CALLED)
        wish = ("+14155550199", "--list", "opt-out", "--account", "acme")
        sipguard(node, "list", "add", *wish, "--source", "letter")
        changed = time.monotonic()
        node.wait_for("registry.followed")
        assert time.monotonic() - changed < 1.0
        node.invite("unwanted")
        assert "opted out of calls from account acme (letter)" in node.customer.receive("SIP/2.0 403 Do Not Call")
        sipguard(node, "list", "remove", *wish)
        node.wait_for("registry.followed", 2)
        node.invite("wanted")
        node.carrier.receive(CALLED)


def test_a_trunk_that_is_added_to_the_registry_takes_calls(tmp_path: Path) -> None:
    """A trunk of the registry is part of the next reload, which comes by itself."""
    with live_node(tmp_path) as node:
        sipguard(
            node, "trunk", "add", "spare", "--side", "network", "--source", "127.0.0.9", "--target", "sip:127.0.0.9"
        )
        node.wait_for("reloaded")


def test_a_suspension_does_not_wait_for_a_reload_that_fails(tmp_path: Path) -> None:
    """While the configuration is broken and a trunk waits for it, an account is suspended all the same."""
    with live_node(tmp_path) as node:
        beside = tmp_path / "beside.toml"
        beside.write_text(node.config.read_text())
        node.config.write_text("half an edit [")
        node.config, broken = beside, node.config
        sipguard(
            node, "trunk", "add", "spare", "--side", "network", "--source", "127.0.0.9", "--target", "sip:127.0.0.9"
        )
        node.wait_for("reload.problem")
        sipguard(node, "account", "suspend", "acme")
        node.wait_for("registry.followed")
        node.invite("suspended")
        assert "account.suspended" in node.customer.receive("SIP/2.0 403")
        broken.write_text(beside.read_text())
        node.wait_for("reloaded")
        sipguard(node, "account", "activate", "acme")
        node.wait_for("registry.followed", 2)
        node.invite("active")
        node.carrier.receive(CALLED)


def test_a_reload_that_keeps_failing_says_so_once(tmp_path: Path) -> None:
    """One line for each problem and one alarm, whatever changes meanwhile; a file that was repaired is read at once."""
    with live_node(tmp_path) as node:
        good = node.config.read_text()
        beside = tmp_path / "beside.toml"
        beside.write_text(good)
        node.config.write_text("half an edit [")
        node.config, broken = beside, node.config
        sipguard(node, "trunk", "add", "b", "--side", "network", "--source", "127.0.0.9", "--target", "sip:127.0.0.9")
        node.wait_for("reload.problem")
        for number, verb in enumerate(("suspend", "activate", "suspend", "activate"), 1):
            sipguard(node, "account", verb, "acme")
            node.wait_for("registry.followed", number)
        assert "the last reload failed" in node.health().text
        broken.write_text(good + "\n[robodial]\nprofile = 7\n")
        node.wait_for("reload.problem", 2)
        broken.write_text(good)
        node.wait_for("reloaded")
        assert node.health().json()["status"] == "ok"
        said = [line["event"] for line in node.lines]
        assert (said.count("reload.problem"), said.count("alarm.reload")) == (2, 1)


def test_an_older_database_put_back_is_in_force(tmp_path: Path) -> None:
    """A copy that is put in the place of the database counts, though its changes have numbers that were seen before."""
    with live_node(tmp_path) as node:
        database, copy = tmp_path / "var" / "registry.db", tmp_path / "copy.db"
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        node.add_number(OTHER)
        node.wait_for("registry.followed")
        node.invite("before", OTHER)
        node.carrier.receive(CALLED)
        with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(database)) as target:
            source.backup(target)
        node.wait_for("reloaded")
        node.invite("after", OTHER)
        node.customer.receive("SIP/2.0 403")


def test_damaged_numbers_are_made_anew_with_an_alarm(tmp_path: Path) -> None:
    """A flipped bit in the compiled numbers costs no call: they are compiled again, and somebody hears of it."""
    with live_node(tmp_path) as node:
        node.signal(signal.SIGTERM)
        node.end()
        compiled = tmp_path / "var" / "numbers.compiled"
        content = bytearray(compiled.read_bytes())
        content[-20] ^= 4
        compiled.write_bytes(content)
        node.lines.clear()
        node.start()
        node.wait_for("ready")
        assert "numbers.compiled is a damaged directory" in node.wait_for("alarm.numbers-damaged")["detail"]
        node.invite("after")
        node.carrier.receive(CALLED)


def test_calls_go_on_without_the_database(tmp_path: Path) -> None:
    """With the database gone calls are screened by what was read last, and an alarm says so until it is back."""
    with live_node(tmp_path) as node:
        database, elsewhere = tmp_path / "var" / "registry.db", tmp_path / "elsewhere.db"
        database.rename(elsewhere)
        database.mkdir()
        node.wait_for("alarm.registry")
        assert any("the registry cannot be read" in reason for reason in node.health().json()["reasons"])
        node.invite("owned")
        node.carrier.receive(CALLED)
        node.invite("forged", OTHER)
        node.customer.receive("SIP/2.0 403")
        database.rmdir()
        elsewhere.rename(database)
        node.wait_for("registry.readable")
        node.add_number(OTHER)
        node.wait_for("registry.followed")
        node.invite("after", OTHER)
        node.carrier.receive(CALLED)


def test_what_is_too_old_stops_calls_if_the_operator_wants_that(tmp_path: Path) -> None:
    """Once the last reading is older than ``stale_after`` calls are refused with 503, until the registry is back."""
    more = '[registry]\nstale_after = 1.0\non_stale = "refuse"\n'
    with live_node(tmp_path, more) as node:
        database, elsewhere = tmp_path / "var" / "registry.db", tmp_path / "elsewhere.db"
        database.rename(elsewhere)
        database.mkdir()
        node.wait_for("alarm.registry-stale")
        node.invite("stale")
        assert "node.registry" in node.customer.receive("SIP/2.0 503")
        database.rmdir()
        elsewhere.rename(database)
        node.wait_for("registry.followed")
        node.invite("fresh")
        node.carrier.receive(CALLED)

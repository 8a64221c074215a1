"""The life of the process: ready, drain, reload, kill, a full disk, garbage."""

import asyncio
import json
import random
import resource
import signal
import socket
import time
import uuid
from pathlib import Path

import pytest

from sipguard.stir.authentication import load_signer
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import Issued, StiCa
from tests.runtime.kit import run
from tests.runtime.live_node import NUMBER, LiveNode, live_node
from tests.runtime.repository import Repository, response

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

CALLED = "INVITE sip:+14155550199@"


def test_it_says_ready_serves_and_ends_cleanly(tmp_path: Path) -> None:
    """One ready line with its addresses; health and metrics answer; SIGTERM ends it with exit code 0."""
    with live_node(tmp_path) as node:
        ready = node.wait_for("ready")
        assert ready["listeners"] == [f"udp:127.0.0.1:{node.port}", f"tcp:127.0.0.1:{node.port}"]
        assert ready["admin"] == f"127.0.0.1:{node.admin}"
        assert node.health().json()["status"] == "ok"
        node.invite("refused", "+14155550123")
        assert "caller-id.not-owned" in node.customer.receive("SIP/2.0 403")
        node.until(lambda: node.metric("sipguard_calls_total") == 1)
        assert node.metric("process_cpu_seconds_total") > 0
        node.signal(signal.SIGTERM)
        assert node.end() == 0
        assert node.wait_for("stopped")
        assert [call.decision["rule"] for call in node.log.tail(5)] == ["caller-id.not-owned"]


def test_a_call_that_left_has_its_record_even_after_a_kill(tmp_path: Path) -> None:
    """kill -9 the moment the INVITE reaches the carrier: the decision is in the log, and a restart goes on."""
    with live_node(tmp_path) as node:
        for number in range(5):
            node.invite(f"call-{number}")
            node.carrier.receive(CALLED)
        node.signal(signal.SIGKILL)
        node.end()
        assert [call.decision["call_id"] for call in node.log.tail(9)] == [f"call-{number}" for number in range(5)]
        assert node.log.verify().broken is None
        node.lines.clear()
        node.start()
        node.wait_for("ready")
        node.invite("after")
        node.carrier.receive(CALLED)
        verification = node.log.verify()
        assert (verification.records, verification.broken) == (6, None)


def test_sigterm_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    """While it drains a new call is refused and health says so; the pending one is answered; then it ends."""
    with live_node(tmp_path) as node:
        node.invite("pending")
        invite = node.carrier.receive(CALLED)
        node.signal(signal.SIGTERM)
        node.wait_for("draining")
        node.until(lambda: node.health().status_code == 503)
        assert node.health().json()["status"] == "draining"
        node.invite("new")
        assert "Call-ID: new" in node.customer.receive("SIP/2.0 503")
        node.carrier.answer(invite, "486 Busy Here", node.proxy)
        assert "Call-ID: pending" in node.customer.receive("SIP/2.0 486")
        assert node.end() == 0
        ended = {call.decision["call_id"]: [event["event"] for event in call.events] for call in node.log.tail(9)}
        assert ended["pending"] == ["end"]


def test_draining_is_bounded(tmp_path: Path) -> None:
    """A call that never ends does not hold the process; a second signal ends the wait at once."""
    with live_node(tmp_path) as node:
        node.invite("pending")
        node.carrier.receive(CALLED)
        node.signal(signal.SIGINT)
        node.wait_for("draining")
        node.signal(signal.SIGINT)
        assert node.end() == 0


def test_sighup_reads_everything_again_or_nothing(tmp_path: Path) -> None:
    """A wrong configuration changes nothing and every problem is told; a right one is in force at once."""
    with live_node(tmp_path) as node:
        node.write_configuration('[policy]\nrevison = "x"\n[robodial]\nprofile = "nonsense"')
        node.signal(signal.SIGHUP)
        node.wait_for("reload.problem", 2)
        node.until(lambda: node.health().json()["status"] == "degraded")
        node.invite("old")
        node.carrier.receive(CALLED)
        node.write_configuration('[policy]\nrevision = "second"\n[timers]\nt1 = 1.0')
        node.signal(signal.SIGHUP)
        assert node.wait_for("reloaded")["revision"] == "second"
        assert node.wait_for("reload.restart-needed")["key"] == "timers"
        assert node.health().json()["status"] == "ok"
        node.invite("new")
        node.carrier.receive(CALLED)
        assert [call.decision["revision"] for call in node.log.tail(2)] == ["unversioned", "second"]


def test_sighup_reads_the_registry_again(tmp_path: Path) -> None:
    """A number added beside the running proxy may be used after a reload, not before."""
    with live_node(tmp_path, "[registry]\npoll_interval = 60\n") as node:
        node.add_number("+14155550123")
        node.invite("before", "+14155550123")
        node.customer.receive("SIP/2.0 403")
        node.signal(signal.SIGHUP)
        node.wait_for("reloaded")
        node.invite("after", "+14155550123")
        node.carrier.receive(CALLED)


def test_tags_outlive_a_restart(tmp_path: Path) -> None:
    """An account that was tagged when the process ended is tagged when it starts again."""
    tags = [{"account": "acme", "points": 6.0, "reasons": ["short-calls"], "features": {}}]
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "tags.json").write_text(json.dumps(tags))
    with live_node(tmp_path) as node:
        node.signal(signal.SIGTERM)
        assert node.end() == 0
        assert json.loads((tmp_path / "var" / "tags.json").read_text()) == tags


def test_a_carrier_over_tcp(tmp_path: Path) -> None:
    """The call leaves on a connection the proxy opens, and its answer comes back to the UDP caller."""
    with (
        live_node(tmp_path, transport=";transport=tcp") as node,
        socket.create_server(("127.0.0.2", node.carrier.port)) as server,
    ):
        server.settimeout(20)
        node.invite("stream")
        stream, _ = server.accept()
        with stream:
            stream.settimeout(20)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += stream.recv(65_535)
            assert request.startswith(CALLED.encode())
            stream.sendall(node.carrier.answer_text(request.decode(), "486 Busy Here"))
            assert "Call-ID: stream" in node.customer.receive("SIP/2.0 486")
            assert b"ACK " in stream.recv(65_535)
            assert node.metric("sipguard_connections") == 1


def test_a_carrier_that_refuses_connections_is_known_at_once(tmp_path: Path) -> None:
    """Nobody listens: the caller hears it long before any timer of the transaction would tell."""
    with live_node(tmp_path, transport=";transport=tcp") as node:
        started = time.monotonic()
        node.invite("refused")
        assert node.customer.receive("SIP/2.0 5")
        assert time.monotonic() - started < 5


@pytest.mark.clause("VS-34", "VS-35")
def test_calls_from_the_network_cost_one_fetch_of_their_certificate(tmp_path: Path) -> None:
    """Ten signed calls at once with a cold cache, and one later: all verified, one HTTPS request."""

    async def main() -> None:
        authority = StiCa.create(UnixTime(int(time.time())))
        leaf = authority.issue()
        (tmp_path / "anchors.pem").write_bytes(authority.anchors_pem)
        async with Repository(tmp_path) as repository:
            repository.pages["/leaf.pem"] = response(leaf.chain_pem)
            await asyncio.to_thread(calls, leaf, repository)
            assert repository.requests.total() == 1

    def calls(leaf: Issued, repository: Repository) -> None:
        more = f"""
            [stir.verify]
            anchors = "anchors.pem"
            https_ca = "{repository.authorities}"
            allow_private_hosts = ["localhost"]
        """
        now = UnixTime(int(time.time()))
        signer = load_signer("test", leaf.chain_pem, leaf.key_pem, repository.url(), now)
        with live_node(tmp_path, more) as node:
            for number in range(11):
                if number == 10:
                    for _ in range(10):
                        assert "verstat=TN-Validation-Passed" in node.customer.receive("INVITE ")
                identity = signer.sign_shaken(TN("12125550123"), [TN("14155550100")], "A", str(uuid.uuid4()), now)
                node.arrive(f"signed-{number}", f"Identity: {identity}")
            while "Call-ID: signed-10" not in node.customer.receive("INVITE "):
                pass
            assert node.metric("sipguard_certificate_fetches_total") == 1
            assert "eyJ" not in "".join(node.raw)

    run(main())


def test_a_log_that_cannot_be_written_holds_calls_until_it_can(tmp_path: Path) -> None:
    """Files may not grow: 503 for the caller, 503 for the balancer; when they may, calls go on by themselves."""

    with live_node(tmp_path) as node:
        assert node.process is not None
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        for number in range(10):
            node.invite(f"call-{number}")
        node.customer.receive("SIP/2.0 503")
        node.until(lambda: node.health().status_code == 503)
        assert "File too large" in node.health().json()["reasons"][0]
        assert node.metric("sipguard_ledger_up") == 0
        assert node.log.verify().broken is None
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        node.until(lambda: node.health().status_code == 200)
        node.invite("healed")
        while "Call-ID: healed" not in node.carrier.receive(CALLED):
            pass
        assert node.log.verify().broken is None
        assert "resumed" in [record["event"] for record in node.log.records()]


def test_garbage_gets_a_4xx_or_silence(tmp_path: Path) -> None:
    """Thousands of broken datagrams: no traceback, no bug, no end; the next call is served."""
    noise = random.Random(7)
    with live_node(tmp_path) as node:
        good = node.invite("template")
        node.carrier.receive(CALLED)
        for _ in range(3000):
            data = bytearray(good)
            for _ in range(noise.randrange(1, 12)):
                start = noise.randrange(len(data))
                data[start : start + noise.randrange(0, 20)] = noise.randbytes(noise.randrange(0, 8))
            node.customer.socket.sendto(bytes(data), node.proxy)
        node.customer.socket.sendto(b"", node.proxy)
        node.customer.socket.sendto(noise.randbytes(65_507), node.proxy)
        with socket.create_connection(node.proxy, 5) as stream:
            stream.sendall(noise.randbytes(100_000))
        node.invite("good")
        while "Call-ID: good\r\n" not in node.carrier.receive(CALLED):
            pass
        assert node.metric('sipguard_alarms_total{alarm="bug"}') == 0
        assert node.log.verify().broken is None


def refused_start(directory: Path, more: str = "", node: LiveNode | None = None) -> tuple[int, str]:
    """Exit code and output of a process that should not start."""
    node = node or LiveNode(directory)
    try:
        node.write_configuration(more)
        node.start()
        return node.end(), "".join(node.raw)
    finally:
        node.close()


def test_a_wrong_configuration_is_exit_code_2(tmp_path: Path) -> None:
    """Every problem is one line with its key."""
    code, said = refused_start(tmp_path, '[policy]\nrevison = "x"\n[ledger]\ndurability = "tape"')
    assert code == 2
    assert sorted(line.split(":")[1] for line in said.splitlines()) == [" ledger.durability", " policy.revison"]


@pytest.mark.parametrize("which", ["port", "admin"])
def test_a_taken_port_is_one_line_and_exit_code_1(tmp_path: Path, which: str) -> None:
    """The line names the listener."""
    node = LiveNode(tmp_path)
    node.fill_registry()
    with socket.create_server(("127.0.0.1", getattr(node, which))):
        code, said = refused_start(tmp_path, node=node)
    what = "listener tcp" if which == "port" else "admin listener tcp"
    assert (code, said) == (1, f"sipguard: {what} 127.0.0.1:{getattr(node, which)}: address already in use\n")


def test_an_unreadable_registry_is_one_line(tmp_path: Path) -> None:
    """A file that is no database."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "registry.db").write_bytes(b"not a database" * 100)
    code, said = refused_start(tmp_path)
    assert code in (1, 2)
    assert said.count("\n") == 1
    assert said.startswith("sipguard: ")


def test_a_second_process_on_one_state_directory_is_turned_away(tmp_path: Path) -> None:
    """The attestation log has one writer."""
    with live_node(tmp_path) as first:
        second = LiveNode(tmp_path)
        second.config = tmp_path / "second.toml"
        code, said = refused_start(tmp_path, node=second)
        assert code == 1
        assert said.endswith("another process writes here\n")
        assert first.health().status_code == 200


def test_numbers_are_masked_in_the_log_when_asked(tmp_path: Path) -> None:
    """log.mask_numbers: no line shows a whole number."""
    with live_node(tmp_path, "[log]\nmask_numbers = true") as node:
        node.invite("refused", "+14155550123")
        node.customer.receive("SIP/2.0 403")
        node.invite("forwarded")
        node.carrier.receive(CALLED)
        node.signal(signal.SIGTERM)
        node.end()
        said = "".join(node.raw)
        assert "4155550123" not in said
        assert NUMBER not in said

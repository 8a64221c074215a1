"""Real SIPp calls through a real proxy process: what the engine's tests cannot see, it happens in the kernel."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenarios import topology
from scenarios.driver import Stage, free_port
from scenarios.node import NodeError
from scenarios.topology import Certificates, World
from tests.live.kit import keys, stored

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]

OTHER_TRUNK_SOURCE = "127.0.0.36"


@pytest.fixture
def world(tmp_path: Path, certificates: Certificates, registry: Path) -> Iterator[World]:
    """The demo's world, with a TCP listener besides; the proxy must end cleanly and without a traceback."""
    host, port = "127.0.0.1", free_port("127.0.0.1", "tcp")
    listener = f'[[listener]]\ntransport = "tcp"\nbind = "{host}:{port}"\n\n'
    with topology.world(tmp_path, certificates, listener, registry) as running:
        yield running
        assert running.node.stop() in (0, -signal.SIGKILL)
        assert "Traceback" not in running.node.log.read_text()


def tcp_address(world: World) -> tuple[str, int]:
    """Where the proxy listens for TCP."""
    bind = world.node.configuration.read_text().split('transport = "tcp"\nbind = "')[1].split('"')[0]
    host, _, port = bind.rpartition(":")
    return host, int(port)


def eventually(met: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether a condition comes true within some seconds."""
    deadline = time.monotonic() + seconds
    while not met() and time.monotonic() < deadline:
        time.sleep(0.01)
    return met()


@pytest.mark.clause("RFC 3261 9", "RFC 3261 16.10")
def test_a_cancel_reaches_the_carrier_and_closes_the_record(
    tmp_path: Path, certificates: Certificates, registry: Path
) -> None:
    """A caller that gives up gets 200 and 487, the carrier gets CANCEL, the record ends as released by the caller."""
    with Stage(tmp_path / "ringing") as stage:
        ringing = stage.server("ringing_uas", OTHER_TRUNK_SOURCE)
        trunk = topology.trunk("ringing", "network", OTHER_TRUNK_SOURCE, f'targets = ["{ringing.uri}"]')
        with topology.world(tmp_path / "world", certificates, trunk, registry) as world:
            played = world.stage.call("cancel_uac", topology.ACME, world.node.address, keys())
            assert (played.exit_code, played.code) == (0, 487), played.errors
            assert ringing.received("CANCEL", played.call_id) is not None
            assert world.parties.conversational.messages == ()
            (end,) = [record for record in stored(world.node) if record["event"] == "end"]
            assert (end["code"], end.get("answered"), end["released_by"]) == (487, False, "caller")


@pytest.mark.clause("RFC 3261 16.7", "RFC 3263 4.3")
def test_a_busy_carrier_is_passed_over(tmp_path: Path, certificates: Certificates, registry: Path) -> None:
    """A target that answers 503 is left for the trunk's next target, and the caller notices nothing."""
    with Stage(tmp_path / "targets") as stage:
        full, free = (stage.server(flow, OTHER_TRUNK_SOURCE) for flow in ("unavailable_uas", "carrier_uas"))
        targets = f'targets = ["{full.uri}", "{free.uri}"]'
        trunk = topology.trunk("two-targets", "network", OTHER_TRUNK_SOURCE, targets)
        with topology.world(tmp_path / "world", certificates, trunk, registry) as world:
            played = world.stage.call("customer_uac", topology.ACME, world.node.address, keys())
            assert (played.exit_code, played.code) == (0, 200), played.errors
            tried = [agent.received("INVITE", played.call_id) for agent in (full, free)]
            assert None not in tried
            assert len({invite.header("Identity") for invite in tried if invite}) == 1  # signed once, sent twice


@pytest.mark.clause("TRN-01")
@pytest.mark.clause("RFC 3261 18", "RFC 3261 16.6 (4)")
def test_a_call_crosses_from_tcp_to_udp(world: World) -> None:
    """A customer on TCP reaches a carrier on UDP, and ACK and BYE find their way back through the recorded routes."""
    played = world.stage.call("customer_uac", topology.ACME, tcp_address(world), keys(), transport="tcp")
    assert (played.exit_code, played.code) == (0, 200), played.errors
    carrier = world.parties.conversational
    invite, bye = (carrier.received(method, played.call_id) for method in ("INVITE", "BYE"))
    assert invite is not None
    assert bye is not None
    assert "UDP" in (invite.headers("Via")[0])
    assert "TCP" in (invite.headers("Via")[-1])


def test_a_killed_proxy_has_a_record_of_every_call_that_left(world: World, tmp_path: Path) -> None:
    """After SIGKILL in a burst, each INVITE a carrier got has its decision on disk, and the chain holds."""
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("SEQUENTIAL\n" + "".join(f"+1212555{n:04};\n" for n in range(1000, 2000)))
    caller = world.stage.client(
        "burst_uac", topology.ACME, world.node.address, keys() | {"domain": "sipguard.example"},
        calls=1000, rate=200, limit=1000, hold=50, injection=numbers,
    )  # fmt: skip
    carrier = world.parties.conversational
    assert eventually(lambda: len(carrier.messages) > 200)
    os.kill(world.node.process_id, signal.SIGKILL)
    caller.wait(0.0)
    world.node.stop()
    left = {message.call_id for message in carrier.messages if message.method == "INVITE" and not message.sent}
    recorded = {record["call_id"] for record in stored(world.node) if record["event"] == "decision"}
    assert len(left) > 20
    assert left <= recorded
    world.node.start()  # recovers a torn last line
    assert "intact" in world.node.command("log", "verify")


def test_changes_take_effect_between_two_calls(world: World) -> None:
    """A suspension is in force without a reload; a configuration with an error is refused and the old one stays."""
    node, stage = world.node, world.stage
    assert stage.call("customer_uac", topology.ACME, node.address, keys()).code == 200
    node.command("account", "suspend", "acme")
    assert eventually(lambda: stage.call("refused_uac", topology.ACME, node.address, keys()).code == 403)
    good = node.configuration.read_text()
    node.configuration.write_text(good.replace("revision =", "revison ="))
    os.kill(node.process_id, signal.SIGHUP)
    assert eventually(lambda: "revison" in node.log.read_text())
    assert stage.call("refused_uac", topology.ACME, node.address, keys()).code == 403
    with pytest.raises(NodeError, match="revison"):
        node.command("check")


def test_a_terminated_proxy_lets_its_calls_in_flight_finish(world: World) -> None:
    """SIGTERM takes no new calls; a call that was being set up or held may still end, and the exit code is 0."""
    node, stage = world.node, world.stage
    held = stage.client("customer_uac", topology.ACME, node.address, keys(), hold=500)
    assert eventually(lambda: any(message.code == 200 for message in held.messages))
    os.kill(node.process_id, signal.SIGTERM)
    assert eventually(lambda: "draining" in node.log.read_text())
    assert stage.call("refused_uac", topology.STRICT, node.address, keys(topology.FRIEND, topology.OWNED)).code in (
        503,
        None,
    )
    assert node.stop() == 0


def test_rubbish_is_answered_with_a_refusal_or_not_at_all(world: World) -> None:
    """Datagrams that are no SIP leave the proxy healthy, silent, and able to carry the next call."""
    rubbish = (
        b"",
        b"\0",
        b"\r\n" * 2000,
        b"INVITE",
        os.urandom(1400),
        b"INVITE sip:\xff SIP/2.0\r\n\r\n",
        b"SIP/2.0 999\r\n\r\n",
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((topology.ACME, 0))
        for datagram in rubbish * 20:
            peer.sendto(datagram, world.node.address)
    assert world.node.healthy()
    played = world.stage.call("customer_uac", topology.ACME, world.node.address, keys())
    assert (played.exit_code, played.code) == (0, 200), played.errors

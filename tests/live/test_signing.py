"""Signing in a running proxy: a key in SoftHSM signs SIPp calls, and certificates roll over without a restart."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenarios import passport, topology
from scenarios.node import Node
from scenarios.topology import Certificates, World
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import StiCa
from tests.live.kit import keys
from tests.runtime.softhsm import PIN, SoftToken

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
    pytest.mark.timeout(120),
]

PATIENCE = 40.0  # seconds


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """TEST certificates."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's registry."""
    node = Node(tmp_path_factory.mktemp("registry"))
    node.configure("")
    topology.provision(node)
    return node.registry


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """A token that the proxy's process can see."""
    directory = tmp_path / "token"
    directory.mkdir()
    token = SoftToken.create(directory)
    monkeypatch.setenv("SOFTHSM2_CONF", token.environment["SOFTHSM2_CONF"])
    return token


@pytest.fixture
def world(tmp_path: Path, certificates: Certificates, registry: Path) -> Iterator[World]:
    """The demo's world; it must end cleanly and without a traceback."""
    with topology.world(tmp_path / "world", certificates, registry=registry) as running:
        yield running
        assert running.node.stop() == 0
        assert "Traceback" not in running.node.log.read_text()


def call(world: World) -> str | None:
    """A call of the customer goes through; the Identity header the carrier got."""
    played = world.stage.call("customer_uac", topology.ACME, world.node.address, keys())
    assert (played.exit_code, played.code) == (0, 200), played.errors
    invite = world.parties.conversational.received("INVITE", played.call_id)
    assert invite is not None
    return invite.header("Identity")


def eventually(met: Callable[[], bool], pause: float = 0.05) -> bool:
    """Whether a condition comes true in time, asked for every so many seconds."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := met()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer


def said(world: World, event: str) -> bool:
    """Whether the proxy's log has this event."""
    return any(line["event"] == event for line in world.node.log_events())


def is_signed(identity: str | None, certificate: Path) -> bool:
    """Whether another implementation verifies the token with this certificate."""
    return identity is not None and not isinstance(passport.read(identity, certificate), str)


def reload_with(world: World, certificate: Path, key: str) -> None:
    """Change the signing certificate and tell the proxy to read its configuration again."""
    own = world.certificates.own
    text = world.node.configuration.read_text()
    text = text.replace(f'certificate = "{own / "chain.pem"}"', f'certificate = "{certificate}"')
    world.node.configuration.write_text(text.replace(f'key = "{own / "leaf.key"}"', f'key = "{key}"'))
    os.kill(world.node.process_id, signal.SIGHUP)
    assert eventually(lambda: said(world, "reloaded"))


@pytest.mark.clause("AS-28", "AS-29", "RFC 7512")
def test_a_key_in_a_token_signs_real_calls(token: SoftToken, world: World) -> None:
    """A key that never leaves SoftHSM signs a SIPp call; without the token calls leave unsigned, then signed again."""
    token.certificate(StiCa.create(UnixTime(int(time.time()))))
    leaf = token.directory / "leaf.pem"
    assert is_signed(call(world), world.certificates.own / "chain.pem")
    reload_with(world, leaf, token.uri())
    assert is_signed(call(world), leaf)
    token.lose()
    assert [call(world) for _ in range(4)] == [None] * 4
    assert said(world, "signing.key-lost")
    assert said(world, "signing.outage")
    token.find()
    # Not faster: fifty short calls would be taken for a robo-dialer's and leave by another trunk.
    assert eventually(lambda: is_signed(call(world), leaf), pause=1.0)
    assert said(world, "signing.key-back")
    assert PIN not in world.node.log.read_text()


@pytest.mark.clause("AS-16", "RFC 8224 7.3")
def test_a_rollover_needs_no_restart(world: World, tmp_path: Path) -> None:
    """Files replaced on disk are noticed; calls before and after are signed, each under the certificate of its time."""
    own = tmp_path / "own"
    shutil.copytree(world.certificates.own, own)
    reload_with(world, own / "chain.pem", str(own / "leaf.key"))
    assert is_signed(call(world), world.certificates.own / "chain.pem")
    renewed = StiCa.create(UnixTime(int(time.time()) + 5)).issue()
    (own / "leaf.key").write_bytes(renewed.key_pem)
    assert is_signed(call(world), world.certificates.own / "chain.pem")
    (own / "chain.pem").write_bytes(renewed.chain_pem)
    assert eventually(lambda: said(world, "signing.rollover"))
    assert is_signed(call(world), own / "chain.pem")
    assert not said(world, "alarm.signing-rollover")

"""Digest with SIPp on both sides, which has an implementation of its own: as customer, and as carrier that verifies."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scenarios import topology
from scenarios.driver import Agent, Played, Stage
from scenarios.node import Node
from scenarios.topology import Certificates, World
from tests.live.kit import keys, stored

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]

ROAMING = """
[[trunk]]
name = "acme-roaming"
side = "customer"
account = "acme"
digest = true
[digest]
realm = "sip.sipguard.example"
algorithms = ["MD5"]  # SIPp knows no other
"""
CARRIER = "127.0.0.37"
USER = "acme-user"


@contextmanager
def roaming(directory: Path, certificates: Certificates, registry: Path) -> Iterator[tuple[World, str]]:
    """A world in which acme may call from anywhere, and its password."""
    with Node(directory / "provisioning") as node:
        node.configure(topology.trunk("acme-pbx", "customer", topology.ACME, 'account = "acme"') + ROAMING)
        shutil.copy(registry, node.registry)
        password = node.command("trunk", "credential", "set", "acme-roaming", USER, "--generate").strip()
        with topology.world(directory / "world", certificates, ROAMING, node.registry) as world:
            yield world, password


def dial(world: World, flow: str, password: str, **changes: Any) -> Played:
    """A call from an address nobody knows."""
    called = f"+{topology.OUTSIDE}@sipguard.example"
    credentials = {"auth_username": USER, "auth_password": password, "auth_uri": called}
    return world.stage.call(flow, topology.STRANGER, world.node.address, keys(), **(credentials | changes))


@pytest.mark.clause("PRX-31", "PRX-32", "PRX-34", "RFC 3261 22.3")
def test_a_roaming_customer(tmp_path: Path, certificates: Certificates, registry: Path) -> None:
    """SIPp's answer to our challenge is right, a wrong password is not; what the carrier gets holds neither."""
    with roaming(tmp_path, certificates, registry) as (world, password):
        played = dial(world, "digest_uac", password)
        assert (played.exit_code, [m.code for m in played.messages if m.code == 200]) == (0, [200, 200]), played.errors
        invite = world.parties.conversational.received("INVITE", played.call_id)
        assert invite is not None
        assert invite.headers("Proxy-Authorization") == []
        refused = dial(world, "refused_digest_uac", "wrong password")
        assert refused.exit_code == 0, refused.errors
        assert world.parties.conversational.received("INVITE", refused.call_id) is None
        unknown = dial(world, "refused_digest_uac", password, auth_username="nobody")
        assert unknown.exit_code == 0, unknown.errors
        (decision,) = [record for record in stored(world.node) if record["event"] == "decision"]
        assert (decision["trunk"], decision["authenticated"]) == ("acme-roaming", USER)
        failures = [event for event in world.node.log_events() if event["event"] == "digest.failed"]
        assert len(failures) == 2
        assert password not in world.node.log.read_text()


@contextmanager
def asking(
    directory: Path, certificates: Certificates, registry: Path, flow: str, password: str
) -> Iterator[tuple[World, Agent]]:
    """A world whose first carrier asks for credentials, of which we have these."""
    file = directory / "carrier.password"
    file.touch(mode=0o600)
    file.write_text(password + "\n")
    with Stage(directory / "carrier") as stage:
        carrier = stage.server(flow, CARRIER)
        trunk = topology.trunk(
            "asking", "network", CARRIER, f'targets = ["{carrier.uri}"]',
            'username = "edge-1"', f'password_file = "{file}"', 'realm = "carrier.example"',
        )  # fmt: skip
        with topology.world(directory / "world", certificates, trunk, registry) as world:
            yield world, carrier


@pytest.mark.clause("RFC 3261 22.2", "RFC 3261 22.3", "RFC 3261 12.2.1.1")
@pytest.mark.parametrize(("flow", "caller"), [("asking_uas", "customer_uac"), ("asking_leading_uas", "ended_uac")])
def test_a_carrier_that_asks(
    tmp_path: Path, certificates: Certificates, registry: Path, flow: str, caller: str
) -> None:
    """SIPp verifies our answer, in INVITE and BYE; the caller sees its own numbers and no challenge."""
    with asking(tmp_path, certificates, registry, flow, "a carrier's password") as (world, carrier):
        for _ in range(2):
            played = world.stage.call(caller, topology.ACME, world.node.address, keys())
            assert (played.exit_code, played.code) == (0, 200), (played.errors, carrier.errors)
            numbers = [m.header("CSeq") for m in carrier.messages if m.call_id == played.call_id and not m.sent]
            assert "1 INVITE" in numbers
            assert "2 ACK" in numbers
            assert ("3 BYE" in numbers) == (flow == "asking_uas")
            heard = {m.header("CSeq") for m in played.messages if not m.sent and m.code is not None}
            assert heard == ({"1 INVITE", "2 BYE"} if flow == "asking_uas" else {"1 INVITE"})
        assert world.parties.conversational.messages == ()


@pytest.mark.clause("RFC 3261 22.3", "RFC 3263 4.3")
def test_a_carrier_that_does_not_take_our_password(tmp_path: Path, certificates: Certificates, registry: Path) -> None:
    """Refused with 403 there, which ends the call; the log and the caller see no password and no credentials."""
    with asking(tmp_path, certificates, registry, "asking_uas", "not the password") as (world, carrier):
        played = world.stage.call("refused_uac", topology.ACME, world.node.address, keys())
        assert (played.exit_code, played.code) == (0, 403), (played.errors, carrier.errors)
        assert "not the password" not in world.node.log.read_text()

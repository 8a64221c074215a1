"""SHA-256 judged by another implementation: Kamailio as a carrier that asks for credentials."""

import shutil
from pathlib import Path

import pytest

from scenarios import topology
from scenarios.driver import Stage, free_port
from scenarios.topology import Certificates
from tests.live.kit import keys
from tests.live.peers import kamailio

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
    pytest.mark.skipif(not kamailio.installed(), reason="Kamailio is not installed"),
]

CARRIER, GATEWAY = "127.0.0.54", "127.0.0.55"
DIGEST = Path(__file__).with_name("digest.cfg")


@pytest.mark.clause("RFC 3261 22.3", "RFC 8760 2.4", "RFC 3261 12.2.1.1")
@pytest.mark.parametrize("flow", ["carrier_uas", "leading_uas"])
def test_a_carrier_that_asks(tmp_path: Path, certificates: Certificates, registry: Path, flow: str) -> None:
    """Two calls, re-INVITEs and BYEs, from both sides: Kamailio takes our answers, counts included."""
    file = tmp_path / "carrier.password"
    file.touch(mode=0o600)
    file.write_text("a carrier's password\n")
    place = f"{CARRIER}:{free_port(CARRIER)}"
    trunk = topology.trunk(
        "asking", "network", CARRIER, f'targets = ["sip:{place}"]',
        'username = "edge-1"', f'password_file = "{file}"', 'realm = "carrier.example"',
    )  # fmt: skip
    with Stage(tmp_path / "gateway") as stage, topology.world(tmp_path / "w", certificates, trunk, registry) as world:
        gateway = stage.server(flow, GATEWAY)
        values = {"GATEWAY": gateway.uri.removeprefix("sip:"), "PROXY_HOST": world.node.address[0]}
        with kamailio.running(tmp_path, [f"udp:{place}"], values, DIGEST):
            for first in (True, False):
                caller = "customer_uac" if flow == "carrier_uas" else "led_uac"
                played = world.stage.call(caller, topology.ACME, world.node.address, keys())
                assert (played.exit_code, played.code) == (0, 200), (played.errors, gateway.errors)
                invite = gateway.received("INVITE", played.call_id)
                assert invite is not None
                assert invite.header("CSeq") == ("2 INVITE" if first else "1 INVITE")  # the second brings them along
                assert invite.headers("Proxy-Authorization") == []
        assert "carrier.credentials-refused" not in world.node.log.read_text()

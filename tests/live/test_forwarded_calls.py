"""A forwarded call on the wire: signed by its carrier, verified here, sent on with a div, and verified again."""

import shutil
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509

from scenarios import topology
from scenarios.passport import OtherCarrier
from scenarios.topology import Certificates
from tests.live.kit import keys, stored

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]

BRANCH = "127.0.0.24"
CALLER, TARGET = topology.OUTSIDE, topology.PROVISIONED


@pytest.mark.clause("DIV-02", "DIV-03", "DIV-06", "VS-12", "RFC 8946 4.1")
def test_there_and_back(tmp_path: Path, certificates: Certificates, registry: Path) -> None:
    """The carrier reads the original as it was and our div, both true; what it sends back in by them is verified."""
    trunk = topology.trunk("branch-pbx", "customer", BRANCH, 'account = "acme"', 'forwarding = "passport"')
    with topology.world(tmp_path / "world", certificates, f"{trunk}\n", registry) as world:
        carrier = OtherCarrier(certificates.other / "leaf.key", world.repository.url(Certificates.OTHER_PATH))
        original = carrier.identity(CALLER, topology.OWNED, int(time.time()))
        row = f"\r\nIdentity: {original}"

        def played(flow: str, source: str, called: str, headers: str, party: str) -> Any:
            call = world.stage.call(flow, source, world.node.address, keys(CALLER, called, headers))
            assert (call.exit_code, call.code) == (0, 200), call.errors
            invite = world.parties.by_name[party].received("INVITE", call.call_id)
            assert invite is not None
            return invite

        arrived = played("network_uac", topology.STRICT, topology.OWNED, row, "acme-pbx")
        assert "TN-Validation-Passed" in arrived.headers("From")[0]
        diverted = f"{row}\r\nDiversion: <sip:+{topology.OWNED}@pbx.example>;reason=no-answer"
        left = played("customer_uac", BRANCH, TARGET, diverted, "conversational")
        kept, added = left.headers("Identity")
        assert kept == original
        key: Any = x509.load_pem_x509_certificate((certificates.own / "chain.pem").read_bytes()).public_key()
        claims = jwt.decode(added.partition(";")[0], key, algorithms=["ES256"], options={"verify_iat": False})
        assert {name: claims[name] for name in ("orig", "dest", "div")} == {
            "orig": {"tn": CALLER}, "dest": {"tn": [TARGET]}, "div": {"tn": topology.OWNED},
        }  # fmt: skip
        back = "".join(f"\r\nIdentity: {value}" for value in (added, kept))
        returned = played("network_uac", topology.STRICT, TARGET, back, "acme-pbx")
        assert "TN-Validation-Passed" in returned.headers("From")[0]
        decided = [record for record in stored(world.node) if record["event"] == "decision"]
        assert decided[1]["calling"]["diverted_by"] == topology.OWNED
        assert decided[2]["diversions"] == [[topology.OWNED, "TN-Validation-Passed"]]
        assert world.node.stop() == 0
        assert "Traceback" not in world.node.log.read_text()

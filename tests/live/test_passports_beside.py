"""Several PASSporTs on the wire: what a carrier and an emergency service read, verified with PyJWT."""

import shutil
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509

from scenarios import topology
from scenarios.topology import Certificates, World
from scenarios.trace import Traced
from sipguard.registry import Registry
from tests.live.kit import keys, stored

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]

NAME = "Zoë & Co"
SIGN = '[stir.sign]\nemergency_priority = "esnet.1"\n\n'


def passports(invite: Traced, certificate: Path) -> dict[str, Any]:
    """The claims of each Identity field by type, verified with the certificate's key."""
    key: Any = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    claims = {}
    for value in invite.headers("Identity"):
        token, _, parameters = value.partition(";")
        header = jwt.get_unverified_header(token)
        assert parameters == f"info=<{header['x5u']}>;alg=ES256;ppt={header['ppt']}"
        claims[header["ppt"]] = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
    return claims


def played(world: World, carrier: str, words: dict[str, str]) -> Traced:
    """A call of the customer goes through; the INVITE that a neighbour got."""
    call = world.stage.call("customer_uac", topology.ACME, world.node.address, words)
    assert (call.exit_code, call.code) == (0, 200), call.errors
    invite = world.parties.by_name[carrier].received("INVITE", call.call_id)
    assert invite is not None
    return invite


@pytest.mark.clause("RCD-01", "RCD-02", "EMG-13", "RPH-01", "RPH-04", "AS-14")
def test_a_name_and_a_priority(tmp_path: Path, certificates: Certificates, registry: Path) -> None:
    """A named customer's call carries two Identity fields; its 911 call three, and the priority they authorise."""
    own = tmp_path / "registry.db"
    shutil.copy(registry, own)
    Registry(f"sqlite:///{own}").accounts.change("acme", caller_name=NAME)
    leaf = certificates.own / "chain.pem"
    with topology.world(tmp_path / "world", certificates, SIGN, own) as world:
        invite = played(world, "conversational", keys())
        claims = passports(invite, leaf)
        assert list(claims) == ["shaken", "rcd"]
        assert claims["rcd"]["rcd"] == {"nam": NAME}
        assert {name: claims["rcd"][name] for name in ("orig", "dest", "iat")} == {
            name: claims["shaken"][name] for name in ("orig", "dest", "iat")
        }
        emergency = {"request_uri": "sip:911@sipguard.example", "to": "<sip:911@sipguard.example>"}
        urgent = played(world, "emergency", {**keys(topology.PROVISIONED), **emergency})
        claims = passports(urgent, leaf)
        assert list(claims) == ["shaken", "rph", "rcd"]
        assert claims["rph"]["rph"] == {"auth": ["esnet.1"]}
        assert claims["rph"]["dest"] == {"tn": ["911"]}
        assert urgent.headers("Resource-Priority") == ["esnet.1"]
        assert invite.headers("Resource-Priority") == []
        sent = [record for record in stored(world.node) if record["event"] == "decision"]
        assert [[record["identity_sent"], *record["identities_beside"]] for record in sent] == [
            invite.headers("Identity"), urgent.headers("Identity"),
        ]  # fmt: skip
        assert world.node.stop() == 0
        assert "Traceback" not in world.node.log.read_text()

"""What a customer's call carries beside SHAKEN's PASSporT: a name, and an emergency call's priority."""

from dataclasses import replace
from typing import Any

import jwt
import pytest

from sipguard.policy.settings import PolicySettings
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.sip.message import Request
from sipguard.stir.authentication import load_signer
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.generations import Generations
from sipguard.stir.signalling import Signalling
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import CALLED, CARRIER_A, CERTIFICATE_URL, OWNED, RESCUE, WALL, invite
from sipguard.testing.sti_ca import Shape
from tests.flows.stage import Stage, refusing

PRIORITY = PolicySettings(sign_emergency_priority="esnet.1")


def named(stage: Stage, name: str = "Acme Corp") -> None:
    """Give the account a name of record."""
    stage.directory.accounts["acme"] = replace(stage.directory.accounts["acme"], caller_name=name)


def sent(stage: Stage, where: Endpoint = CARRIER_A) -> Request:
    """The first INVITE that reached a neighbour."""
    return stage.requests_to(where, "INVITE")[0]


def read(stage: Stage, request: Request) -> dict[str, Any]:
    """The claims of every Identity field by type, each verified by another implementation."""
    key: Any = stage.sample.signer.chain[0].public_key()
    found = {}
    for value in request.values("identity"):
        token = value.partition(";")[0]
        ppt = jwt.get_unverified_header(token)["ppt"]
        assert value.endswith(f";info=<{CERTIFICATE_URL}>;alg=ES256;ppt={ppt}")
        found[ppt] = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
    return found


def judged(stage: Stage, request: Request, dest: str) -> Verdict:
    """What our own verification says of it."""
    stage.sample.certificate_arrives()
    seen = Signalling(orig=(OWNED,), dest=(TN(dest),), request_tn=TN(dest), date=None, call_id="x")
    verdict = stage.sample.view.verification.verify(
        request.values("identity"), seen, stage.sample.certificates, UnixTime(WALL)
    )
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.clause("RCD-01", "RCD-02", "AS-12", "AS-14")
def test_a_named_customer() -> None:
    """Two Identity fields, one row each: both verify, and the record keeps both."""
    stage = Stage()
    named(stage)
    stage.call()
    request = sent(stage)
    claims = read(stage, request)
    assert list(claims) == ["shaken", "rcd"]
    assert claims["rcd"]["rcd"] == {"nam": "Acme Corp"}
    assert claims["rcd"]["iat"] == claims["shaken"]["iat"]
    verdict = judged(stage, request, CALLED)
    assert [result.reason for result in verdict.results] == [None, None]
    assert verdict.rich is not None
    assert verdict.rich.nam == "Acme Corp"
    record = stage.record("decision")
    assert [record["identity_sent"], *record["identities_beside"]] == request.values("identity")
    assert ["sign", "signed", "rcd"] in record["trail"]
    stage.settle()


@pytest.mark.clause("RCD-01", "PRV-10")
def test_a_named_customer_that_hides() -> None:
    """Privacy: id takes the name along, and the call is signed as ever."""
    stage = Stage()
    named(stage)
    stage.call(headers=(f"P-Asserted-Identity: <sip:+{OWNED}@pbx.example>", "Privacy: id"))
    assert list(read(stage, sent(stage))) == ["shaken"]


@pytest.mark.clause("RCD-05")
def test_a_certificate_that_forbids_names() -> None:
    """mustExclude rcd: the call leaves with SHAKEN's PASSporT alone, without alarm, and the trail says why."""
    stage = Stage()
    named(stage)
    issued = stage.sample.ca.issue(Shape(constraints=ClaimConstraints(must_exclude=("rcd",))))
    signer = load_signer("default", issued.chain_pem, issued.key_pem, CERTIFICATE_URL, UnixTime(WALL))
    stage.sample.signer = signer
    stage.engine.reconfigure(replace(stage.sample.view, signers={"default": Generations("default", [signer])}))
    stage.call()
    assert list(read(stage, sent(stage))) == ["shaken"]
    record = stage.record("decision")
    assert ["sign", "signed", 'no rcd: the certificate forbids the claim "rcd"'] in record["trail"]
    assert "identities_beside" not in record
    assert ("alarms", "signing") not in stage.engine.counters


@pytest.mark.clause("EMG-13", "RPH-01", "RPH-04", "RPH-08", "RFC 9027 3")
def test_a_provisioned_emergency_call() -> None:
    """911 with esnet.1 configured: Resource-Priority and its PASSporT; what the customer claimed itself is gone."""
    stage = Stage(policy=PRIORITY)
    stage.call(uri="sip:911@192.0.2.1", called="911", headers=("Resource-Priority: esnet.0, local.1",))
    request = sent(stage, RESCUE)
    claims = read(stage, request)
    assert list(claims) == ["shaken", "rph"]
    assert claims["rph"]["rph"] == {"auth": ["esnet.1"]}
    assert claims["rph"]["dest"] == claims["shaken"]["dest"] == {"tn": ["911"]}
    assert request.values("resource-priority") == ["local.1", "esnet.1"]


@pytest.mark.clause("EMG-13", "RPH-04", "EMG-01")
def test_an_emergency_call_to_a_service() -> None:
    """To and Request-URI are urn:service:sos: that is what both PASSporTs say was called."""
    stage = Stage(policy=PRIORITY)
    request = invite(uri="urn:service:sos")
    request.set("to", "<urn:service:sos>")
    stage.pbx.start(request)
    stage.network.run(2)
    claims = read(stage, sent(stage, RESCUE))
    assert {ppt: told["dest"] for ppt, told in claims.items()} == {
        ppt: {"uri": ["urn:service:sos"]} for ppt in ("shaken", "rph")
    }


@pytest.mark.clause("RPH-08", "EMG-13")
def test_no_priority_but_for_provisioned_emergency_calls() -> None:
    """An ordinary call, and any call without the setting, leaves as it always did."""
    ordinary = Stage(policy=PRIORITY)
    ordinary.call()
    off = Stage()
    off.call(uri="sip:911@192.0.2.1", called="911")
    unregistered = Stage(policy=replace(PRIORITY, emergency_unprovisioned=Unprovisioned.ROUTE))
    unregistered.call(calling="14155550111", uri="sip:911@192.0.2.1", called="911")
    for stage, where in ((ordinary, CARRIER_A), (off, RESCUE), (unregistered, RESCUE)):
        request = sent(stage, where)
        assert list(read(stage, request)) == ["shaken"]
        assert not request.has("resource-priority")


@pytest.mark.clause("AS-14", "RCD-01")
def test_a_second_target_gets_the_same_passports() -> None:
    """Failover sends the very Identity values that the record holds."""
    stage = Stage(scripts={"carrier-a": refusing(503)})
    named(stage)
    stage.call()
    first, second = sent(stage), sent(stage, ("192.0.2.22", 5060))
    assert first.values("identity") == second.values("identity")
    assert len(second.values("identity")) == 2

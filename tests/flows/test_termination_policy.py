"""Calls from the network: what verification finds, what the customer sees of it, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.stir.passport_writer import sign_rph
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verification import VerificationService, VerificationSettings
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    OWNED,
    PROXY,
    TRUNKS,
    VERIFIED,
    WALL,
    changed,
    flow_from,
    invite,
)
from sipguard.testing.user_agent import Script
from sipguard.traffic.limit import CallLimit
from tests.flows.stage import Stage, octets

CALLER = "+12125550123"
PAI = f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.21;user=phone>"
TRUSTED = changed("carrier-a", trusted=True)


@pytest.mark.clause("AS-14", "BLK-10", "VS-25", "VS-26", "RFC 8224 6.2")
def test_a_good_signature_is_passed() -> None:
    """A call whose PASSporT holds reaches the customer with TN-Validation-Passed, Identity untouched."""
    stage = Stage()
    stage.sample.certificate_arrives()
    row = stage.identity()
    stage.arrives(headers=(row,))
    request = stage.pbx.requests[0]
    assert f"<sip:{CALLER};verstat=TN-Validation-Passed@192.0.2.21;user=phone>" in request.required("from")
    assert f"Identity: {request.required('identity')}" == row
    record = stage.record("decision")
    assert (record["verstat"], record["attest"], record["direction"]) == ("TN-Validation-Passed", "A", "termination")
    assert stage.carrier.codes == [100, 180, 200]


@pytest.mark.clause("VS-30", "VS-25")
def test_a_bad_signature_is_tagged() -> None:
    """By default a call whose PASSporT is for another caller goes on, marked TN-Validation-Failed."""
    stage = Stage()
    stage.sample.certificate_arrives()
    stage.arrives(headers=(stage.identity(calling="12125559999"),))
    assert "verstat=TN-Validation-Failed" in stage.pbx.requests[0].required("from")


@pytest.mark.clause("VS-24", "policy")
@pytest.mark.parametrize(
    ("iat", "calling", "code"), [(-3600, "12125550123", 403), (0, "12125559999", 438)],
)  # fmt: skip
def test_a_bad_signature_is_refused_where_the_trunk_says_so(iat: int, calling: str, code: int) -> None:
    """on_failure = reject answers with the code of RFC 8224, and without a second Reason."""
    stage = Stage(trunks=changed("carrier-a", on_failure="reject"))
    stage.sample.certificate_arrives()
    stage.arrives(headers=(stage.identity(calling=calling, iat=1_800_000_000 + iat),))
    assert stage.carrier.codes == [100, code]
    assert stage.octets_to(ACME_PBX) == []
    assert stage.record("decision")["code"] == code
    stage.settle()


@pytest.mark.clause("VS-25")
def test_an_unsigned_call_says_so() -> None:
    """Without an Identity header the customer reads No-TN-Validation; where one is required it is 428."""
    stage = Stage()
    stage.arrives()
    assert "verstat=No-TN-Validation" in stage.pbx.requests[0].required("from")
    strict = Stage(trunks=changed("carrier-a", require_identity=True))
    strict.arrives()
    assert strict.carrier.codes == [100, 428]


@pytest.mark.clause("VS-28", "VS-25", "VS-26")
def test_both_asserted_values_carry_the_verdict() -> None:
    """From a trusted carrier, verstat is on the sip and on the tel value of PAI, and then not on From."""
    stage = Stage(trunks=TRUSTED)
    stage.sample.certificate_arrives()
    stage.arrives(headers=(f"{PAI}, <tel:{CALLER}>", stage.identity()))
    request = stage.pbx.requests[0]
    assert request.listed("p-asserted-identity") == [
        f"<sip:{CALLER};verstat=TN-Validation-Passed@192.0.2.21;user=phone>",
        f"<tel:{CALLER};verstat=TN-Validation-Passed>",
    ]
    assert "verstat" not in request.required("from")


@pytest.mark.clause("VS-27", "PRV-01", "PRV-02")
@pytest.mark.parametrize("trusted", [False, True])
def test_foreign_claims_do_not_cross(trusted: bool) -> None:
    """Verstat of anybody else is replaced; an untrusted PAI and every PPI is gone."""
    stage = Stage(trunks=changed("carrier-a", trusted=trusted))
    liar = f"<sip:{CALLER};verstat=TN-Validation-Passed@192.0.2.21;user=phone;verstat=TN-Validation-Passed>"
    stage.arrives(from_value=liar, headers=(f"P-Asserted-Identity: {liar}", f"P-Preferred-Identity: {liar}"))
    (data,) = [data for data in stage.octets_to(ACME_PBX) if data.startswith(b"INVITE")]
    assert b"verstat=TN-Validation-Passed" not in data
    assert data.count(b"verstat=No-TN-Validation") == 1
    assert stage.pbx.requests[0].has("p-asserted-identity") is trusted
    assert not stage.pbx.requests[0].has("p-preferred-identity")
    assert stage.carrier.responses[-1].required("from") == f"{liar};tag=caller-tag"


@pytest.mark.clause("PRV-03", "PRV-04", "PRV-10")
@pytest.mark.parametrize(("privacy", "seen"), [("id", False), ("none", True), ("user;ID", False)])
def test_privacy_of_a_trusted_carriers_caller(privacy: str, seen: bool) -> None:
    """Privacy: id keeps PAI from a customer outside the trust domain, Privacy: none does not; Identity stays."""
    stage = Stage(trunks=TRUSTED)
    stage.sample.certificate_arrives()
    stage.arrives(headers=(PAI, f"Privacy: {privacy}", stage.identity()))
    request = stage.pbx.requests[0]
    assert request.has("p-asserted-identity") is seen
    assert request.has("identity")
    assert request.value("privacy") == privacy.removeprefix("user;").lower()  # what was done is taken off


@pytest.mark.clause("PRV-02", "RFC 3325 9.2")
@pytest.mark.parametrize("field", ["P-Preferred-Identity", "Remote-Party-ID"])
def test_what_nobody_verified_is_no_identity_inside_the_trust_domain_either(field: str) -> None:
    """A preferred identity is for the first proxy alone; a Remote-Party-ID is compared with nothing."""
    everybody = tuple(replace(trunk, trusted=True) for trunk in TRUNKS)
    stage = Stage(trunks=everybody)
    stage.arrives(headers=(PAI, f"{field}: <sip:+19005550100@x>"))
    assert stage.pbx.requests[0].has("p-asserted-identity")
    assert not stage.pbx.requests[0].has(field.lower())


@pytest.mark.clause("PRV-07", "RFC 5876")
@pytest.mark.parametrize(
    ("trusted", "privacy", "seen"), [(False, "none", False), (True, "none", True), (True, "id", False)]
)
def test_asserted_identity_in_responses(trusted: bool, privacy: str, seen: bool) -> None:
    """PAI of the called party reaches an untrusted caller only from a trusted trunk and without a wish for privacy."""
    headers = (("p-asserted-identity", f"<sip:{CALLER}@x>"), ("privacy", privacy))
    stage = Stage(trunks=changed("carrier-a", trusted=trusted), scripts={"carrier-a": Script(headers=headers)})
    stage.call()
    assert stage.pbx.responses[-1].has("p-asserted-identity") is seen


@pytest.mark.clause("PRV-07", "PRV-01")
def test_asserted_identity_inside_a_dialog() -> None:
    """The trust boundary also stands in in-dialog requests."""
    for trusted, privacy, seen in ((False, "none", False), (True, "none", True), (True, "id", False)):
        stage = Stage(trunks=changed("carrier-a", trusted=trusted))
        stage.call()
        update = stage.carrier.in_dialog("UPDATE")
        update.append("p-asserted-identity", f"<sip:{CALLER}@x>")
        update.append("privacy", privacy)
        stage.carrier.start(update)
        stage.network.run(1)
        assert stage.pbx.requests[-1].has("p-asserted-identity") is seen


@pytest.mark.clause("PRX-26")
def test_a_number_nobody_has_is_404() -> None:
    """A call to a number without an account is 404, one whose account has no trunk with a target is 480."""
    stage = Stage()
    stage.arrives(called="14155557777")
    assert stage.carrier.codes == [100, 404]
    nowhere = Stage(trunks=changed("acme-pbx", targets=()))
    nowhere.arrives()
    assert nowhere.carrier.codes == [100, 480]
    reported = Stage(policy=PolicySettings(modes={"destination.unknown": Mode.REPORT}))
    reported.arrives(called="14155557777")
    assert reported.carrier.codes == [100, 480]
    reported.settle()


@pytest.mark.clause("PRX-11")
@pytest.mark.parametrize(
    ("user", "arrives"),
    [
        ("14155550100", "14155550100"),
        ("4155550100;ext=7", "4155550100;ext=7"),
        ("1-415-555-0100", "+14155550100"),
        ("%2B14155550100", "+14155550100"),
        ("4155550100;phone-context=+1", "+14155550100"),
    ],
)
def test_the_called_number_arrives_as_it_was_dialled(user: str, arrives: str) -> None:
    """Digits which the customer's dial plan reads as the called number stay as the carrier wrote them, no others."""
    stage = Stage()
    stage.arrives(uri=f"sip:{user}@{PROXY[0]};user=phone")
    assert stage.pbx.requests[0].uri == f"sip:{arrives}@{ACME_PBX[0]};user=phone"


@pytest.mark.clause("MSG-16", "PRV-05")
@pytest.mark.parametrize("pai", ["<sip:", '"', "<sip:+1212@x>, <", "<sip:a b@c>", "x", "<sip:+1@h:0>"])
def test_a_broken_pai_of_a_trusted_carrier(pai: str) -> None:
    """An asserted identity nobody can read is not passed on; the verdict goes to From, and the call is answered."""
    stage = Stage(trunks=TRUSTED)
    stage.arrives(headers=(f"P-Asserted-Identity: {pai}",))
    assert stage.carrier.codes[-1] == 200
    request = stage.pbx.requests[0]
    assert not request.has("p-asserted-identity")
    assert "verstat" in request.required("from")
    assert stage.errors == []


@pytest.mark.clause("VS-26")
@pytest.mark.parametrize("from_uri", ["sip:alice@x", "sip:x", "sip:+1212;verstatx=1@x", "tel:+12125550123", "urn:x:y"])
def test_from_uris_of_every_kind(from_uri: str) -> None:
    """Verstat goes onto telephone numbers only, and a parameter that only begins like it is left alone."""
    stage = Stage()
    stage.arrives(from_value=f"<{from_uri}>")
    assert stage.carrier.codes[-1] == 200
    written = stage.pbx.requests[0].from_.uri
    assert ("verstat=No-TN" in written) is ("+1212" in from_uri)
    assert ("verstatx=1" in written) is ("verstatx" in from_uri)


@pytest.mark.clause("MSG-30", "PRX-20")
def test_a_response_whose_lower_via_cannot_be_read() -> None:
    """A response that cannot be passed on is dropped, and is no error of ours."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=None, answer_after=None)})
    stage.call(0.1)
    request = stage.carrier.requests[0]
    rows = [f"{name}: {request.required(name)}" for name in ("from", "to", "call-id", "cseq")]
    broken = octets("SIP/2.0 486 Busy Here", f'Via: {request.listed("via")[0]}, "', *rows)
    assert stage.network.inject(broken, flow_from(CARRIER_A)) == []
    assert stage.errors == []


@pytest.mark.clause("EMG-09", "VS-39")
def test_a_call_to_an_emergency_number_from_the_network_is_not_refused_by_stir() -> None:
    """Enforcement never blocks a psap-callback of a trusted carrier."""
    stage = Stage(trunks=changed("carrier-a", trusted=True, require_identity=True))
    stage.arrives(headers=("Priority: psap-callback",))
    assert stage.carrier.codes[-1] == 200


HELP: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}


@pytest.mark.clause("EMG-10")
def test_who_called_911_is_called_back_without_a_signature() -> None:
    """For half an hour an unsigned call to the number is let in where unsigned calls are refused; then no more."""
    stage = Stage(trunks=changed("carrier-a", require_identity=True))
    stage.arrives()
    assert stage.carrier.codes[-1] == 428
    stage.call(call_id="help@sample", **HELP)
    assert stage.pbx.codes[-1] == 200
    stage.network.run(1700)
    stage.arrives(call_id="back@sample")
    assert stage.carrier.codes[-1] == 200
    decision = [entry for entry in stage.network.records if entry.get("callback")][-1]
    assert (decision["callback"], decision["reported"]) == ("expected", ["stir.missing"])
    stage.arrives(call_id="other@sample", called=VERIFIED)
    assert stage.carrier.codes[-1] == 428
    stage.network.run(100)
    stage.arrives(call_id="late@sample")
    assert stage.carrier.codes[-1] == 428


@pytest.mark.clause("EMG-10")
def test_the_window_of_a_long_call_begins_at_its_end() -> None:
    """Who talked to the centre for an hour is called back when the line broke, for half an hour from then on."""
    stage = Stage(trunks=changed("carrier-a", require_identity=True))
    stage.call(call_id="help@sample", **HELP)
    stage.network.run(3600)
    stage.arrives(call_id="meanwhile@sample")
    assert stage.carrier.codes[-1] == 428
    stage.hang_up()
    stage.arrives(call_id="back@sample")
    assert stage.carrier.codes[-1] == 200
    stage.network.run(1800)
    stage.arrives(call_id="late@sample")
    assert stage.carrier.codes[-1] == 428


@pytest.mark.clause("EMG-10")
@pytest.mark.parametrize(
    ("called", "policy"),
    [("933", PolicySettings()), ("911", PolicySettings(emergency_callback_window=0))],
)
def test_what_opens_no_window(called: str, policy: PolicySettings) -> None:
    """A 933 test, and 911 where the operator wants none, lets nobody in."""
    stage = Stage(trunks=changed("carrier-a", require_identity=True), policy=policy)
    stage.call(uri=f"sip:{called}@{PROXY[0]}", called=called)
    assert stage.pbx.codes[-1] == 200
    stage.arrives(call_id="back@sample")
    assert stage.carrier.codes[-1] == 428


@pytest.mark.clause("EMG-09", "EMG-10", "RFC 9027 4")
@pytest.mark.parametrize("callback", [True, False])
def test_a_call_back_that_an_authority_vouches_for_is_one_for_every_rule(callback: bool) -> None:
    """It shows 911 and finds every place taken, over a carrier nobody trusts, and it gets through."""
    shows = {"network-caller.emergency": Mode.BLOCK}
    trunks = changed("acme-pbx", egress_limit=CallLimit(rate=0.001, burst=1, concurrent=1))
    stage = Stage(trunks=trunks, policy=PolicySettings(modes=shows))
    authorities = {"esnet": frozenset((stage.sample.signer.spc,))}
    service = VerificationService(stage.sample.anchors, VerificationSettings(priority_authorities=authorities))
    stage.engine.reconfigure(replace(stage.sample.view, verification=service))
    stage.sample.certificate_arrives()
    stage.arrives()
    signed = sign_rph(stage.sample.signer, "911", [OWNED], ["esnet.1"], UnixTime(WALL), callback=callback)
    headers = ("Priority: psap-callback", "Resource-Priority: esnet.1", f"Identity: {signed}")
    stage.arrives(call_id="back@sample", from_value=f"<sip:911@{CARRIER_A[0]}>", headers=headers)
    assert stage.carrier.codes[-1] == (200 if callback else 403)
    decision = [record for record in stage.network.records if record["event"] == "decision"][-1]
    assert decision.get("callback") == ("vouched" if callback else None)


@pytest.mark.clause("EMG-10")
def test_a_call_back_to_nobody_ends_all_the_same() -> None:
    """A marked call to a number that nobody has is refused, not let go nowhere."""
    stage = Stage(trunks=changed("carrier-a", trusted=True))
    stage.arrives(called="14155558888", headers=("Priority: psap-callback",))
    assert stage.carrier.codes[-1] == 404


@pytest.mark.clause("TXN-17")
def test_calls_of_two_carriers_may_share_a_branch() -> None:
    """Same branch from two sources are two calls."""
    stage = Stage()
    stage.carrier.start(invite(calling="12125550123", called="14155550100", source=CARRIER_A))
    stage.spare.start(invite(calling="12125550124", called="14155550100", source=stage.spare.endpoint))
    stage.network.run(2)
    assert stage.events.count("decision") == 2


@pytest.mark.clause("EXT-07", "RFC 7315")
@pytest.mark.parametrize("trusted", [False, True])
def test_what_a_trusted_carrier_says_in_confidence_reaches_trusted_customers_only(trusted: bool) -> None:
    """P-Charging-Vector and its like are dropped before a customer outside the trust domain."""
    carrier = changed("carrier-a", trusted=True)
    trunks = tuple(replace(trunk, trusted=trusted) if trunk.name == "acme-pbx" else trunk for trunk in carrier)
    stage = Stage(trunks=trunks)
    stage.arrives(headers=("P-Charging-Vector: icid-value=1",))
    assert stage.pbx.requests[0].has("p-charging-vector") is trusted

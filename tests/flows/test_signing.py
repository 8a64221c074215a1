"""The authentication service on whole calls: Date, attestation among trusted peers, gateways, verifiers' reports."""

import json
import uuid
from dataclasses import replace

import jwt
import pytest

from sipguard.policy.settings import PolicySettings
from sipguard.sip.date import format_date
from sipguard.sip.message import Request
from sipguard.stir import base64url
from sipguard.stir.authentication import load_signer
from sipguard.stir.generations import Generations
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sample import CARRIER_A, CERTIFICATE_URL, FORGED, OWNED, TRUNKS, WALL, changed
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, refusing

ORIGID = "7f1f9a4e-1111-4111-8111-000000000001"
FOREIGN_IDENTITY = "Identity: eyJhbGciOiJFUzI1NiJ9.eyJhIjoiYiJ9.c2ln;info=<https://c.example/a>;alg=ES256;ppt=shaken"


def claims(request: Request) -> dict[str, object]:
    """The claims of the last Identity header field."""
    token = request.values("identity")[-1].partition(";")[0]
    loaded = json.loads(base64url.decode(token.split(".")[1]))
    assert isinstance(loaded, dict)
    return loaded


def sent(stage: Stage) -> Request:
    """The INVITE that reached carrier A."""
    return stage.requests_to(CARRIER_A, "INVITE")[0]


# --- Date


@pytest.mark.clause("AS-03", "AS-06")
def test_the_added_date_is_the_iat() -> None:
    """A request without Date gets one, and it says what iat says."""
    stage = Stage()
    stage.call()
    request = sent(stage)
    assert request.values("date") == [format_date(int(claims(request)["iat"]))]  # type: ignore[call-overload]


@pytest.mark.clause("MSG-34", "AS-04", "RFC 3261 20.17", "RFC 4475 3.1.2.12")
@pytest.mark.parametrize("zone", ["EST", "+0000", "UTC", "gmt", ""])
def test_a_date_in_another_zone_is_no_date(zone: str) -> None:
    """A Date that would be fresh if its zone were overlooked is not signed: the call gets ours, which says GMT."""
    stage = Stage()
    stage.call(headers=(f"Date: {format_date(WALL).removesuffix('GMT')}{zone}",))
    request = sent(stage)
    assert request.values("date") == [format_date(int(claims(request)["iat"]))]  # type: ignore[call-overload]
    stage.call(call_id="call-2@sample", headers=(f"Date: {format_date(WALL)}",))
    assert stage.requests_to(CARRIER_A, "INVITE")[-1].required("date") == format_date(WALL)


@pytest.mark.clause("AS-04")
def test_a_stale_date_is_replaced() -> None:
    """By default the call gets our Date in place of the stale one, and that is what is signed."""
    stage = Stage()
    stage.call(headers=(f"Date: {format_date(WALL - 3600)}",))
    request = sent(stage)
    assert request.values("date") == [format_date(int(claims(request)["iat"]))]  # type: ignore[call-overload]
    assert abs(int(claims(request)["iat"]) - WALL) < 5  # type: ignore[call-overload]


@pytest.mark.clause("AS-04")
def test_a_stale_date_leaves_the_call_unsigned_or_refused_where_configured() -> None:
    """unsigned: the call leaves as it came, without alarm; refuse: 403 Stale Date."""
    row = f"Date: {format_date(WALL - 120)}"
    stage = Stage(policy=PolicySettings(sign_stale_date="unsigned"))
    stage.call(headers=(row,))
    assert sent(stage).values("identity") == []
    assert f"Date: {sent(stage).required('date')}" == row
    assert not stage.errors
    strict = Stage(policy=PolicySettings(sign_stale_date="refuse"))
    strict.call(headers=(row,))
    assert strict.pbx.codes == [100, 403]
    assert strict.record("decision")["rule"] == "sign.stale-date"
    strict.settle()


# --- origid


@pytest.mark.clause("AS-18", "AS-19")
def test_an_origid_per_call() -> None:
    """Two calls have different origids, both UUIDs; the attestation log knows whose they are and nobody else does."""
    stage = Stage(policy=PolicySettings(sign_origid="call"))
    stage.call(call_id="1@sample")
    stage.call(call_id="2@sample")
    origids = [str(claims(request)["origid"]) for request in stage.requests_to(CARRIER_A, "INVITE")]
    assert len(set(origids)) == 2
    records = [record for record in stage.network.records if record["event"] == "decision"]
    assert [record["origid"] for record in records] == origids
    assert [stage.sample.view.origids.of_call(str(record["id"])) for record in records] == origids
    assert [uuid.UUID(origid).version for origid in origids] == [5, 5]


@pytest.mark.clause("AS-19", "VS-12")
def test_two_calls_of_a_pair_in_one_second_carry_two_tokens() -> None:
    """The account's origid is the same, the tokens are not: no replay cache takes one for the other."""
    stage = Stage()
    stage.call(seconds=0.1, call_id="1@sample", headers=(f"Date: {format_date(WALL)}",))
    stage.call(seconds=0.1, call_id="2@sample", headers=(f"Date: {format_date(WALL)}",))
    first, second = stage.requests_to(CARRIER_A, "INVITE")[:2]
    assert claims(first) == claims(second)
    assert first.required("identity") != second.required("identity")


# --- which requests


@pytest.mark.clause("AS-25")
def test_a_re_invite_is_not_signed() -> None:
    """Only the INVITE that begins a call carries our Identity."""
    stage = Stage()
    stage.call()
    stage.pbx.start(stage.pbx.in_dialog("INVITE"))
    stage.network.run(2.0)
    first, again = stage.requests_to(CARRIER_A, "INVITE")[:2]
    assert len(first.values("identity")) == 1
    assert again.values("identity") == []


@pytest.mark.clause("AS-26", "AS-14")
def test_an_identity_that_is_there_stays_to_the_octet() -> None:
    """Ours is added below, in a row of its own; odd spelling and spacing of the other one survive."""
    row = FOREIGN_IDENTITY.replace("Identity:", "iDENTITY :  ").replace(";alg", " ; alg")
    stage = Stage()
    stage.call(headers=(row,))
    octets = next(data for data in stage.octets_to(CARRIER_A) if data.startswith(b"INVITE"))
    assert row.encode() in octets.split(b"\r\n")
    assert len(sent(stage).values("identity")) == 2


# --- gateways


@pytest.mark.clause("AS-22", "BLK-11", "47 CFR 64.6302(d)")
def test_a_gateway_signs_what_arrives_unsigned_with_c() -> None:
    """Any caller number passes a gateway trunk, and is attested C."""
    stage = Stage(trunks=changed("acme-pbx", gateway=True))
    stage.call(calling=FORGED)
    assert (claims(sent(stage))["attest"], claims(sent(stage))["orig"]) == ("C", {"tn": FORGED})
    assert stage.record("decision")["attest"] == "C"
    own = Stage(trunks=changed("acme-pbx", gateway=True))
    own.call(calling=OWNED)
    assert claims(sent(own))["attest"] == "C"


@pytest.mark.clause("AS-26", "BLK-11")
def test_a_gateway_leaves_what_arrives_signed() -> None:
    """A call that another provider signed goes on with that signature and no other."""
    stage = Stage(trunks=changed("acme-pbx", gateway=True))
    stage.call(calling=FORGED, headers=(FOREIGN_IDENTITY,))
    assert [f"Identity: {value}" for value in sent(stage).values("identity")] == [FOREIGN_IDENTITY]
    assert ["sign", "unsigned", "signed by another provider"] in stage.record("decision")["trail"]


def test_a_gateway_call_still_needs_a_number() -> None:
    """What presents no number, or one that never originates, is refused as on any trunk."""
    stage = Stage(trunks=changed("acme-pbx", gateway=True))
    stage.call(from_value="<sip:alice@pbx.example>")
    stage.call(calling="14155550199", call_id="2@sample")
    assert stage.requests_to(CARRIER_A, "INVITE") == []


# --- Attestation-Info and Origination-ID


@pytest.mark.clause("AS-30", "3GPP TS 24.229 7.2.18")
def test_trusted_peers_read_the_attestation() -> None:
    """A trusted carrier gets Attestation-Info and Origination-ID, another one neither, whatever the caller wrote."""
    rows = ("Attestation-Info: C", f"Origination-ID: {ORIGID}")
    stage = Stage(trunks=changed("carrier-a", trusted=True))
    stage.call(headers=rows)
    request = sent(stage)
    assert request.values("attestation-info") == ["A"]
    assert request.values("origination-id") == [claims(request)["origid"]]
    other = Stage()
    other.call(headers=rows)
    assert not sent(other).has("attestation-info")
    assert not sent(other).has("origination-id")


@pytest.mark.clause("AS-30")
def test_a_trusted_trunk_lowers_the_attestation_and_never_raises_it() -> None:
    """What an originating CSCF says is honoured: at most its level, and its origination identifier."""
    trunks = changed("acme-pbx", trusted=True)
    lowered = Stage(trunks=trunks)
    lowered.call(headers=("Attestation-Info: B", f"Origination-ID: {ORIGID.upper()}"))
    assert (claims(sent(lowered))["attest"], claims(sent(lowered))["origid"]) == ("B", ORIGID)
    raised = Stage(trunks=trunks)
    raised.call(calling="14155550111", headers=("Attestation-Info: A", "Origination-ID: ../x"))
    assert claims(sent(raised))["attest"] == "B"
    assert uuid.UUID(str(claims(sent(raised))["origid"]))
    nonsense = Stage(trunks=trunks)
    nonsense.call(headers=("Attestation-Info: Z",))
    assert claims(sent(nonsense))["attest"] == "A"


@pytest.mark.clause("VS-29")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_verified_attestation_is_conveyed_inside_the_trust_domain(trusted: bool) -> None:
    """A trusted customer reads what the signer attested; another one does not."""
    stage = Stage(trunks=changed("acme-pbx", trusted=trusted))
    stage.sample.certificate_arrives()
    stage.arrives(headers=(stage.identity(attest="B"), "Attestation-Info: A"))
    request = stage.pbx.requests[0]
    assert request.values("attestation-info") == (["B"] if trusted else [])
    assert request.values("origination-id") == (["7f1f9a4e-0000-4000-8000-000000000001"] if trusted else [])


@pytest.mark.clause("VS-29")
def test_a_peers_word_stands_only_where_nothing_was_signed() -> None:
    """A trusted carrier's Attestation-Info passes with an unsigned call, and not with a signature that failed."""
    both = tuple(replace(trunk, trusted=True) for trunk in TRUNKS)
    unsigned = Stage(trunks=both)
    unsigned.arrives(headers=("Attestation-Info: B",))
    assert unsigned.pbx.requests[0].values("attestation-info") == ["B"]
    failed = Stage(trunks=both)
    failed.sample.certificate_arrives()
    failed.arrives(headers=("Attestation-Info: A", failed.identity(calling="12125559999")))
    assert not failed.pbx.requests[0].has("attestation-info")
    passed_on = Stage(trunks=changed("carrier-a", trusted=True))
    passed_on.arrives(headers=("Attestation-Info: B",))
    assert not passed_on.pbx.requests[0].has("attestation-info")


# --- Reason: STIR


def bad_identities(stage: Stage) -> tuple[str, ...]:
    """Two Identity rows that fail, for different reasons."""
    return stage.identity(calling="12125559999"), stage.identity(iat=WALL - 3600)


@pytest.mark.clause("VS-23", "RFC 9410", "RFC 9366")
def test_every_failed_identity_is_reported_upstream() -> None:
    """The call goes on; its provisional and its final response name both PASSporTs and what was wrong with each."""
    stage = Stage()
    stage.sample.certificate_arrives()
    rows = bad_identities(stage)
    stage.arrives(headers=rows)
    wanted = [
        f'STIR;cause={code};text="{text}";ppi="..{row.partition(";")[0].rpartition(".")[2]}"'
        for row, code, text in zip(rows, (438, 403), ("Invalid Identity Header", "Stale Date"), strict=True)
    ]
    assert stage.carrier.codes == [100, 180, 200]
    ringing, answer = [response for response in stage.carrier.responses if response.code > 100]
    assert ringing.values("reason") == answer.values("reason") == wanted


@pytest.mark.clause("VS-23")
def test_a_refusal_further_on_carries_the_report_too() -> None:
    """The customer's 486 keeps its own Reason, ours is added; our own 480 has it as well."""
    stage = Stage(scripts={"acme-pbx": refusing(486, ("Reason", "Q.850;cause=17"))})
    stage.sample.certificate_arrives()
    stage.arrives(headers=bad_identities(stage)[:1])
    (busy,) = [response for response in stage.carrier.responses if response.code == 486]
    assert [value.partition(";")[0] for value in busy.values("reason")] == ["Q.850", "STIR"]


@pytest.mark.clause("VS-23")
def test_nothing_is_reported_of_a_good_or_an_unsigned_call() -> None:
    """One good Identity makes the call good; without any there is nothing to report; a refused call has its code."""
    good = Stage()
    good.sample.certificate_arrives()
    good.arrives(headers=(good.identity(), *bad_identities(good)))
    unsigned = Stage()
    unsigned.arrives()
    strict = Stage(trunks=changed("carrier-a", on_failure="reject"))
    strict.sample.certificate_arrives()
    strict.arrives(headers=bad_identities(strict)[:1])
    for stage in (good, unsigned, strict):
        assert not [response for response in stage.carrier.responses if response.has("reason")]


@pytest.mark.clause("VS-23")
@pytest.mark.parametrize(
    "value", ['a.b.c"\\;x', "a.b.<c>,STIR;cause=999", "..", "x" * 300, 'a.b.cc"d"ddddddddddddddddddddddd']
)
def test_nothing_a_caller_wrote_is_repeated(value: str) -> None:
    """A PASSporT that is none is reported without its name: nothing can be smuggled into our response."""
    stage = Stage()
    stage.arrives(headers=(f"Identity: {value};info=<https://c.example/x>;alg=ES256;ppt=shaken",))
    (answer,) = [response for response in stage.carrier.responses if response.code == 200]
    assert [reason for reason in answer.values("reason") if "ppi" in reason] == []


@pytest.mark.clause("VS-24", "RFC 9410")
def test_the_signer_keeps_what_verifiers_report() -> None:
    """Reason: STIR of a carrier never reaches the customer; other reasons do; the causes are counted."""
    reasons = (
        ("Reason", 'STIR;cause=438;text="Invalid, Identity";ppi="..x", Q.850;cause=17'),
        ("Reason", "stir ;cause=7"),
    )
    stage = Stage(scripts={"carrier-a": refusing(486, *reasons)})
    stage.call()
    (busy,) = [response for response in stage.pbx.responses if response.code == 486]
    assert busy.values("reason") == ["Q.850;cause=17"]
    counters = stage.engine.counters
    assert (counters["disputed", "438"], counters["disputed", "other"]) == (1, 1)
    inside = Stage(trunks=changed("acme-pbx", trusted=True), scripts={"carrier-a": refusing(486, *reasons)})
    inside.call()
    (busy,) = [response for response in inside.pbx.responses if response.code == 486]
    assert len(busy.values("reason")) == 2


# --- outage


@pytest.mark.clause("AS-28")
def test_a_signer_that_fails_mid_load_costs_no_call() -> None:
    """Calls before are signed, calls after leave unsigned with an alarm; none fails, none gets a 5xx."""

    class Broken:
        name, issued, serial, not_after = "default", 0, "01", WALL + 1000

        def valid_at(self, moment: int) -> bool:
            return True

        def covers(self, tn: object) -> bool:
            return True

        def sign_shaken(self, *_: object) -> str:
            raise RuntimeError("the module is gone")

    stage = Stage()
    stage.call(call_id="1@sample")
    broken = Generations("default", [Broken()])  # type: ignore[list-item]
    stage.engine.reconfigure(replace(stage.sample.view, signers={"default": broken}))
    stage.call(call_id="2@sample")
    assert stage.pbx.codes.count(200) == 2
    first, second = stage.requests_to(CARRIER_A, "INVITE")[:2]
    assert (len(first.values("identity")), len(second.values("identity"))) == (1, 0)
    assert stage.engine.counters["alarms", "signing"] == 1


@pytest.mark.clause("AS-16", "RFC 8224 7.3")
def test_a_rollover_under_load_costs_no_call() -> None:
    """Calls are set up while the certificate changes: all answered, each verifies with the chain its own x5u names."""
    stage = Stage()
    renewed = stage.sample.ca.issue()
    url = "https://certificates.example.org/renewed.pem"
    signer = load_signer("default", renewed.chain_pem, renewed.key_pem, url, UnixTime(WALL))
    for number in range(40):
        if number == 20:
            both = Generations("default", [signer, stage.sample.signer])
            stage.engine.reconfigure(replace(stage.sample.view, signers={"default": both}))
        stage.call(seconds=0.02, call_id=f"{number}@sample")
    stage.network.run(3.0)
    assert stage.pbx.codes.count(200) >= 40
    keys = {CERTIFICATE_URL: stage.sample.signer.chain[0].public_key(), url: renewed.certificate.public_key()}
    tokens = {call.required("identity").partition(";")[0] for call in stage.requests_to(CARRIER_A, "INVITE")}
    used = []
    for token in tokens:
        address = jwt.get_unverified_header(token)["x5u"]
        jwt.decode(token, keys[address], algorithms=["ES256"], options={"verify_iat": False})
        used.append(address)
    assert (used.count(CERTIFICATE_URL), used.count(url)) == (20, 20)


# --- privacy


@pytest.mark.clause("PRV-10", "PRV-11", "RFC 8224 11")
def test_privacy_takes_the_asserted_identity_and_leaves_the_signature() -> None:
    """Anonymous From, asserted number, Privacy: id, untrusted carrier: signed by the asserted number, which goes no
    further than the PASSporT (ATIS-1000074 signs it)."""
    stage = Stage()
    headers = (f"P-Asserted-Identity: <sip:+{OWNED}@pbx.example>", "Privacy: id", FOREIGN_IDENTITY)
    stage.call(from_value='"Anonymous" <sip:anonymous@anonymous.invalid>', headers=headers)
    request = sent(stage)
    assert not request.has("p-asserted-identity")
    assert len(request.values("identity")) == 2
    assert claims(request)["orig"] == {"tn": OWNED}
    assert OWNED not in request.required("from")
    assert request.values("privacy") == ["id"]


@pytest.mark.clause("PRV-12", "AS-24")
def test_an_anonymous_caller_without_a_number_is_never_signed() -> None:
    """anonymous.invalid is nobody: refused where a number is required, and marked as unverified when it arrives."""
    stage = Stage()
    stage.call(from_value='"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert stage.requests_to(CARRIER_A, "INVITE") == []
    stage.arrives(from_value='"Anonymous" <sip:anonymous@anonymous.invalid>', call_id="2@sample")
    assert "verstat=TN-Validation-Passed" not in stage.pbx.requests[-1].required("from")


# --- emergency


@pytest.mark.clause("VS-39")
@pytest.mark.parametrize("policy", [PolicySettings(verify_on_failure="reject", verify_require=True)])
def test_an_emergency_call_is_never_refused_for_its_identity(policy: PolicySettings) -> None:
    """911 with a forged Identity on the strictest policy is not answered with a STIR code."""
    stage = Stage(policy=policy, scripts={"acme-pbx": Script()})
    stage.sample.certificate_arrives()
    stage.arrives(called="911", uri="sip:911@192.0.2.1", headers=bad_identities(stage))
    assert not {403, 428, 436, 437, 438} & set(stage.carrier.codes)


@pytest.mark.clause("EMG-13")
def test_an_emergency_call_is_signed() -> None:
    """911 from a provisioned number leaves with a PASSporT for 911."""
    stage = Stage()
    stage.call(uri="sip:911@192.0.2.1", called="911")
    (request,) = stage.requests_to(("192.0.2.41", 5060), "INVITE")[:1]
    assert (claims(request)["attest"], claims(request)["dest"]) == ("A", {"tn": ["911"]})

"""PASSporTs of other types than SHAKEN through the whole engine: what arrives, and what the customer reads of it."""

import pytest

from sipguard.policy.need import Answer
from sipguard.sip.date import format_date
from sipguard.sip.message import Request
from sipguard.stir import base64url
from sipguard.stir.authentication import load_signer
from sipguard.stir.passport_writer import sign_base, sign_div, sign_rcd, sign_rph
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sample import CERTIFICATE_URL, OWNED, PROXY, WALL, changed, invite
from tests.flows.stage import CERTIFICATE, Stage

CALLER, FIRST = "12125550123", "13125550100"
PASSED = "TN-Validation-Passed"
STRICT = changed("carrier-a", on_failure="reject")


def delivered(stage: Stage) -> Request:
    """What the customer got."""
    assert stage.carrier.codes == [100, 180, 200]
    return stage.pbx.requests[0]


@pytest.mark.clause("DIV-06", "DIV-07", "DIV-15", "VS-17", "AS-14")
def test_a_retargeted_call_is_led_here_by_its_diversion() -> None:
    """To names the number first called; the div PASSporT leads to ours, and both Identity fields arrive untouched."""
    stage = Stage(trunks=STRICT)
    signer = stage.sample.signer
    stage.sample.certificate_arrives()
    rows = (
        "Identity: " + sign_div(signer, CALLER, [OWNED], FIRST, UnixTime(WALL)),
        stage.identity(called=FIRST),
    )
    stage.arrives(called=FIRST, uri=f"sip:+{OWNED}@{PROXY[0]};user=phone", headers=rows)
    request = delivered(stage)
    assert PASSED in request.required("from")
    assert [f"Identity: {value}" for value in request.values("identity")] == list(rows)
    record = stage.record("decision")
    assert record["attest"] == "A"
    assert record["diversions"] == [[FIRST, PASSED]]


@pytest.mark.clause("DIV-10", "VS-21")
def test_a_diversion_that_leads_elsewhere_is_refused() -> None:
    """The chain ends at another number: 438 by the rule for diversions, where the trunk refuses."""
    stage = Stage(trunks=STRICT)
    stage.sample.certificate_arrives()
    rows = (
        "Identity: " + sign_div(stage.sample.signer, CALLER, ["13125550199"], FIRST, UnixTime(WALL)),
        stage.identity(called=FIRST),
    )
    stage.arrives(called=FIRST, uri=f"sip:+{OWNED}@{PROXY[0]};user=phone", headers=rows)
    assert stage.carrier.codes == [100, 438]
    assert stage.record("decision")["rule"] == "stir.diversion"


@pytest.mark.clause("VS-15", "AS-06")
def test_a_compact_base_passport_is_completed_by_the_request() -> None:
    """Date, From and To give back what was signed; a Date that was changed on the way does not."""
    for offset, codes in ((0, [100, 180, 200]), (1, [100, 438])):
        stage = Stage(trunks=STRICT)
        stage.sample.certificate_arrives()
        value = sign_base(stage.sample.signer, CALLER, [OWNED], UnixTime(WALL), compact=True)
        stage.arrives(headers=(f"Date: {format_date(WALL + offset)}", f"Identity: {value}"))
        assert stage.carrier.codes == codes


@pytest.mark.clause("RPH-02", "RCD-06", "RCD-07")
def test_claims_that_nobody_vouches_for_do_not_reach_the_customer() -> None:
    """An untrusted carrier's priority and picture go; a verified name takes the place of no other."""
    stage = Stage()
    stage.sample.certificate_arrives()
    icon = "https://brand.example/icon.png"
    value = sign_rcd(stage.sample.signer, CALLER, [OWNED], UnixTime(WALL), {"nam": "Example Ltd", "icn": icon})
    stage.arrives(
        from_value=f'"Your Bank" <sip:+{CALLER}@192.0.2.21;user=phone>',
        headers=(
            f"Identity: {value}",
            "Resource-Priority: ets.0, local.1",
            f"Call-Info: <{icon}>;purpose=icon, <https://else.example/x.png>;purpose=icon",
        ),
    )
    request = delivered(stage)
    assert request.value("resource-priority") == "local.1"
    assert request.value("call-info") == f"<{icon}>;purpose=icon"
    assert request.from_.display is None
    assert PASSED in request.required("from")


@pytest.mark.clause("RPH-03", "RPH-09", "RPH-02")
def test_a_priority_of_any_provider_is_not_authorised() -> None:
    """A SHAKEN certificate authorises no priority: the record says so, and the call goes on as an ordinary one."""
    stage = Stage(trunks=STRICT)
    stage.sample.certificate_arrives()
    value = sign_rph(stage.sample.signer, CALLER, [OWNED], ["ets.0"], UnixTime(WALL))
    stage.arrives(headers=("Resource-Priority: ets.0", f"Identity: {value}", stage.identity()))
    request = delivered(stage)
    assert not request.has("resource-priority")
    assert PASSED in request.required("from")
    assert stage.record("decision")["priority"] == "RPH-Validation-Failed"


@pytest.mark.clause("CRT-25")
def test_a_new_key_at_the_same_place_is_fetched_once() -> None:
    """The carrier changed key and certificate under one URL: the call waits for one fetch and passes."""
    stage = Stage(trunks=STRICT)
    stage.sample.certificate_arrives(WALL - 120)
    renewed = stage.sample.ca.issue()
    signer = load_signer("renewed", renewed.chain_pem, renewed.key_pem, CERTIFICATE_URL, UnixTime(WALL))
    row = "Identity: " + sign_base(signer, CALLER, [OWNED], UnixTime(WALL))
    stage.arrives(0.1, headers=(row,))
    assert stage.network.asked == [CERTIFICATE]
    stage.sample.chain_pem = renewed.chain_pem
    stage.sample.certificate_arrives()
    stage.network.answer(CERTIFICATE, Answer(True))
    stage.network.run(2)
    assert PASSED in delivered(stage).required("from")
    assert stage.network.asked.count(CERTIFICATE) == 1


@pytest.mark.clause("AS-13", "PPT-06")
def test_media_keys_of_the_offer_are_signed() -> None:
    """A customer's DTLS fingerprint is in the PASSporT that leaves; a call without one has no mky."""
    sdp = b"v=0\r\nm=audio 4000 UDP/TLS/RTP/SAVP 0\r\na=fingerprint:sha-256 AB:CD:EF\r\n"
    for body in (sdp, None):
        stage = Stage()
        request = invite()
        if body is not None:
            request.body = body
            request.set("content-length", str(len(body)))
        stage.pbx.start(request)
        stage.network.run(2)
        value = stage.carrier.requests[0].required("identity")
        payload = base64url.decode(value.split(".")[1]).decode()
        assert ('"mky":[{"alg":"sha-256","dig":"ABCDEF"}]' in payload) is (body is not None)

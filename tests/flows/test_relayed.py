"""What a proxy must not break: fields and responses of other extensions pass as they came, octet by octet."""

import pytest

from sipguard.testing.sample import ACME_PBX, CARRIER_A, flow_from
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, octets, refusing, silent


@pytest.mark.clause("PRX-02", "RFC 3261 16.6 (1)")
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(("Require: 100rel", "Supported: 100rel, timer"), marks=pytest.mark.clause("EXT-01")),
        pytest.param(("Session-Expires: 1800;refresher=uac", "Min-SE: 90"), marks=pytest.mark.clause("EXT-02")),
        pytest.param(
            ("Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000",),
            marks=pytest.mark.clause("EXT-08"),
        ),
        pytest.param(
            ("Replaces: 98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff", "Join: 12@x;from-tag=a;to-tag=b"),
            marks=pytest.mark.clause("EXT-11"),
        ),
        pytest.param(("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",), marks=pytest.mark.clause("EXT-13")),
        pytest.param(
            ("Request-Disposition: no-fork, no-cancel", "Accept-Contact: *;mobility=\"fixed\""),
            marks=pytest.mark.clause("EXT-06"),
        ),
        pytest.param(("Contact: <sip:a@192.0.2.11;gr=urn:uuid:f81d4fae>;+sip.instance=\"<urn:uuid:f81d4fae>\"",),
                     marks=pytest.mark.clause("PRX-28")),
        pytest.param(
            ("Reason: Q.850;cause=21", "Reason: STIR;cause=438;text=\"x\", STIR;cause=436"),
            marks=pytest.mark.clause("BLK-15"),
        ),
    ],
    ids=lambda rows: rows[0].partition(":")[0],
)  # fmt: skip
def test_fields_of_extensions_pass_unchanged(rows: tuple[str, ...]) -> None:
    """A customer's INVITE reaches the carrier with these rows as they came, in their order."""
    stage = Stage()
    stage.call(headers=rows)
    (data,) = [data for data in stage.octets_to(CARRIER_A) if data.startswith(b"INVITE")]
    positions = [data.find(f"\r\n{row}\r\n".encode()) for row in rows]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("BLK-06", "BLK-15")
def test_a_block_by_somebody_else_passes_with_its_phrase() -> None:
    """603 Network Blocked and its Reason reach the caller as they were written."""
    reason = 'Q.850;cause=21;text="v=analytics1;url=https://x.example;tel=+12125550100;id=1";location=LN'
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call(0.05)
    request = stage.carrier.requests[0]
    head = [f"Via: {value}" for value in request.listed("via")]
    head += [f"{name}: {request.required(name)}" for name in ("from", "call-id", "cseq")]
    answer = octets("SIP/2.0 603 Network Blocked", *head, f"To: {request.required('to')};tag=b", f"Reason: {reason}")
    stage.network.inject(answer, flow_from(CARRIER_A))
    stage.network.run(1)
    (heard,) = [response for response in stage.pbx.responses if response.code == 603]
    assert (heard.reason, heard.value("reason")) == ("Network Blocked", reason)


@pytest.mark.clause("EXT-10")
def test_a_transfer_goes_through_untouched() -> None:
    """REFER reaches the other side with its Refer-To as written, and the NOTIFY comes back."""
    stage = Stage()
    stage.call()
    refer = stage.pbx.in_dialog("REFER")
    target = "<sip:+12125550177@192.0.2.11?Replaces=a%40b%3Bto-tag%3D1>"
    refer.append("refer-to", target)
    stage.pbx.start(refer)
    stage.network.run(1)
    seen = [request for request in stage.carrier.requests if request.method == "REFER"]
    assert [request.value("refer-to") for request in seen] == [target]
    stage.carrier.start(stage.carrier.in_dialog("NOTIFY"))
    stage.network.run(1)
    assert stage.pbx.requests[-1].method == "NOTIFY"
    assert stage.carrier.codes[-1] == 200


@pytest.mark.clause("EXT-03", "EXT-02")
@pytest.mark.parametrize("code", [491, 422])
def test_a_refusal_inside_a_dialog_passes(code: int) -> None:
    """Glare and a too short session interval are the parties' own business: the answer goes back with its fields."""
    stage = Stage()
    stage.call()
    stage.carrier.script = refusing(code, ("min-se", "90"))
    stage.pbx.start(stage.pbx.in_dialog("INVITE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == code
    assert stage.pbx.responses[-1].value("min-se") == "90"


@pytest.mark.clause("EXT-01")
def test_a_prack_follows_the_route() -> None:
    """PRACK goes by the route set to the callee, with its RAck."""
    stage = Stage()
    stage.call()
    prack = stage.pbx.in_dialog("PRACK")
    prack.append("rack", "7 1 INVITE")
    stage.pbx.start(prack)
    stage.network.run(1)
    seen = [request for request in stage.carrier.requests if request.method == "PRACK"]
    assert [request.value("rack") for request in seen] == ["7 1 INVITE"]


@pytest.mark.clause("OOB-06", "VS-03")
def test_a_token_of_another_type_takes_nothing_away() -> None:
    """An msec PASSporT beside a good one is ignored, and passes as it came."""
    stage = Stage()
    stage.sample.certificate_arrives()
    other = "Identity: eyJhbGciOiJFUzI1NiJ9.e30.AAAA;info=<https://other.example/c>;alg=ES256;ppt=msec"
    stage.arrives(headers=(other, stage.identity()))
    assert stage.record("decision")["verstat"] == "TN-Validation-Passed"
    assert stage.pbx.requests[0].values("identity")[0] == other.partition(": ")[2]


@pytest.mark.clause("OOB-07")
def test_a_token_in_a_response_passes() -> None:
    """Connected identity of the callee reaches the caller as it came."""
    token = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA;info=<https://other.example/c>;alg=ES256;ppt=rsp"
    stage = Stage(scripts={"carrier-a": Script(headers=(("identity", token),))})
    stage.call()
    answers = [response for response in stage.pbx.responses if response.code == 200]
    assert [response.value("identity") for response in answers] == [token]


@pytest.mark.clause("BLK-12", "BLK-13", "RFC 8224 6.2")
def test_the_record_keeps_what_a_traceback_asks_for() -> None:
    """Both directions: tokens, attestation or verdict, service provider code, source and trunk are in the record."""
    stage = Stage()
    stage.call()
    out = stage.record("decision")
    assert out["identity_sent"] == stage.carrier.requests[0].required("identity")
    assert (out["attest"], out["spc"], out["trunk"]) == ("A", stage.sample.signer.spc, "acme-pbx")
    assert out["source"] == f"udp:{ACME_PBX[0]}:{ACME_PBX[1]}"
    stage = Stage()
    stage.sample.certificate_arrives()
    row = stage.identity()
    stage.arrives(headers=(row,))
    back = stage.record("decision")
    assert back["identity_received"] == [row.partition(": ")[2]]
    assert (back["verstat"], back["attest"], back["spc"]) == ("TN-Validation-Passed", "A", stage.sample.signer.spc)
    assert (back["source"], back["trunk"]) == (f"udp:{CARRIER_A[0]}:{CARRIER_A[1]}", "carrier-a")

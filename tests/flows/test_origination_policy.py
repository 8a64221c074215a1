"""Calls from a customer: who may call as whom, how it leaves, and what the record says."""

import json
from typing import Any

import pytest

from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import OnMismatch, Side, TrafficClass, Trunk
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.stir.base64url import decode
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_B,
    FORGED,
    OWNED,
    PROXY,
    RESCUE,
    TRUNKS,
    VERIFIED,
    changed,
    flow_from,
    invite,
    target,
)
from tests.flows.stage import Stage, refusing

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
PAI = f"P-Asserted-Identity: <sip:+{OWNED}@192.0.2.11;user=phone>"
EMERGENCY: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}


def claims(stage: Stage) -> dict[str, object]:
    """The claims of the one PASSporT the carrier got."""
    token = stage.carrier.requests[0].required("identity").partition(";")[0]
    found = json.loads(decode(token.split(".")[1]))
    assert isinstance(found, dict)
    return found


@pytest.mark.clause("AS-01", "RFC 8224 6.1")
@pytest.mark.parametrize(("calling", "level"), [(OWNED, "A"), (VERIFIED, "B")])
def test_a_call_is_signed_by_what_the_account_may_use(calling: str, level: str) -> None:
    """An owned number is attested A, a merely verified one B, for the number and the called number."""
    stage = Stage()
    stage.call(calling=calling)
    found = claims(stage)
    assert (found["attest"], found["orig"], found["dest"]) == (level, {"tn": calling}, {"tn": ["12125550123"]})
    assert stage.carrier.requests[0].has("date")
    record = stage.record("decision")
    assert (record["attest"], record["decision"], record["direction"]) == (level, "forward", "origination")
    assert record["identity_sent"] == stage.carrier.requests[0].required("identity")


@pytest.mark.clause("PRV-11", "PRV-03", "PRV-12")
def test_an_anonymous_call_with_an_authorised_number() -> None:
    """Anonymous From, PAI and Privacy: id: signed for the asserted number, which an untrusted carrier does not see."""
    stage = Stage()
    stage.call(from_value=ANONYMOUS, headers=(PAI, "Privacy: id"))
    request = stage.carrier.requests[0]
    assert not request.has("p-asserted-identity")
    assert request.value("privacy") == "id"
    assert "anonymous.invalid" in request.required("from")
    assert claims(stage)["orig"] == {"tn": OWNED}


@pytest.mark.clause("PRV-03", "RFC 3325 7")
def test_a_trusted_carrier_sees_who_an_anonymous_caller_is() -> None:
    """The same call towards a carrier inside the trust domain keeps its PAI."""
    stage = Stage(trunks=changed("carrier-a", trusted=True))
    stage.call(from_value=ANONYMOUS, headers=(PAI, "Privacy: id"))
    assert stage.carrier.requests[0].value("p-asserted-identity") == PAI.partition(": ")[2]


@pytest.mark.clause("PRV-04", "PRV-06")
@pytest.mark.parametrize("headers", [(), ("Privacy: none",)])
def test_without_a_wish_for_privacy_the_pai_goes_along(headers: tuple[str, ...]) -> None:
    """An authorised PAI without privacy, or with Privacy: none, reaches an untrusted carrier."""
    stage = Stage()
    stage.call(headers=(PAI, *headers))
    assert stage.carrier.requests[0].value("p-asserted-identity") == PAI.partition(": ")[2]


@pytest.mark.clause("PRV-01", "PRV-02")
@pytest.mark.parametrize(
    "row", ["P-Preferred-Identity: <sip:+14155550100@x>", "Remote-Party-ID: <sip:+14155550100@x>;privacy=off",
            "Attestation-Info: A", "Origination-ID: 1", "P-Charge-Info: <sip:+14155550100@x>",
            "P-Charging-Vector: icid-value=1", "P-Access-Network-Info: x", "p-visited-network-id: x"],
)  # fmt: skip
def test_what_only_trust_can_carry_is_stripped(row: str) -> None:
    """Headers believed only inside the trust domain never pass from a customer."""
    stage = Stage()
    stage.call(headers=(row,))
    assert not stage.carrier.requests[0].has(row.partition(":")[0].lower())


@pytest.mark.clause("VS-27")
def test_a_customers_verstat_is_stripped() -> None:
    """Nobody says TN-Validation-Passed about itself, in From or in PAI."""
    liar = f"<sip:+{OWNED};verstat=TN-Validation-Passed@192.0.2.11;user=phone>"
    stage = Stage()
    stage.call(from_value=liar, headers=(f"P-Asserted-Identity: {liar}",))
    (data,) = [data for data in stage.octets_to(CARRIER_A) if data.startswith(b"INVITE")]
    assert b"verstat" not in data
    assert stage.pbx.responses[-1].required("from") == f"{liar};tag=caller-tag"


@pytest.mark.clause("PRV-13", "policy")
def test_a_number_that_is_not_owned_is_403() -> None:
    """A forged caller number is refused by name, with a Warning that names the record, and does not leave."""
    stage = Stage()
    stage.call(calling=FORGED)
    refused = stage.pbx.responses[-1]
    assert (refused.code, refused.reason) == (403, "Caller Identity Not Authorized")
    assert refused.value("reason") == 'SIP;cause=403;text="caller-id.not-owned"'
    record = stage.record("decision")
    assert f"(record {record['id']})" in refused.required("warning")
    assert (record["decision"], record["rule"], record["code"]) == ("refuse", "caller-id.not-owned", 403)
    assert refused.to.tag is not None
    assert stage.octets_to(CARRIER_A) == []
    stage.settle()


@pytest.mark.clause("BLK-14", "policy", "PRV-20")
def test_a_replaced_number_shows_only_to_the_carrier() -> None:
    """On a trunk that replaces, the carrier sees the trunk's own number and the caller sees the From it wrote."""
    stage = Stage(trunks=changed("acme-pbx", on_mismatch=OnMismatch.REPLACE, default_number=OWNED))
    forged = f'"Your Bank" <sip:+{FORGED}@192.0.2.11>'
    stage.call(from_value=forged)
    request = stage.carrier.requests[0]
    assert request.required("from") == f"<sip:+{OWNED}@{PROXY[0]};user=phone>;tag=caller-tag"
    assert request.required("p-asserted-identity") == f"<sip:+{OWNED}@{PROXY[0]};user=phone>"
    for response in stage.pbx.responses:
        assert response.required("from") == f"{forged};tag=caller-tag"
    record = stage.record("decision")
    assert (record["calling"]["replaced"], record["calling"]["effective"]) == (OWNED, OWNED)
    assert FORGED in record["calling"]["raw_from"]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("AS-22", "policy")
def test_a_downgraded_call_goes_on_with_b() -> None:
    """On a trunk that downgrades, a number without a right leaves with attestation B."""
    stage = Stage(trunks=changed("acme-pbx", on_mismatch=OnMismatch.DOWNGRADE))
    stage.call(calling=FORGED)
    assert claims(stage)["attest"] == "B"


@pytest.mark.clause("AS-02", "PRX-25", "policy")
def test_a_stranger_is_403_and_on_record() -> None:
    """A source that belongs to no trunk is refused, recorded, and nothing of it leaves."""
    stage = Stage()
    stranger = ("203.0.113.7", 5060)
    outputs = stage.network.inject(invite(source=stranger).encode(), flow_from(stranger))
    assert outputs[0].data.startswith(b"SIP/2.0 100 ")  # type: ignore[union-attr]
    assert stage.octets_to(stranger)[-1].startswith(b"SIP/2.0 403 ")
    record = stage.record("decision")
    assert (record["rule"], record["direction"], record["source"]) == (
        "source.unknown",
        "unknown",
        "udp:203.0.113.7:5060",
    )
    stage.settle()


@pytest.mark.clause("PRX-35", "MSG-18")
def test_options_to_us() -> None:
    """A neighbour's OPTIONS for the proxy is answered here; a stranger's is refused; neither is recorded."""
    stage = Stage()
    options = invite(method="OPTIONS", uri=f"sip:{PROXY[0]}:{PROXY[1]}")
    stage.network.inject(options.encode(), flow_from(ACME_PBX))
    answer = stage.octets_to(ACME_PBX)[0]
    assert answer.startswith(b"SIP/2.0 200 ")
    assert all(name in answer for name in (b"\r\nAllow: INVITE", b"\r\nAccept: ", b"\r\nSupported: "))
    stage.network.inject(options.encode().replace(b"z9hG4bK", b"z9hG4bKx"), flow_from(("203.0.113.7", 5060)))
    assert stage.octets_to(("203.0.113.7", 5060))[0].startswith(b"SIP/2.0 403 ")
    assert stage.events == []


@pytest.mark.clause("PRX-30")
@pytest.mark.parametrize("method", ["REGISTER", "PUBLISH"])
def test_what_a_trunk_proxy_does_not_do_is_405(method: str) -> None:
    """REGISTER and PUBLISH get 405 with Allow."""
    stage = Stage()
    stage.call(method=method)
    assert stage.pbx.codes == [405]
    assert "INVITE" in stage.pbx.responses[0].required("allow")


@pytest.mark.clause("policy", "AS-25")
def test_a_message_is_screened_too() -> None:
    """An out-of-dialog MESSAGE from a number the account may use goes on, unsigned; from another it is 403."""
    stage = Stage()
    stage.call(method="MESSAGE")
    stage.call(method="MESSAGE", calling=FORGED, call_id="call-2@sample")
    assert stage.pbx.codes == [200, 403]
    assert [request.method for request in stage.carrier.requests] == ["MESSAGE"]
    assert not stage.carrier.requests[0].has("identity")
    stage.settle()


@pytest.mark.clause("EMG-04", "EMG-05", "EMG-12")
def test_an_emergency_call_goes_to_the_rescue_trunk() -> None:
    """911 from a provisioned number goes to the emergency trunk as dialled, with its PAI despite Privacy: id."""
    stage = Stage()
    stage.call(from_value=ANONYMOUS, headers=(PAI, "Privacy: id"), **EMERGENCY)
    request = stage.rescue.requests[0]
    assert request.uri == f"sip:911@{RESCUE[0]};user=phone"
    assert request.value("p-asserted-identity") == PAI.partition(": ")[2]
    assert stage.record("decision")["emergency"] == "911"
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("EMG-02", "EMG-06")
def test_a_service_urn_stays_in_the_request_uri() -> None:
    """urn:service:sos is routed as an emergency call and leaves as it came, Geolocation untouched."""
    stage = Stage()
    stage.call(uri="urn:service:sos.fire", headers=("Geolocation: <cid:x@y>", "Geolocation-Routing: yes"))
    request = stage.rescue.requests[0]
    assert request.uri == "urn:service:sos.fire"
    assert request.value("geolocation") == "<cid:x@y>"


@pytest.mark.clause("EMG-04")
@pytest.mark.parametrize(
    ("changes", "trunks"),
    [
        ({"headers": (f"P-Asserted-Identity: <sip:+{FORGED}@x>",)}, TRUNKS),  # a number of somebody else beside
        ({"headers": ("P-Asserted-Identity: <sip:+14155550199@x>",)}, TRUNKS),  # on a do-not-originate list
        ({}, tuple(trunk for trunk in TRUNKS if trunk.name != "rescue")),  # no emergency trunk: any will do
    ],
)
def test_nothing_refuses_a_provisioned_emergency_call(changes: dict[str, Any], trunks: tuple[Trunk, ...]) -> None:
    """Rules that would refuse any other call are only recorded."""
    stage = Stage(trunks=trunks)
    stage.call(**EMERGENCY, **changes)
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("EMG-04")
def test_an_unprovisioned_emergency_call_is_the_operators_choice() -> None:
    """From a number that is not registered: refused with an alert, or routed where the operator says so."""
    stage = Stage()
    stage.call(calling=VERIFIED, **EMERGENCY)
    assert stage.pbx.codes == [100, 403]
    record = stage.record("decision")
    assert record["alert"] is True
    named = [record[name] for name in ("emergency", "emergency_provisioned", "emergency_handling")]
    assert named == ["911", False, "reject"]
    assert any(log.event == "alert" for log in stage.network.logs)
    routed = Stage(policy=PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE))
    routed.call(calling=FORGED, **EMERGENCY)
    assert routed.pbx.codes[-1] == 200
    assert len(routed.rescue.requests) == 1


@pytest.mark.clause("EMG-04", "47 CFR 9.11")
@pytest.mark.parametrize(
    ("choice", "traffic_class", "pai"),
    [
        (Unprovisioned.ANNOUNCE, TrafficClass.ANNOUNCEMENT, False),
        (Unprovisioned.ROUTE_TO_ECRC, TrafficClass.ECRC, True),
    ],
)
def test_an_unprovisioned_caller_is_taken_elsewhere(
    choice: Unprovisioned, traffic_class: TrafficClass, pai: bool
) -> None:
    """To an announcement, or to a relay centre that is told the number: with an alert and a record of what was done."""
    stage = Stage(
        trunks=changed("carrier-b", classes=frozenset((traffic_class,))),
        policy=PolicySettings(emergency_unprovisioned_by_country={"US": choice}),
    )
    asserted = (f"P-Asserted-Identity: <sip:+{VERIFIED}@pbx.example>", "Privacy: id")
    stage.call(calling=VERIFIED, headers=asserted, **EMERGENCY)
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.rescue.requests == []
    assert stage.dialer.requests[0].has("p-asserted-identity") is pai
    record = stage.record("decision")
    assert (record["alert"], record["emergency_provisioned"], record["emergency_handling"]) == (True, False, choice)
    assert stage.engine.counters["alarms", "emergency.unprovisioned"] == 1
    logged = next(log.fields for log in stage.network.logs if log.event == "emergency.call")
    assert (logged["provisioned"], logged["handling"]) == (False, choice)


@pytest.mark.clause("EMG-16")
def test_without_a_relay_centre_the_emergency_trunk_takes_the_call() -> None:
    """A relay centre that is configured and not there does not cost the call."""
    stage = Stage(policy=PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE_TO_ECRC))
    stage.call(calling=VERIFIED, **EMERGENCY)
    assert len(stage.rescue.requests) == 1


@pytest.mark.clause("47 CFR 9.16")
def test_who_is_to_be_told_hears_of_every_emergency_call() -> None:
    """A call with place and call-back number, a test as such, a refusal with its reason; nothing of other calls."""
    stage = Stage()
    stage.call(**EMERGENCY)
    record = stage.record("decision")
    stage.call(call_id="call-2@sample", **EMERGENCY | {"uri": f"sip:933@{PROXY[0]}"})
    stage.call(call_id="call-3@sample", calling=VERIFIED, **EMERGENCY)
    stage.call(call_id="call-4@sample")
    call, test, refused = stage.network.notices
    assert call == {
        "event": "emergency.call", "at": record["at"], "node": "edge-1",
        "record": record["id"], "trunk": "acme-pbx", "account": "acme",
        "dialled": f"sip:911@{PROXY[0]};user=phone", "number": "911", "caller": f"+{OWNED}", "callback": f"+{OWNED}",
        "location": "1 Main St", "unit": None, "provisioned": True, "detail": "",
    }  # fmt: skip
    assert (test["event"], test["number"]) == ("emergency.test", "933")
    assert (refused["event"], refused["caller"], refused["provisioned"]) == ("emergency.refused", f"+{VERIFIED}", False)
    assert refused["number"] == "911"
    assert "is not provisioned" in refused["detail"]


@pytest.mark.clause("EMG-03")
def test_a_test_call_is_recorded_as_one() -> None:
    """933 goes where 911 goes, and record and log say that nobody is in need."""
    stage = Stage()
    stage.call(**EMERGENCY | {"uri": "sip:933@192.0.2.1;user=phone"})
    assert stage.rescue.requests[0].uri == f"sip:933@{RESCUE[0]};user=phone"
    record = stage.record("decision")
    assert (record["emergency"], record["emergency_test"], record["emergency_provisioned"]) == ("933", True, True)
    assert [log.event for log in stage.network.logs if log.event.startswith("emergency")] == ["emergency.test"]
    refused = Stage()
    refused.call(calling=VERIFIED, **EMERGENCY | {"uri": "sip:933@192.0.2.1;user=phone"})
    record = refused.record("decision")
    assert (record["emergency"], record["emergency_test"], record["emergency_provisioned"]) == ("933", True, False)


@pytest.mark.clause("EMG-04")
def test_an_emergency_call_from_a_trunk_without_an_account() -> None:
    """A trunk nobody gave an account still reaches help where unprovisioned calls are routed; no other call does."""
    trunks = changed("acme-pbx", account=None)
    stage = Stage(trunks=trunks, policy=PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE))
    stage.call(**EMERGENCY)
    stage.call(call_id="call-2@sample")
    assert stage.pbx.codes == [100, 180, 200, 100, 403]
    assert stage.network.records[-1]["rule"] == "source.no-account"


@pytest.mark.clause("EMG-16")
@pytest.mark.parametrize("code", [404, 480, 486, 500, 503])
def test_an_emergency_call_tries_every_target(code: int) -> None:
    """A rescue target that refuses, whatever it says short of a 6xx, is followed by the next."""
    stage = Stage(
        trunks=changed("rescue", targets=(target(RESCUE), target(CARRIER_B))), scripts={"rescue": refusing(code)}
    )
    stage.call(**EMERGENCY)
    assert stage.pbx.codes == [100, 180, 200]
    assert len(stage.dialer.requests) == 1


@pytest.mark.clause("EMG-04", "PRX-26")
def test_without_any_route_an_emergency_call_is_answered_all_the_same() -> None:
    """No trunk at all: the call is recorded and ends with 480, it never hangs."""
    stage = Stage(trunks=tuple(trunk for trunk in TRUNKS if trunk.side is Side.CUSTOMER))
    stage.call(**EMERGENCY)
    assert stage.pbx.codes == [100, 480]
    stage.settle()


@pytest.mark.clause("policy")
def test_a_route_rule_that_only_reports_does_not_hang_the_call() -> None:
    """destination.no-route in report mode: there is still nowhere to go, which is 480."""
    trunks = tuple(trunk for trunk in TRUNKS if trunk.name != "carrier-a")
    stage = Stage(trunks=trunks, policy=PolicySettings(modes={"destination.no-route": Mode.REPORT}))
    stage.call()
    assert stage.pbx.codes == [100, 480]
    stage.settle()


@pytest.mark.clause("MSG-15", "MSG-17", "MSG-18", "MSG-20", "PRX-12")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"uri": "mailto:+12125550123@192.0.2.1"}, 416),
        ({"uri": "sip:+12125550123@192.0.2.1?Route=%3Csip:x%3E"}, 400),
        ({"headers": ("Proxy-Require: foo, bar",)}, 420),
        ({"uri": "sip:12@192.0.2.1"}, 484),
    ],
)
def test_what_is_refused_before_or_by_the_number(changes: dict[str, Any], code: int) -> None:
    """A foreign scheme, headers in the URI, an unknown Proxy-Require, a number that is none."""
    stage = Stage()
    stage.call(**changes)
    assert stage.pbx.codes[-1] == code
    if code == 420:
        assert stage.pbx.responses[-1].listed("unsupported") == ["foo", "bar"]
    assert stage.octets_to(CARRIER_A) == []


@pytest.mark.clause("PRX-15", "MSG-18")
def test_no_hop_left_is_483() -> None:
    """Max-Forwards 0 ends here."""
    stage = Stage()
    request = invite()
    request.set("max-forwards", "0")
    stage.pbx.start(request)
    stage.network.run(1)
    assert stage.pbx.codes == [483]
    stage.settle()


@pytest.mark.clause("PRX-12", "RFC 5393 4.2")
def test_a_loop_is_482_and_a_spiral_is_not() -> None:
    """Our own request back unchanged gets 482; with another Request-URI it is a new request."""
    stage = Stage()
    stage.call()
    (data,) = [data for data in stage.octets_to(CARRIER_A) if data.startswith(b"INVITE")]
    via = b"Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKback\r\nVia: SIP/2.0/UDP"
    looped = data.replace(b"Via: SIP/2.0/UDP", via, 1)
    stage.network.inject(looped, flow_from(CARRIER_A))
    assert stage.octets_to(CARRIER_A)[-1].startswith(b"SIP/2.0 482 ")
    spiral = looped.replace(b"z9hG4bKback", b"z9hG4bKspiral")
    spiral = spiral.replace(b"INVITE sip:+12125550123", b"INVITE sip:+14155550100", 1)
    stage.network.inject(spiral, flow_from(CARRIER_A))
    stage.network.run(3)  # nobody brings the certificate of our own signature
    assert stage.requests_to(ACME_PBX, "INVITE") != []


@pytest.mark.clause("robo-dial", "policy")
def test_a_burst_of_short_calls_is_diverted() -> None:
    """A hundred and fifty calls of a moment tag the account; its next call leaves by the segregated trunk."""
    stage = Stage(policy=PolicySettings(modes={"robodial.tag": Mode.DIVERT}))
    for number in range(150):
        stage.call(0.7, call_id=f"burst-{number}@sample")
        stage.hang_up(seconds=0.1)
    before = len(stage.carrier.requests)
    stage.call(call_id="after@sample")
    assert len(stage.carrier.requests) == before
    assert stage.dialer.requests[-1].call_id == "after@sample"
    record = [record for record in stage.network.records if record["event"] == "decision"][-1]
    assert (record["traffic_class"], record["routes"]) == ("dialer", ["carrier-b"])
    assert "short-calls" in record["tags"]  # type: ignore[operator]
    stage.call(called="911", uri=f"sip:911@{PROXY[0]}", call_id="help@sample")
    assert stage.rescue.requests[-1].call_id == "help@sample"


@pytest.mark.clause("policy")
@pytest.mark.parametrize("mode", list(Mode))
def test_the_counter_of_reports_agrees_with_the_records(mode: Mode) -> None:
    """A caller number that is let go on though it is nobody's counts where its record says that a rule reported."""
    stage = Stage(policy=PolicySettings(modes={"caller-id.not-owned": mode}))
    stage.call(calling=FORGED)
    reported = stage.record("decision").get("reported", [])
    counted = stage.engine.counters.get(("reported", "origination", "caller-id.not-owned"), 0)
    assert (counted, reported) == ((1, ["caller-id.not-owned"]) if mode is Mode.REPORT else (0, []))


@pytest.mark.clause("PRV-18", "policy: evading filters")
@pytest.mark.parametrize("inner", ["tgrp=premium;trunk-context=carrier.example", "rn=+19005550100;npdi", "cic=+10288"])
def test_a_customer_chooses_no_way_at_the_carrier(inner: str) -> None:
    """Which trunk group, carrier or routing number a call takes is not for its caller to say."""
    stage = Stage()
    stage.call(uri=f"sip:+12125550123;{inner}@{PROXY[0]};user=phone")
    assert stage.carrier.requests[0].uri == f"sip:+12125550123@{CARRIER_A[0]};user=phone"


@pytest.mark.clause("EMG-03", "EMG-04")
@pytest.mark.parametrize("user", ["*67911", "%2A829911", "%2331%23911"])
def test_a_telephone_that_hides_its_number_reaches_help(user: str) -> None:
    """The code before the number is taken off, and the call is an emergency call like any other."""
    stage = Stage()
    stage.call(uri=f"sip:{user}@{PROXY[0]};user=phone", called="911")
    assert stage.rescue.requests[0].uri == f"sip:911@{RESCUE[0]};user=phone"
    assert stage.record("decision")["emergency"] == "911"

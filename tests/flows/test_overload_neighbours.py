"""Overload control with neighbours (RFC 7339): what they are told, and what we do when they tell us."""

import pytest

from sipguard.engine import Send
from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.proxy.oc_parameters import Demand
from sipguard.proxy.overload import OverloadSettings
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_A_SPARE, CARRIER_B, changed, flow_from, invite, target
from tests.flows.stage import Stage, octets, silent, with_settings
from tests.flows.test_overload import offered, overloaded

SHEDDING = with_settings(overload=OverloadSettings(most_shed=1.0))
OFFER = ';oc;oc-algo="loss,A"'
LISTENING = changed("carrier-a", overload_control=True)


def offering(call_id: str = "call-1@sample") -> Request:
    """A call whose client offers overload control."""
    data = invite(call_id=call_id).encode().replace(b";rport\r\n", f";rport{OFFER}\r\n".encode(), 1)
    request = parse(data)
    assert isinstance(request, Request)
    return request


def answers(stage: Stage) -> list[Response]:
    """What the caller got."""
    parsed = [parse(data) for data in stage.octets_to(ACME_PBX) if data.startswith(b"SIP/2.0")]
    return [message for message in parsed if isinstance(message, Response)]


@pytest.mark.clause("PRX-36", "RFC 7339 5.1", "RFC 7339 5.11")
def test_who_offers_is_told_in_every_response() -> None:
    """Not overloaded: oc=0, the one algorithm, oc-validity=0 and oc-seq, in 100, 180 and 200."""
    stage = Stage()
    stage.network.inject(offering().encode(), flow_from(ACME_PBX))
    stage.network.run(2)
    assert [response.code for response in answers(stage)][:3] == [100, 180, 200]
    for response in answers(stage):
        parameters = response.via.parameters
        assert (parameters["oc"], parameters["oc-algo"], parameters["oc-validity"]) == ("0", "loss", "0")
        assert parameters["oc-seq"]
        assert response.required("via").count('oc-algo="loss"') == 1
        assert response.via.branch == "z9hG4bKcall-1"


@pytest.mark.clause("PRX-36", "RFC 7339 5.2")
def test_under_overload_it_is_told_how_much_to_leave_out() -> None:
    """The share that is shed, in percent, with a validity, in the responses to calls that were let in."""
    stage = Stage(settings=with_settings(overload=OverloadSettings(most_shed=0.5)))
    stage.network.inject(offering().encode(), flow_from(ACME_PBX))
    overloaded(stage)
    stage.network.run(0.2)
    told = answers(stage)[-1].via.parameters
    assert (told["oc"], told["oc-validity"]) == ("50", "500")
    first = answers(stage)[0].via.parameters
    assert float(told["oc-seq"] or "") > float(first["oc-seq"] or "")


@pytest.mark.clause("PRX-36", "RFC 7339 5.10")
def test_a_refusal_says_oc_in_place_of_retry_after() -> None:
    """To a client that offers, the 503 has no Retry-After."""
    stage = Stage(settings=SHEDDING)
    overloaded(stage)
    offered(stage, 1)
    (output,) = stage.network.inject(offering("late@sample").encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    response = parse(output.data)
    assert isinstance(response, Response)
    assert response.code == 503
    assert response.via.parameters["oc"] == "100"
    assert not response.has("retry-after")


@pytest.mark.clause("PRX-36", "RFC 7339 5.1")
def test_who_does_not_offer_is_told_nothing() -> None:
    """No overload control parameter in any response, overloaded or not."""
    stage = Stage(settings=SHEDDING)
    stage.pbx.start(invite())
    stage.network.run(0.5)
    overloaded(stage)
    offered(stage, 5)
    stage.network.run(1)
    assert [data for data in stage.octets_to(ACME_PBX) if b"oc=" in data or b";oc" in data] == []


@pytest.mark.clause("PRX-36", "RFC 7339 5.2")
def test_a_stranger_is_told_nothing() -> None:
    """Only configured neighbours learn what we can do and how busy we are."""
    stage = Stage()
    outputs = stage.network.inject(offering().encode(), flow_from(("198.51.100.9", 5060)))
    sent = [output.data for output in outputs if isinstance(output, Send)]
    assert sent
    assert not [data for data in sent if b"oc" in data.partition(b"\r\nFrom")[0]]


@pytest.mark.clause("PRX-36", "RFC 7339 5.6")
def test_an_offer_is_not_passed_on() -> None:
    """The next hop sees no overload control parameter of the client before us."""
    stage = Stage()
    stage.network.inject(offering().encode(), flow_from(ACME_PBX))
    stage.network.run(1)
    (request,) = stage.requests_to(CARRIER_A, "INVITE")
    assert not [via for via in request.listed("via") if "oc" in via]


@pytest.mark.clause("RFC 7339 5.4")
def test_what_a_server_puts_into_the_via_of_the_caller_does_not_pass() -> None:
    """Parameters in the Via of somebody who offered nothing are taken out."""
    stage = Stage()
    stage.pbx.start(invite())
    stage.network.run(0.05)
    (request,) = stage.requests_to(CARRIER_A, "INVITE")
    stage.network.inject(response_of(request, 183, "", ";oc=100;oc-validity=60000"), flow_from(CARRIER_A))
    (passed,) = [data for data in stage.octets_to(ACME_PBX) if data.startswith(b"SIP/2.0 183")]
    assert b"oc=" not in passed


def response_of(request: Request, code: int, ours: str, callers: str = "") -> bytes:
    """A response of a target, with parameters in the Via we added and in that of the caller."""
    first, *others = request.listed("via")
    rows = [f"Via: {first.partition(';oc')[0]}{ours}", *(f"Via: {via}{callers}" for via in others)]
    rows += [f"{name}: {request.required(name)}" for name in ("from", "to", "call-id", "cseq")]
    rows = [f"{row};tag=carrier" if row.startswith("to:") else row for row in rows]
    return octets(f"SIP/2.0 {code} Whatever", *rows, f"Contact: <sip:{CARRIER_A[0]}>")


# --- as a client


def told(stage: Stage, parameters: str, call_id: str = "first@sample") -> None:
    """A call is made, and carrier-a refuses it as busy, with these parameters in our Via."""
    stage.network.inject(invite(call_id=call_id).encode(), flow_from(ACME_PBX))
    stage.network.run(0.03)
    request = next(found for found in stage.requests_to(CARRIER_A, "INVITE") if found.call_id == call_id)
    stage.network.inject(response_of(request, 486, parameters), flow_from(CARRIER_A))


@pytest.mark.clause("PRX-36", "RFC 7339 4.1", "RFC 7339 5.1")
def test_targets_are_offered_overload_control_where_the_trunk_says_so() -> None:
    """``oc`` without a value and the algorithm we know, and nothing towards other trunks."""
    stage = Stage(trunks=LISTENING)
    stage.call()
    (request,) = stage.requests_to(CARRIER_A, "INVITE")
    assert request.listed("via")[0].endswith(';rport;oc;oc-algo="loss"')
    stage.hang_up()
    (bye,) = stage.requests_to(CARRIER_A, "BYE")
    assert ';oc;oc-algo="loss"' in bye.listed("via")[0]
    plain = Stage()
    plain.call()
    assert ";oc" not in plain.requests_to(CARRIER_A, "INVITE")[0].required("via")
    assert plain.requests_to(CARRIER_B, "INVITE") == []


@pytest.mark.clause("PRX-36", "RFC 7339 5.5", "RFC 7339 5.10")
def test_calls_go_to_the_next_target_when_one_asks_for_less() -> None:
    """oc=100: every new call goes to the spare target for as long as the demand holds, then to the first again."""
    stage = Stage(trunks=LISTENING)
    told(stage, ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1')
    stage.call(call_id="second@sample")
    assert [request.call_id for request in stage.spare.requests if request.method == "INVITE"] == ["second@sample"]
    stage.network.run(6)
    stage.call(call_id="third@sample")
    assert "third@sample" in [request.call_id for request in stage.carrier.requests]


@pytest.mark.clause("PRX-36", "RFC 7339 5.7")
def test_a_validity_of_zero_ends_it() -> None:
    """The server says that it is well again: the next call goes there."""
    stage = Stage(trunks=LISTENING, scripts={"carrier-a": silent()})
    stage.network.inject(invite(call_id="earlier@sample").encode(), flow_from(ACME_PBX))
    stage.network.run(0.03)
    (earlier,) = stage.requests_to(CARRIER_A, "INVITE")
    told(stage, ';oc=100;oc-algo="loss";oc-validity=60000;oc-seq=1.1')
    well = response_of(earlier, 183, ';oc=100;oc-algo="loss";oc-validity=0;oc-seq=1.2')
    stage.network.inject(well, flow_from(CARRIER_A))
    stage.call(call_id="second@sample")
    assert "second@sample" in [request.call_id for request in stage.carrier.requests]


def demand_of(loss: float) -> Demand:
    """Such a share, for a minute."""
    return Demand(loss, 60.0, None)


@pytest.mark.clause("PRX-36", "RFC 7339 5.10")
def test_without_another_target_the_caller_hears_503() -> None:
    """Nobody is left who may be asked: 503 without Retry-After, and the record ends so."""
    trunks = changed("carrier-a", overload_control=True, targets=changed("carrier-a")[1].targets[:1])
    stage = Stage(trunks=trunks)
    told(stage, ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1')
    stage.call(call_id="second@sample")
    *_, last = (response for response in answers(stage) if response.call_id == "second@sample")
    assert last.code == 503
    assert not last.has("retry-after")
    assert [record["code"] for record in stage.network.records if record["event"] == "end"][-1] == 503


@pytest.mark.clause("PRX-36", "EMG-17", "RFC 7339 5.10.1")
def test_an_emergency_call_goes_to_a_server_that_wants_nothing() -> None:
    """Emergency calls are never held back."""
    trunks = changed("rescue", overload_control=True)
    stage = Stage(trunks=trunks)
    stage.engine._station.throttle.learn(("192.0.2.41", 5060), demand_of(1.0), stage.network.now)
    stage.call(uri="sip:911@192.0.2.1")
    assert stage.rescue.requests[0].method == "INVITE"
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("PRX-36", "RFC 7339 5.10.1")
def test_requests_in_a_dialog_go_to_a_server_that_wants_nothing() -> None:
    """A call that is up ends as ever."""
    stage = Stage(trunks=LISTENING)
    stage.call()
    stage.engine._station.throttle.learn(CARRIER_A, demand_of(1.0), stage.network.now)
    stage.hang_up()
    assert stage.pbx.codes[-1] == 200
    assert stage.requests_to(CARRIER_A, "BYE")
    assert stage.octets_to(CARRIER_A_SPARE) == []


@pytest.mark.clause("PRX-36", "RFC 7339 11")
def test_who_was_offered_nothing_is_not_heeded() -> None:
    """Parameters from a trunk without ``overload_control`` change nothing."""
    stage = Stage()
    told(stage, ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1')
    stage.call(call_id="second@sample")
    assert "second@sample" in [request.call_id for request in stage.carrier.requests]


@pytest.mark.clause("PRX-36", "RFC 7339 5.4")
def test_a_server_behind_a_name_is_heeded_by_its_address() -> None:
    """The offer goes to each server of a named target, and what one asks for is of its address and port alone."""
    trunks = changed("carrier-a", overload_control=True, targets=(target(("carrier.example", 5060)),), sources=())
    stage = Stage(trunks=trunks)
    need = TargetNeed("carrier.example", 5060, "udp")
    stage.network.answers[need] = TargetAnswer((Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)))
    told(stage, ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1')
    assert ";oc;" in stage.requests_to(CARRIER_A, "INVITE")[0].listed("via")[0]
    stage.call(call_id="second@sample")
    assert [request.call_id for request in stage.spare.requests if request.method == "INVITE"] == ["second@sample"]

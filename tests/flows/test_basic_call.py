"""One whole call from a customer to the network, and what the messages look like on the way."""

import pytest

from sipguard.engine import Send
from sipguard.sip.flow import Listener
from sipguard.testing.sample import ACME_PBX, CARRIER_A, LISTENERS, PROXY, changed, flow_from, invite, target
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, answer_to, octets, silent


@pytest.mark.clause("TXN-32", "RFC 3261 16.2", "MSG-23")
def test_trying_is_ours_and_at_once() -> None:
    """The 100 leaves in the same instant, copies Timestamp, and is the only one the caller hears."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=0.01)})
    outputs = stage.network.inject(invite(headers=("Timestamp: 54",)).encode(), flow_from(ACME_PBX))
    trying = outputs[0].data  # type: ignore[union-attr]
    assert trying.startswith(b"SIP/2.0 100 Trying\r\n")
    assert b"Timestamp: 54\r\n" in trying
    assert b";tag=" not in trying.partition(b"To:")[2].partition(b"\r\n")[0]
    stage.network.run(2)
    hundreds = [data for data in stage.octets_to(ACME_PBX) if data.startswith(b"SIP/2.0 100 ")]
    assert hundreds == [trying]
    stage.settle()


@pytest.mark.clause("TXN-32")
def test_the_targets_100_is_not_forwarded() -> None:
    """A 100 of the carrier stops here."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=None, answer_after=0.2)})
    stage.pbx.start(invite())
    stage.network.run(0.05)
    (request,) = stage.carrier.requests
    vias = [row for row, name in zip(request.rows, request.names, strict=True) if name == "via"]
    trying = octets(
        "SIP/2.0 100 Trying",
        *vias,
        *(f"{name}: {request.required(name)}" for name in ("from", "to", "call-id", "cseq")),
    )
    before = len(stage.network.sent)
    stage.network.inject(trying, flow_from(CARRIER_A))
    assert len(stage.network.sent) == before


@pytest.mark.clause("RFC 3261 16", "FRK-01")
def test_a_call_from_ring_to_bye() -> None:
    """180, 200, ACK and BYE all come through, and nothing is left afterwards."""
    stage = Stage()
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    assert len(stage.carrier.acks) == 1
    stage.hang_up()
    assert stage.pbx.codes == [100, 180, 200, 200]
    assert [request.method for request in stage.carrier.requests] == ["INVITE", "BYE"]
    assert stage.engine.active_calls == 0
    stage.settle()


@pytest.mark.clause("PRX-01", "PRX-08", "MSG-18", "RFC 3261 16.6")
def test_what_the_proxy_adds() -> None:
    """Our Via is on top of the caller's, we are on the route, one hop is spent, the Request-URI is the target's."""
    stage = Stage()
    stage.call()
    (request,) = stage.carrier.requests
    assert request.uri == f"sip:+12125550123@{CARRIER_A[0]};user=phone"
    vias = request.listed("via")
    assert len(vias) == 2
    assert vias[0].startswith(f"SIP/2.0/UDP {PROXY[0]}:{PROXY[1]};branch=z9hG4bK")
    assert f"{ACME_PBX[0]}:{ACME_PBX[1]};branch=z9hG4bKcall-1" in vias[1]
    (route,) = request.listed("record-route")
    assert route.startswith(f"<sip:{PROXY[0]}:{PROXY[1]};lr;dialog=")
    assert request.value("max-forwards") == "69"


@pytest.mark.clause("PRX-15")
@pytest.mark.clause("MSG-18", "RFC 3261 16.6 (3)")
def test_missing_max_forwards_becomes_70() -> None:
    """A request without Max-Forwards leaves with 70."""
    stage = Stage()
    request = invite()
    request.remove("max-forwards")
    stage.network.inject(request.encode(), flow_from(ACME_PBX))
    (sent,) = stage.requests_to(CARRIER_A, "INVITE")
    assert sent.value("max-forwards") == "70"


@pytest.mark.clause("PRX-02", "RFC 3261 16.6 (1)")
def test_what_nobody_changed_leaves_unchanged() -> None:
    """Body and unknown headers are byte-exact, folds and odd spaces included, in their order."""
    rows = ("X-Odd  :  one\r\n  two", "x-ODD: \xc3\xa9\xff", "Subject:", "s:\tcompact")
    stage = Stage()
    request = invite(headers=rows)
    stage.network.inject(request.encode(), flow_from(ACME_PBX))
    (data,) = [data for data in stage.octets_to(CARRIER_A) if data.startswith(b"INVITE")]
    assert "\r\n".join(rows).encode("latin-1") in data
    assert data.endswith(b"\r\n\r\n" + request.body)
    kept = [
        row.encode("latin-1")
        for row, name in zip(request.rows, request.names, strict=True)
        if name not in ("via", "max-forwards")
    ]
    assert [row for row in kept if row not in data] == []


@pytest.mark.clause("PRX-01", "TXN-02")
def test_a_retransmission_has_the_same_branch() -> None:
    """Our own retransmissions are octet-identical."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.call(5)
    sent = [data for data in stage.octets_to(CARRIER_A) if data.startswith(b"INVITE")]
    assert len(sent) > 2
    assert len(set(sent)) == 1


@pytest.mark.clause("PRX-20", "PRX-10", "RFC 3261 16.7 (3)")
def test_our_via_comes_off_responses() -> None:
    """The caller gets its own Via and the Record-Route the callee echoed, with a token of its own, nothing else."""
    stage = Stage()
    stage.call()
    answer = stage.pbx.responses[-1]
    assert len(answer.listed("via")) == 1
    assert answer.via.branch == "z9hG4bKcall-1"
    (shown,), (sent,) = answer.listed("record-route"), stage.carrier.requests[0].listed("record-route")
    assert shown.rpartition(".")[0] == sent.rpartition(".")[0]
    assert shown != sent


@pytest.mark.clause("PRX-20", "RFC 3261 16.7 (3)")
@pytest.mark.parametrize("status", ["180 Ringing", "200 OK", "486 Busy Here"])
def test_a_response_without_another_via_is_ours_and_goes_no_further(status: str) -> None:
    """Our Via is the only one in it: nothing goes to the caller, and no error of ours comes of it."""
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call(0.05)
    (request,) = stage.carrier.requests
    rows = [f"{name}: {request.required(name)}" for name in ("from", "call-id", "cseq")]
    only_ours = octets(
        f"SIP/2.0 {status}", f"Via: {request.listed('via')[0]}", f"To: {request.required('to')};tag=a", *rows
    )
    outputs = stage.network.inject(only_ours, flow_from(CARRIER_A))
    assert [output.flow.host for output in outputs if isinstance(output, Send) and output.data[:3] == b"SIP"] == []
    assert stage.errors == []


@pytest.mark.clause("TXN-17", "RFC 3261 17.2.1")
def test_a_duplicate_invite_is_not_forwarded_twice() -> None:
    """A retransmitted INVITE gets the last response again, and is neither forwarded nor recorded again."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=0.01, answer_after=None)})
    data = invite().encode()
    stage.network.inject(data, flow_from(ACME_PBX))
    stage.network.run(0.4)
    (again,) = stage.network.inject(data, flow_from(ACME_PBX))
    assert again.data.startswith(b"SIP/2.0 180 ")  # type: ignore[union-attr]
    assert len(stage.requests_to(CARRIER_A, "INVITE")) == 1
    assert stage.events == ["decision"]


@pytest.mark.clause("RFC 6026 7.1", "FRK-01")
def test_a_retransmitted_2xx_is_forwarded_each_time() -> None:
    """Until the ACK comes through, each 200 of the callee goes back, and the record is written once."""
    stage = Stage()
    stage.pbx.network.unreachable = set()
    stage.call(0.2)
    server = stage.carrier.requests[0]
    assert server.method == "INVITE"
    stage.network.run(2)
    two_hundred = next(send for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0 200"))
    answer = stage.pbx.responses[-1].fork()
    answer.prepend("via", stage.carrier.requests[0].listed("via")[0])
    outputs = stage.network.inject(answer.encode(), flow_from(CARRIER_A))
    assert [output.data for output in outputs] == [two_hundred.data]  # type: ignore[union-attr]
    assert stage.events == ["decision", "answer"]


@pytest.mark.clause("TXN-09", "RFC 6026 7.3")
def test_a_response_nobody_asked_for_is_dropped() -> None:
    """A response with our address on top and a branch we never made goes nowhere."""
    stage = Stage()
    stray = octets(
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKforged", "Via: SIP/2.0/UDP 203.0.113.9",
        "From: <sip:a@b>;tag=1", "To: <sip:c@d>;tag=2", "Call-ID: stray", "CSeq: 1 INVITE",
    )  # fmt: skip
    assert stage.network.inject(stray, flow_from(CARRIER_A)) == []


@pytest.mark.clause("PRX-21", "RFC 3261 18.1.2")
@pytest.mark.parametrize(
    ("sent_by", "ours"),
    [
        ("192.0.2.1:5060", True),
        ("192.0.2.1", True),
        ("192.0.2.1:5061", False),
        ("192.0.2.10:5060", False),
        ("192.0.2.21:5060", False),
        ("proxy.example", False),
    ],
)
def test_a_response_that_is_not_for_us_is_dropped(sent_by: str, ours: bool) -> None:
    """The branch is one of ours, but whoever wrote the top Via is not us: the response is dropped without a word."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.call(0.1)
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    answer = answer_to(request, "200 OK", "a", f"Contact: <sip:{CARRIER_A[0]}>")
    forged = answer.replace(b"SIP/2.0/UDP 192.0.2.1:5060", f"SIP/2.0/UDP {sent_by}".encode(), 1)
    sent = [output for output in stage.network.inject(forged, flow_from(CARRIER_A)) if isinstance(output, Send)]
    assert [output.data[:11] for output in sent] == ([b"SIP/2.0 200"] if ours else [])
    assert ("answer" in stage.events) is ours


@pytest.mark.clause("PRX-16", "PRX-17", "PRX-18", "RFC 3581 4")
def test_the_answer_goes_back_where_the_request_came_from() -> None:
    """With rport a caller behind a translation gets its responses at its real port, marked received and rport."""
    stage = Stage()
    behind = (ACME_PBX[0], 40123)
    hidden = invite(source=("10.0.0.9", 5060))
    outputs = stage.network.inject(hidden.encode(), flow_from(behind))
    trying = outputs[0]
    assert trying.flow.port == 40123  # type: ignore[union-attr]
    assert b"received=192.0.2.11" in trying.data  # type: ignore[union-attr]
    assert b"rport=40123" in trying.data  # type: ignore[union-attr]


@pytest.mark.clause("PRX-18", "RFC 3581 4", "RFC 3261 18.2.2")
@pytest.mark.parametrize("asks_for_port", [True, False])
def test_every_answer_leaves_from_where_the_request_arrived(asks_for_port: bool) -> None:
    """On a host with two addresses 100, 180 and 200 all leave from the one that was called, rport or not."""
    second = Listener(2, "udp", "198.51.100.1", 5060, "198.51.100.1", 5060)
    stage = Stage(listeners=(*LISTENERS, second))
    data = invite().encode() if asks_for_port else invite().encode().replace(b";rport", b"")
    stage.network.inject(data, flow_from(ACME_PBX)._replace(listener=2))
    stage.network.run(1)
    answers = [send for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0")]
    assert {send.data[8:11] for send in answers} == {b"100", b"180", b"200"}
    assert {(send.flow.listener, send.flow.host, send.flow.port) for send in answers} == {(2, *ACME_PBX)}


@pytest.mark.clause("PRX-11", "PRX-04", "RFC 3261 16.6 (2)")
def test_the_request_uri_keeps_only_what_is_the_callees() -> None:
    """maddr, ttl, method and transport of the hop before are gone, and a routing number; any other parameter stays."""
    trunks = changed("carrier-a", targets=(target((CARRIER_A[0], 5070)),))
    stage = Stage(trunks=trunks)
    user = "+1-212-555-0123;isub=7;npdi;rn=+19005550100"
    uri = f"sip:{user}@{PROXY[0]};maddr=203.0.113.1;method=BYE;transport=udp;ttl=3;odd=1"
    stage.network.inject(invite(uri=uri).encode(), flow_from(ACME_PBX))
    (sent,) = stage.requests_to((CARRIER_A[0], 5070), "INVITE")
    assert sent.uri == f"sip:+12125550123;isub=7@{CARRIER_A[0]}:5070;odd=1"


@pytest.mark.clause("PRX-24")
def test_a_preloaded_route_of_the_caller_is_ignored() -> None:
    """Where a screened call goes is decided here: a Route header of the caller has no say, and does not leave."""
    stage = Stage()
    stage.call(headers=("Route: <sip:203.0.113.66;lr>",))
    (request,) = stage.carrier.requests
    assert not request.has("route")
    assert stage.octets_to(("203.0.113.66", 5060)) == []


@pytest.mark.clause("FRK-19", "RFC 3261 16.7")
def test_provisional_responses_are_relayed_one_by_one() -> None:
    """Two 183 with different tags both reach the caller, RSeq untouched."""
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call(0.2)
    request = stage.carrier.requests[0]
    head = [f"Via: {value}" for value in request.listed("via")]
    head += [f"{name}: {request.required(name)}" for name in ("from", "call-id", "cseq")]
    for tag in ("one", "two"):
        progress = octets("SIP/2.0 183 Session Progress", *head, f"To: {request.required('to')};tag={tag}", "RSeq: 7")
        stage.network.inject(progress, flow_from(CARRIER_A))
    stage.network.run(0.1)
    heard = [response for response in stage.pbx.responses if response.code == 183]
    assert [response.to.tag for response in heard] == ["one", "two"]
    assert [response.value("rseq") for response in heard] == ["7", "7"]

"""Streams: between UDP and TCP there are two Record-Route values, and either side finds its way back."""

import pytest

from sipguard.engine import Close
from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.sip.flow import Flow
from sipguard.testing.sample import ACME_PBX, CARRIER_A, PROXY, changed, flow_from, invite, target
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage, with_settings

HOST = f"{PROXY[0]}:{PROXY[1]}"


def over_tcp() -> Stage:
    """The sample with carrier-a on TCP."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(CARRIER_A, "tcp"),)))
    stage.carrier = stage.agent(CARRIER_A, "carrier-a", transport="tcp", listener=1)
    return stage


@pytest.mark.clause("TRN-03", "PRX-09", "RFC 5658")
def test_a_change_of_transport_writes_two_record_routes() -> None:
    """UDP in, TCP out: the outgoing side first, the incoming side behind it, one token in both."""
    stage = over_tcp()
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    first, second = stage.carrier.requests[0].listed("record-route")
    assert first.startswith(f"<sip:{HOST};transport=tcp;lr;dialog=")
    assert second.startswith(f"<sip:{HOST};lr;dialog=")
    assert first.partition("dialog=")[2] == second.partition("dialog=")[2]
    assert stage.carrier.requests[0].listed("via")[0].startswith("SIP/2.0/TCP ")


@pytest.mark.clause("PRX-05", "PRX-09")
@pytest.mark.parametrize("side", ["pbx", "carrier"])
def test_both_sides_find_their_way(side: str) -> None:
    """In-dialog requests of both sides lose both our Route values and change transport on the way."""
    stage = over_tcp()
    stage.call()
    agent: UserAgent = stage.pbx if side == "pbx" else stage.carrier
    peer: UserAgent = stage.carrier if side == "pbx" else stage.pbx
    assert len(stage.carrier.acks) == 1
    stage.hang_up(agent)
    request = peer.requests[-1]
    assert (request.method, request.has("route")) == ("BYE", False)
    assert request.via.transport == peer.transport.upper()
    assert agent.codes[-1] == 200
    stage.settle()


@pytest.mark.clause("PRX-27", "RFC 3261 16.6 (10)")
def test_a_stream_needs_a_content_length() -> None:
    """A request that came over UDP without Content-Length leaves over TCP with one."""
    stage = over_tcp()
    bare = b"\r\n".join(row for row in invite().encode().split(b"\r\n") if not row.startswith(b"Content-Length"))
    stage.network.inject(bare, flow_from(ACME_PBX))
    (sent,) = stage.requests_to(CARRIER_A, "INVITE")
    assert sent.value("content-length") == str(len(sent.body))


@pytest.mark.clause("TXN-24", "RFC 3261 16.9")
def test_a_connection_that_cannot_be_opened() -> None:
    """The only target refuses the connection: 500 at once."""
    stage = over_tcp()
    stage.network.unreachable.add(CARRIER_A)
    stage.call(1)
    assert stage.pbx.codes == [100, 500]
    stage.settle()


@pytest.mark.clause("TXN-25", "PRX-19", "RFC 6026 7.1")
def test_a_caller_whose_connection_broke_is_answered_on_another() -> None:
    """Responses go to the source address and the Via's port when the connection of the request is gone."""
    stage = Stage()
    stream = Flow(1, "tcp", ACME_PBX[0], 49152, 7)
    stage.network.inject(invite(transport="TCP").encode(), stream)
    stage.network.apply(stage.engine.lost(stream, stage.network.now, stage.network.wall))
    stage.network.run(1)
    (flow,) = {send.flow for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0 200")}
    assert (flow.transport, flow.host, flow.port, flow.connection) == ("tcp", ACME_PBX[0], 5060, 0)


def answered_at(stage: Stage) -> list[tuple[str, int]]:
    """Where the 200 went, in order, when the caller's connection breaks under its INVITE."""
    stage.network.run(4)
    answers = [send.flow for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0 200")]
    return [(flow.host, flow.port) for flow in answers]


def breaks(sent_by: str, source: str = ACME_PBX[0]) -> Stage:
    """A call over TCP with this sent-by; its connection breaks, and nobody takes one where it came from."""
    stage = Stage()
    stream = Flow(1, "tcp", source, 49152, 7)
    request = invite(transport="TCP").encode().replace(f"TCP {ACME_PBX[0]}:5060".encode(), f"TCP {sent_by}".encode())
    stage.network.no_streams |= {(source, 5060), (source, 5070)}
    stage.network.inject(request, stream)
    stage.network.apply(stage.engine.lost(stream, stage.network.now, stage.network.wall))
    return stage


@pytest.mark.clause("FRK-14", "PRX-19", "RFC 3263 5")
@pytest.mark.parametrize(
    ("sent_by", "need", "first"),
    [
        ("pbx.example", TargetNeed("pbx.example", None, "tcp"), 5060),  # SRV, then addresses
        ("pbx.example:5070", TargetNeed("pbx.example", 5070, "tcp"), 5070),  # addresses only
    ],
)
def test_a_caller_that_is_not_where_it_came_from_is_looked_up(sent_by: str, need: TargetNeed, first: int) -> None:
    """First the source address, then the servers of the name in its Via, each in turn, for the transport it used."""
    stage = breaks(sent_by)
    places = (("192.0.2.13", 5081), ("192.0.2.14", 5082))
    others = Server("udp", "192.0.2.15", 5060), Server("tcp", *places[0]), Server("tcp", *places[1])
    stage.network.answers[need] = TargetAnswer(others)
    stage.network.no_streams.add(places[0])
    assert answered_at(stage)[:2] == [places[1], places[1]]  # the callee repeats its 200, nobody acknowledges
    tries = [(send.flow.host, send.flow.port) for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0 180")]
    assert tries == [(ACME_PBX[0], first), places[0], places[1]]
    assert stage.network.asked.count(need) == 1
    stage.settle()


@pytest.mark.clause("FRK-14", "RFC 3263 5")
def test_a_sent_by_that_is_another_address() -> None:
    """Nothing has to be asked for; the address itself is tried."""
    stage = breaks("192.0.2.12:5080")
    stage.network.no_streams.add((ACME_PBX[0], 5080))
    assert answered_at(stage)[0] == ("192.0.2.12", 5080)
    assert [need for need in stage.network.asked if isinstance(need, TargetNeed)] == []
    stage.settle()


@pytest.mark.clause("FRK-14", "FRK-18")
def test_a_caller_whose_name_says_nothing() -> None:
    """No answer from the name server: the response is lost, and nothing is left behind."""
    stage = breaks("pbx.example")
    assert set(answered_at(stage)) == {(ACME_PBX[0], 5060)}
    stage.settle()


def test_a_stranger_is_not_looked_for() -> None:
    """The refusal of a caller no trunk stands behind goes to its source address or nowhere."""
    stage = breaks("pbx.example", source="192.0.2.99")
    again = invite(transport="TCP").encode().replace(f"TCP {ACME_PBX[0]}:5060".encode(), b"TCP pbx.example")
    stage.network.inject(again, Flow(1, "tcp", "192.0.2.99", 49153, 8))
    refused = [send.flow for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0 403")]
    assert [flow.port for flow in refused] == [49152, 5060]
    assert [need for need in stage.network.asked if isinstance(need, TargetNeed)] == []
    stage.settle()


@pytest.mark.clause("PRX-19")
def test_a_caller_on_tcp_is_answered_on_its_connection() -> None:
    """Every response goes back on the connection the request came on."""
    stage = Stage(settings=with_settings(max_datagram=4000))
    stream = Flow(1, "tcp", ACME_PBX[0], 49152, 7)
    stage.network.inject(invite(transport="TCP").encode(), stream)
    stage.network.run(1)
    flows = {send.flow for _, send in stage.network.sent if send.data.startswith(b"SIP/2.0 ")}
    assert flows == {stream}
    (sent,) = stage.requests_to(CARRIER_A, "INVITE")
    first, second = sent.listed("record-route")
    assert (";transport=tcp" in first, ";transport=tcp" in second) == (False, True)


@pytest.mark.clause("MSG-11")
def test_a_stream_that_does_not_talk_sip_is_closed() -> None:
    """Octets from which not even a response can be built get none, and the connection goes; a datagram gets silence."""
    stage = Stage()
    flow = Flow(1, "tcp", "192.0.2.11", 40000, 7)
    assert stage.network.inject(b"GET / HTTP/1.1\r\n\r\n", flow) == [Close(flow)]
    assert stage.network.inject(b"GET / HTTP/1.1\r\n\r\n", flow_from(ACME_PBX)) == []

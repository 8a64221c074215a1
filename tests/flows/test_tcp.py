"""Streams: between UDP and TCP there are two Record-Route values, and either side finds its way back."""

import pytest

from sipguard.engine import Close
from sipguard.sip.flow import Flow
from sipguard.testing.sample import ACME_PBX, CARRIER_A, PROXY, changed, flow_from, invite, target
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage

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


@pytest.mark.clause("PRX-19")
def test_a_caller_on_tcp_is_answered_on_its_connection() -> None:
    """Every response goes back on the connection the request came on."""
    stage = Stage()
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

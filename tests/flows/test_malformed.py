"""What is no SIP message, or none for us: answered where it can be, silence otherwise, and never a trace left."""

import pytest

from sipguard.engine import Close
from sipguard.sip.stun import binding_response
from sipguard.testing.sample import ACME_PBX, CARRIER_A, flow_from, invite
from tests.flows.stage import Stage

CUSTOMER = flow_from(ACME_PBX)


@pytest.mark.clause("MSG-29", "MSG-30")
@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 65535, b"INVITE"]
)
def test_noise_gets_silence(data: bytes) -> None:
    """What cannot be answered is not answered."""
    stage = Stage()
    sends = [output for output in stage.network.inject(data, CUSTOMER) if hasattr(output, "flow")]
    assert sends == []
    assert stage.errors == []
    assert stage.engine.open_transactions == 0


@pytest.mark.clause("MSG-08", "MSG-22", "RFC 3261 8.2.7")
def test_a_malformed_request_gets_the_same_400_each_time() -> None:
    """The 400 is stateless, and a retransmission gets the same To tag."""
    stage = Stage()
    data = invite().encode().replace(b"CSeq: 1 INVITE", b"CSeq: one INVITE")
    (first,) = stage.network.inject(data, CUSTOMER)
    (second,) = stage.network.inject(data, CUSTOMER)
    assert first.data.startswith(b"SIP/2.0 400 ")  # type: ignore[union-attr]
    assert b";tag=" in first.data.partition(b"\r\nTo:")[2].partition(b"\r\n")[0]  # type: ignore[union-attr]
    assert first == second
    assert stage.engine.open_transactions == 0
    assert stage.events == []


@pytest.mark.clause("MSG-21", "PRX-23")
def test_a_malformed_ack_is_never_answered() -> None:
    """Not even with 400."""
    stage = Stage()
    data = invite(method="ACK").encode().replace(b"CSeq: 1 ACK", b"CSeq: one ACK")
    assert stage.network.inject(data, CUSTOMER) == []


@pytest.mark.clause("MSG-21", "PRX-23", "RFC 3261 8.2.2.3")
def test_an_ack_is_passed_whatever_it_requires() -> None:
    """Proxy-Require in the ACK of a 200 is nothing to answer: the ACK reaches the callee."""
    stage = Stage()
    stage.call()
    ack = stage.pbx.in_dialog("ACK").fork()
    ack.append("proxy-require", "foo")
    stage.network.inject(ack.encode(), CUSTOMER)
    stage.network.run(1)
    assert [request.value("proxy-require") for request in stage.requests_to(CARRIER_A, "ACK")] == [None, "foo"]
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("MSG-30")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b";rport", b';rport;odd="\\\0"'),
        (b"From: <sip:+14155550100@192.0.2.11;user=phone>", b'From: "\\\0" <sip:+14155550100;verstat=x@192.0.2.11>'),
        (b"Contact: <", b'P-Asserted-Identity: "\r\nContact: <'),
        (b"Contact: <", b'Privacy: "\r\nIdentity: "\r\nDate: \xff\r\nRoute: "\r\nReason: "\r\nContact: <'),
        (b"Contact: <", b'Proxy-Require: "\r\nContact: <'),
    ],
)
def test_headers_nobody_can_read(old: bytes, new: bytes) -> None:
    """Whatever stands in a header, the request is answered and nothing of it is our error or stays open."""
    for encoded, flow in ((invite().encode(), CUSTOMER), (incoming(), flow_from(CARRIER_A))):
        stage = Stage()
        stage.network.inject(encoded.replace(old, new, 1), flow)
        stage.network.run(3)
        finals = [data for data in stage.octets_to((flow.host, flow.port)) if not data.startswith(b"SIP/2.0 1")]
        assert finals != []
        stage.settle()


@pytest.mark.clause("MSG-14", "MSG-29")
@pytest.mark.parametrize("row", ["Route: ,", "Route:", f"Route: {'<sip:a>,' * 600}"])
@pytest.mark.parametrize(("method", "answers"), [("INFO", ["400"]), ("BYE", ["400"]), ("ACK", [])])
def test_a_route_without_values_or_with_too_many(row: str, method: str, answers: list[str]) -> None:
    """In a request inside a dialog, which anybody may claim to be in, such a Route is refused and no fault of ours."""
    stage = Stage()
    request = invite(method=method, headers=(row,), source=("203.0.113.9", 5060))
    request.set("to", request.required("to") + ";tag=x")
    stage.network.inject(request.encode(), flow_from(("203.0.113.9", 5060)))
    assert [send.data[8:11].decode() for _, send in stage.network.sent] == answers
    stage.settle()


@pytest.mark.clause("TRN-04", "RFC 5626 4.4.1")
def test_keep_alives() -> None:
    """A ping on a stream gets its pong; on UDP it is only noticed."""
    stage = Stage()
    stream = CUSTOMER._replace(transport="tcp", listener=1, connection=7)
    (pong,) = stage.network.inject(b"\r\n\r\n", stream)
    assert pong == (stream, b"\r\n")
    assert stage.network.inject(b"\r\n", stream) == []
    assert stage.network.inject(b"\r\n\r\n", CUSTOMER) == []


@pytest.mark.clause("TRN-17", "RFC 5626 4.4.2", "RFC 5626 8")
def test_stun_on_the_sip_port() -> None:
    """A Binding Request of a trunk is answered with its address; a stranger, a stream and other STUN get silence, and
    nothing of it counts as malformed SIP."""
    stage = Stage()
    request = bytes.fromhex("000100002112a442b7e7a701bc34d686fa87dfae")
    (answer,) = stage.network.inject(request, CUSTOMER)
    assert answer == (CUSTOMER, binding_response(request, CUSTOMER.host, CUSTOMER.port))
    assert stage.network.inject(request, CUSTOMER._replace(host="203.0.113.66")) == []
    assert stage.network.inject(b"\0\x11" + request[2:], CUSTOMER) == []
    assert stage.network.inject(b"\0", CUSTOMER) == []
    assert not [labels for labels in stage.engine.counters if labels[0] == "malformed"]
    stream = CUSTOMER._replace(transport="tcp", listener=1, connection=7)
    assert stage.network.inject(request, stream) == [Close(stream)]


@pytest.mark.clause("MSG-30")
def test_a_malformed_response_is_dropped() -> None:
    """A response that fails the sanity check is no response."""
    stage = Stage()
    assert stage.network.inject(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n", CUSTOMER) == []


@pytest.mark.clause("MSG-13")
def test_another_version_is_505() -> None:
    """SIP/3.0 gets 505 and sip/2.0 is understood."""
    stage = Stage()
    data = invite().encode()
    (answer,) = stage.network.inject(data.replace(b" SIP/2.0\r\n", b" SIP/3.0\r\n", 1), CUSTOMER)
    assert answer.data.startswith(b"SIP/2.0 505 ")  # type: ignore[union-attr]
    stage.network.inject(data.replace(b" SIP/2.0\r\n", b" sip/2.0\r\n", 1), CUSTOMER)
    assert len(stage.requests_to(CARRIER_A, "INVITE")) == 1


def incoming() -> bytes:
    """A call from the network to acme."""
    return invite(calling="14155550100", called="14155550100", source=CARRIER_A).encode()

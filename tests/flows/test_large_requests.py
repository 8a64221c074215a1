"""Requests too large for a datagram go over TCP where the next hop takes it, and over UDP where it does not."""

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.sip.message import Request
from sipguard.testing.sample import CARRIER_A, CARRIER_A_SPARE, PROXY, changed, invite, target
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage, refusing, ringing, with_settings

HOST = f"{PROXY[0]}:{PROXY[1]}"
PADDING = (f"X-Padding: {'x' * 300}",)


def taking_tcp(**more: object) -> Stage:
    """The sample with carrier-a, a UDP target, that also listens on TCP."""
    stage = Stage(**more)  # type: ignore[arg-type]
    stage.carrier = stage.agent(CARRIER_A, "carrier-a", transport="tcp", listener=1)
    return stage


def transports(stage: Stage, method: str) -> list[str]:
    """Over what a method went to carrier-a."""
    sent = [send for _, send in stage.network.sent if (send.flow.host, send.flow.port) == CARRIER_A]
    return [send.flow.transport for send in sent if send.data.startswith(method.encode() + b" ")]


def calls_again(stage: Stage, number: int) -> None:
    """One more large call."""
    stage.pbx.start(invite(headers=PADDING, call_id=f"again-{number}@sample"))
    stage.network.run(1)


@pytest.mark.clause("TRN-02", "TRN-03", "RFC 3261 18.1.1")
def test_a_large_invite_goes_over_tcp() -> None:
    """More than 1300 octets: TCP, and Via and Record-Route say so; the dialog's small requests find their way."""
    stage = taking_tcp()
    stage.call(headers=PADDING)
    assert stage.pbx.codes == [100, 180, 200]
    assert transports(stage, "INVITE") == ["tcp"]
    (request,) = stage.requests_to(CARRIER_A, "INVITE")
    assert len(request.encode()) > 1300
    assert request.listed("via")[0].startswith(f"SIP/2.0/TCP {HOST};branch=")
    assert len(request.listed("via")) == 2
    first, second = request.listed("record-route")
    assert first.startswith(f"<sip:{HOST};transport=tcp;lr;dialog=")
    assert second.startswith(f"<sip:{HOST};lr;dialog=")
    assert request.uri == "sip:+12125550123@192.0.2.21;user=phone"
    assert request.value("max-forwards") == "69"
    stage.hang_up()
    assert stage.pbx.codes[-1] == 200
    stage.settle()


@pytest.mark.clause("TRN-02", "RFC 3261 18.1.1")
def test_1300_octets_are_the_limit() -> None:
    """The size that counts is that of what leaves over UDP: 1300 is a datagram, 1301 is not."""
    stage = taking_tcp()
    stage.call(0.05, headers=("X-Padding: ",))
    size = len(stage.octets_to(CARRIER_A)[0])
    for octets, transport in ((1300, "udp"), (1301, "tcp")):
        stage = taking_tcp()
        stage.call(0.05, headers=(f"X-Padding: {'x' * (octets - size)}",))
        assert transports(stage, "INVITE") == [transport]


@pytest.mark.clause("TRN-02", "TXN-24", "RFC 3261 18.1.1")
def test_a_refused_connection_falls_back_to_udp() -> None:
    """The target refuses TCP: the same request at once over UDP on a new branch, and the next call goes so."""
    stage = Stage()
    stage.network.no_streams.add(CARRIER_A)
    stage.call(1, headers=PADDING)
    assert stage.pbx.codes == [100, 180, 200]
    assert transports(stage, "INVITE") == ["tcp", "udp"]
    over_tcp, over_udp = stage.requests_to(CARRIER_A, "INVITE")
    assert over_tcp.via.branch != over_udp.via.branch
    assert over_udp.via.transport == "UDP"
    assert len(over_udp.listed("record-route")) == 1
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert transports(stage, "ACK") == ["udp"]
    calls_again(stage, 1)
    assert transports(stage, "INVITE") == ["tcp", "udp", "udp"]


@pytest.mark.clause("TRN-02")
def test_a_refusal_is_not_kept_for_ever() -> None:
    """An hour later TCP is tried again, and a target that took it once is not given up because it was away."""
    stage = taking_tcp()
    stage.network.no_streams.add(CARRIER_A)
    stage.call(1, headers=PADDING)
    stage.network.run(3601)
    stage.network.no_streams.clear()
    calls_again(stage, 1)
    assert transports(stage, "INVITE") == ["tcp", "udp", "tcp"]


@pytest.mark.clause("TRN-02")
def test_udp_only() -> None:
    """A trunk that says it takes no TCP is sent large datagrams, in dialogs too."""
    stage = Stage(trunks=changed("carrier-a", udp_only=True))
    stage.call(headers=PADDING)
    message = stage.pbx.in_dialog("INFO")
    message.append("x-padding", "x" * 1400)
    stage.pbx.start(message)
    stage.network.run(1)
    assert transports(stage, "INVITE") == ["udp"]
    assert transports(stage, "INFO") == ["udp"]
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("TRN-02")
def test_the_limit_is_a_setting() -> None:
    """With a larger limit the same call stays a datagram."""
    stage = taking_tcp(settings=with_settings(max_datagram=4000))
    stage.call(headers=PADDING)
    assert transports(stage, "INVITE") == ["udp"]


@pytest.mark.clause("TRN-02", "PRX-09")
def test_a_large_request_in_a_dialog() -> None:
    """A re-INVITE and its ACK that have grown past the limit go over TCP each on its own account."""
    stage = Stage()
    stage.call()
    assert transports(stage, "INVITE") == ["udp"]
    for method in ("INVITE", "ACK"):
        message: Request = stage.pbx.in_dialog(method)
        message.append("x-padding", "x" * 1400)
        _send(stage.pbx, message)
        stage.network.run(1)
    assert transports(stage, "INVITE") == ["udp", "tcp"]
    assert transports(stage, "ACK").count("tcp") == 1


@pytest.mark.clause("TRN-02")
def test_a_large_ack_that_met_a_refusal() -> None:
    """The first ACK is lost with the connection nobody takes; the next one, after the 200 came again, is a datagram."""
    stage = Stage()
    stage.network.no_streams.add(CARRIER_A)
    stage.call()
    for _ in range(2):
        ack = stage.pbx.in_dialog("ACK")
        ack.append("x-padding", "x" * 1400)
        _send(stage.pbx, ack)
        stage.network.run(1)
    assert transports(stage, "ACK") == ["udp", "tcp", "udp"]


@pytest.mark.clause("TRN-02", "RFC 3261 16.10")
def test_a_cancel_follows_the_invite_over_tcp() -> None:
    """A CANCEL is small, but goes where its INVITE went."""
    stage = taking_tcp(scripts={"carrier-a": ringing()})
    stage.call(1, headers=PADDING)
    stage.pbx.give_up()
    stage.network.run(1)
    assert transports(stage, "CANCEL") == ["tcp"]
    assert stage.pbx.codes[-1] == 487
    stage.settle()


@pytest.mark.clause("TRN-02")
def test_a_stream_that_breaks_after_an_answer_is_a_failure() -> None:
    """The target has answered over TCP; what then breaks fails over to the next target, not to UDP."""
    stage = taking_tcp(scripts={"carrier-a": ringing()})
    stage.call(0.02, headers=PADDING)
    (flow,) = {send.flow for _, send in stage.network.sent if send.flow.host == CARRIER_A[0]}
    stage.network.run(0.5)
    stage.network.apply(stage.engine.lost(flow, stage.network.now, stage.network.wall))
    stage.network.run(1)
    assert transports(stage, "INVITE") == ["tcp"]


@pytest.mark.clause("TRN-02", "FRK-12")
def test_a_target_that_fails_over_tcp_is_followed_by_the_next() -> None:
    """A 503 over TCP is an answer: the next target gets the request, over what is right there."""
    stage = taking_tcp(scripts={"carrier-a": refusing(503)})
    stage.network.no_streams.add(CARRIER_A_SPARE)
    stage.call(1, headers=PADDING)
    assert stage.pbx.codes == [100, 180, 200]
    assert transports(stage, "INVITE") == ["tcp"]
    assert len(stage.requests_to(CARRIER_A_SPARE, "INVITE")) == 2


@pytest.mark.clause("TRN-02")
def test_a_server_found_by_name_keeps_its_place_after_a_refusal() -> None:
    """The fallback goes to the same server of a name, not to its next one."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(("carrier.example", 5060)),)))
    both = TargetAnswer((Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)))
    stage.network.answers[TargetNeed("carrier.example", 5060, "udp")] = both
    stage.network.no_streams.add(CARRIER_A)
    stage.call(1, headers=PADDING)
    assert transports(stage, "INVITE") == ["tcp", "udp"]
    assert stage.octets_to(CARRIER_A_SPARE) == []


def _send(agent: UserAgent, message: Request) -> None:
    """An ACK has no transaction."""
    if message.method == "ACK":
        agent.layer.send(agent.network.sent[0][1].flow, message.encode())
    else:
        agent.start(message)


@pytest.mark.clause("TRN-02", "TRN-03")
def test_a_large_request_in_a_dialog_that_met_a_refusal() -> None:
    """An INFO past the limit whose connection is refused comes at once as a datagram, one hop less and not two."""
    stage = Stage()
    stage.network.no_streams.add(CARRIER_A)
    stage.call()
    message = stage.pbx.in_dialog("INFO")
    message.append("x-padding", "x" * 1400)
    stage.pbx.start(message)
    stage.network.run(1)
    assert transports(stage, "INFO") == ["tcp", "udp"]
    first, second = stage.requests_to(CARRIER_A, "INFO")
    assert [request.value("max-forwards") for request in (first, second)] == ["69", "69"]
    assert [request.via.transport for request in (first, second)] == ["TCP", "UDP"]
    assert [len(request.listed("via")) for request in (first, second)] == [2, 2]
    assert first.via.branch != second.via.branch
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("TRN-02", "RFC 3261 21.5.7")
def test_what_no_datagram_carries_costs_nobody_else_a_call() -> None:
    """One call is larger than any datagram and its target takes no TCP: 513, and the call beside it rings on."""
    stage = Stage(trunks=changed("carrier-a", udp_only=True), scripts={"carrier-a": ringing()})
    stage.call()
    stage.pbx.start(invite(headers=(f"X-Padding: {'x' * 64_700}",), call_id="large@sample"))
    stage.network.run(1)
    assert [(response.call_id, response.code) for response in stage.pbx.responses] == [
        ("call-1@sample", 100), ("call-1@sample", 180), ("large@sample", 100), ("large@sample", 513),
    ]  # fmt: skip
    assert stage.octets_to(CARRIER_A_SPARE) == []


@pytest.mark.clause("PRX-24", "RFC 3261 18.1.1")
@pytest.mark.parametrize(("padding", "code"), [(1_400, 100), (65_120, 513)])
def test_a_bye_too_large_to_arrive_ends_nothing(padding: int, code: int) -> None:
    """In pieces it may be lost on the way, and nobody answers; a customer could end its record alone by that."""
    stage = Stage(trunks=changed("carrier-a", udp_only=True))
    stage.call()
    carrier = stage.network._hosts[CARRIER_A]
    stage.network.detach(CARRIER_A)
    bye = stage.pbx.in_dialog("BYE")
    bye.append("x-padding", "x" * padding)
    stage.pbx.start(bye)
    stage.network.run(40)
    assert stage.pbx.codes[-1] == code
    assert (stage.engine.active_calls, stage.events) == (1, ["decision", "answer"])
    stage.network.attach(CARRIER_A, carrier)
    stage.hang_up()
    assert stage.record("end")["released_by"] == "caller"
    assert stage.requests_to(CARRIER_A, "BYE")[-1].size < 1300

"""Targets and next hops given by name: asked for once per request, every server behind them tried in order."""

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_A_SPARE, changed, target
from tests.flows.stage import Stage, answered, refusing, ringing

NAME = ("carrier.example", 5060)
NEED = TargetNeed("carrier.example", 5060, "udp")
BOTH = TargetAnswer((Server("udp", *CARRIER_A), Server("udp", *CARRIER_A_SPARE)))


def named(**more: object) -> Stage:
    """The sample with carrier-a known by a name."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(NAME),)), **more)  # type: ignore[arg-type]
    stage.network.answers[NEED] = BOTH
    return stage


@pytest.mark.clause("FRK-11", "FRK-12", "RFC 3263 4.3")
def test_every_server_of_a_name_is_tried() -> None:
    """The first is gone, the second says 503, the third takes the call: three branches, and one question."""
    stage = named(scripts={"carrier-a": refusing(503)})
    gone = Server("udp", "192.0.2.77", 5060)
    stage.network.unreachable.add(("192.0.2.77", 5060))
    stage.network.answers[NEED] = TargetAnswer((gone, *BOTH.servers))
    stage.call(1)
    assert stage.pbx.codes == [100, 180, 200]
    sent = [stage.requests_to(where, "INVITE")[0] for where in (("192.0.2.77", 5060), CARRIER_A, CARRIER_A_SPARE)]
    assert len({request.via.branch for request in sent}) == 3
    assert stage.network.asked.count(NEED) == 1
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("FRK-13", "RFC 3263 4")
def test_cancel_goes_where_the_invite_went() -> None:
    """The name's answer changes between INVITE and CANCEL: the CANCEL follows the INVITE, and so does the ACK."""
    stage = named(scripts={"carrier-a": ringing()})
    stage.call(1)
    stage.network.answers[NEED] = TargetAnswer(BOTH.servers[::-1])
    stage.pbx.give_up()
    stage.network.run(1)
    assert len(stage.requests_to(CARRIER_A, "CANCEL")) == 1
    assert len(stage.requests_to(CARRIER_A, "ACK")) == 1
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert stage.network.asked.count(NEED) == 1
    assert stage.pbx.codes[-1] == 487
    stage.settle()


@pytest.mark.clause("FRK-17", "FRK-10")
def test_a_name_without_the_service_fails_at_once() -> None:
    """No server behind the only target: 480, without any wait."""
    stage = named()
    stage.network.answers[NEED] = TargetAnswer((), "the service is not available at this name")
    stage.call(0.1)
    assert stage.pbx.codes == [100, 480]
    stage.settle()


@pytest.mark.clause("FRK-10", "TRN-03")
def test_the_transport_a_name_asks_for_is_used() -> None:
    """A server found for TCP is sent to over TCP, and the Via says so; the Request-URI is the target's."""
    stage = named()
    stage.carrier = stage.agent(CARRIER_A, "carrier-a", transport="tcp", listener=1)
    stage.network.answers[NEED] = TargetAnswer((Server("tcp", *CARRIER_A),))
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.carrier.requests[0].via.transport == "TCP"
    assert stage.carrier.requests[0].uri == "sip:+12125550123@carrier.example;user=phone"


@pytest.mark.clause("FRK-18")
def test_a_name_that_hangs_holds_up_nobody_else() -> None:
    """One call waits for a name that nobody answers for; another one, to an address, passes meanwhile."""
    stage = Stage(trunks=changed("acme-pbx", targets=(target(NAME),)))
    stage.arrives(0.5)
    stage.call(1)
    assert stage.carrier.codes == [100]
    assert stage.pbx.codes == [100, 180, 200]
    stage.network.run(2)
    assert stage.carrier.codes[-1] == 480


@pytest.mark.clause("FRK-11", "FRK-12", "PRX-07")
def test_an_in_dialog_request_tries_every_server() -> None:
    """The callee's Contact is a name with two servers, the first one dead: a BYE reaches the second."""
    stage = answered("<sip:callee.example>")
    stage.network.run(3)  # its ACK found nobody
    stage.network.answers[TargetNeed("callee.example")] = TargetAnswer(
        (Server("udp", "192.0.2.77", 5060), Server("udp", *CARRIER_A))
    )
    stage.network.unreachable.add(("192.0.2.77", 5060))
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    (sent,) = stage.requests_to(CARRIER_A, "BYE")
    assert (sent.uri, sent.value("max-forwards")) == ("sip:callee.example", "69")
    stage.settle()


@pytest.mark.clause("PRX-23", "FRK-10")
def test_an_ack_to_a_name() -> None:
    """An ACK for a 2xx goes to the first server of the name; without any it falls on the floor."""
    for host, servers in (("callee.example", BOTH.servers), ("nowhere.example", ())):
        stage = answered(f"<sip:{host}>")
        stage.network.run(3)
        stage.network.answers[TargetNeed(host)] = TargetAnswer(servers)
        ack = stage.pbx.in_dialog("ACK")
        before = len(stage.carrier.acks)
        stage.network.send_to_engine(ack.encode(), stage.network.sent[0][1].flow._replace(host=ACME_PBX[0]))
        stage.network.run(1)
        assert len(stage.carrier.acks) - before == len(servers[:1])

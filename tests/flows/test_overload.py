"""An overloaded engine turns new calls away at its gate, and nothing else."""

import pytest

from sipguard.engine import Log, Send
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.proxy.overload import OverloadSettings
from sipguard.sip.flow import Flow
from sipguard.sip.message import Response
from sipguard.sip.parser import parse
from sipguard.testing.sample import ACME_PBX, CALLED, CARRIER_A, changed, flow_from, invite
from tests.flows.credentials import asking
from tests.flows.stage import Stage, octets, ringing, with_settings

SHEDDING = with_settings(overload=OverloadSettings(most_shed=1.0))


def overloaded(stage: Stage, seconds: float = 1.0) -> None:
    """Messages wait a second each, for a while."""
    for _ in range(round(seconds / 0.02)):
        stage.network.now += 0.02
        stage.engine.observe(1.0, stage.network.now)


def offered(stage: Stage, count: int, source: tuple[str, int] = ACME_PBX) -> list[bytes]:
    """What is sent at once when so many calls arrive from there."""
    sent = []
    for number in range(count):
        request = invite(call_id=f"flood-{source[0]}-{number}@sample", source=source)
        outputs = stage.network.inject(request.encode(), flow_from(source))
        sent += [output.data for output in outputs if isinstance(output, Send)]
    return sent


def refusals(sent: list[bytes]) -> list[Response]:
    """The 503 responses among octets."""
    parsed = [parse(data) for data in sent if data.startswith(b"SIP/2.0 503")]
    return [message for message in parsed if isinstance(message, Response)]


@pytest.fixture
def stage() -> Stage:
    """An overloaded stage that sheds everything it may."""
    made = Stage(settings=SHEDDING)
    overloaded(made)
    offered(made, 1)  # the first call of a silent trunk comes in
    return made


@pytest.mark.clause("PRX-36", "RFC 3261 21.5.4")
def test_a_new_call_is_refused_at_the_gate(stage: Stage) -> None:
    """503 with Retry-After, without 100, transaction or record; the request's Via, From, Call-ID and CSeq come back."""
    before = stage.engine.open_transactions, len(stage.network.records)
    request = invite(call_id="late@sample")
    (output,) = stage.network.inject(request.encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    response = parse(output.data)
    assert isinstance(response, Response)
    assert (response.code, response.reason) == (503, "Service Unavailable")
    assert response.value("retry-after") in ("1", "2", "3")
    assert response.to.tag
    assert response.via.branch == request.via.branch
    assert response.via.rport == ACME_PBX[1]
    for name in ("from", "call-id", "cseq"):
        assert response.required(name) == request.required(name)
    assert (stage.engine.open_transactions, len(stage.network.records)) == before


@pytest.mark.clause("RFC 3261 17.2.3")
def test_the_ack_of_a_refusal_ends_at_the_gate(stage: Stage) -> None:
    """It is absorbed: nothing leaves, nothing is kept."""
    (refusal,) = refusals(offered_after(stage, "acked@sample"))
    ack = octets(
        f"ACK sip:+{CALLED}@192.0.2.1 SIP/2.0",
        f"Via: {refusal.required('via').partition(';rport')[0]};rport",
        f"From: {refusal.required('from')}",
        f"To: {refusal.required('to')}",
        f"Call-ID: {refusal.required('call-id')}",
        "CSeq: 1 ACK",
        "Max-Forwards: 70",
    )
    before = stage.engine.open_transactions
    assert stage.network.inject(ack, flow_from(ACME_PBX)) == []
    assert stage.engine.open_transactions == before


def offered_after(stage: Stage, call_id: str) -> list[bytes]:
    """One more call."""
    outputs = stage.network.inject(invite(call_id=call_id).encode(), flow_from(ACME_PBX))
    return [output.data for output in outputs if isinstance(output, Send)]


@pytest.mark.clause("RFC 3261 8.2.7")
def test_a_repeated_refused_call_gets_the_same_answer(stage: Stage) -> None:
    """A retransmission is refused with the same octets, even when the overload is over by then."""
    first = offered_after(stage, "again@sample")
    assert offered_after(stage, "again@sample") == first
    stage.network.run(4)
    assert stage.engine.shed == 0.0
    assert offered_after(stage, "again@sample") == first
    assert offered_after(stage, "new@sample")[0].startswith(b"SIP/2.0 100")


@pytest.mark.clause("EMG-17", "EMG-04")
@pytest.mark.parametrize(
    "uri",
    ["sip:911@192.0.2.1", "sip:9911@192.0.2.1;user=phone", "tel:+1911", "urn:service:sos", "URN:service:SOS.fire"],
)
def test_an_emergency_call_always_comes_in(stage: Stage, uri: str) -> None:
    """However it is dialled, it goes to the emergency trunk while everything else is refused."""
    assert len(refusals(offered(stage, 5))) == 4
    stage.pbx.start(invite(uri=uri, call_id="sos@sample"))
    stage.network.run(2)
    assert stage.rescue.requests[0].call_id == "sos@sample"
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("EMG-17", "PRX-36")
@pytest.mark.parametrize("to", ["<sip:911@192.0.2.1>", "<urn:service:sos.police>", "<tel:911>", "sip:911@192.0.2.1"])
@pytest.mark.parametrize("source", [ACME_PBX, ("203.0.113.9", 5060)])
def test_a_to_that_says_emergency_gets_nobody_in(source: tuple[str, int], to: str) -> None:
    """Where a call goes is in its Request-URI; To is for the caller to write, of a customer and of a stranger."""
    stage = asking(settings=SHEDDING)
    overloaded(stage)
    offered(stage, 2, source)
    request = invite(call_id="posing@sample", source=source).fork()
    request.set("to", to)
    (output,) = stage.network.inject(request.encode(), flow_from(source))
    assert isinstance(output, Send)
    assert output.data.startswith(b"SIP/2.0 503")


@pytest.mark.clause("EMG-17", "RFC 4412 3.1")
@pytest.mark.parametrize(("trusted", "code"), [(True, b"100"), (False, b"503")])
def test_priority_counts_from_a_trusted_trunk(trusted: bool, code: bytes) -> None:
    """Resource-Priority esnet.0 gets a call in when its trunk is trusted, and only then."""
    stage = Stage(settings=SHEDDING, trunks=changed("acme-pbx", trusted=trusted))
    overloaded(stage)
    offered(stage, 2)
    request = invite(call_id="urgent@sample", headers=("Resource-Priority: esnet.0",))
    (output, *_) = stage.network.inject(request.encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    assert output.data[8:11] == code


@pytest.mark.clause("PRX-36", "RFC 7339 5.10.1")
def test_a_call_in_progress_goes_on() -> None:
    """Answer, ACK, re-INVITE and BYE of a call that was let in pass an overloaded engine."""
    stage = Stage(settings=SHEDDING)
    stage.pbx.start(invite())
    stage.network.run(0.05)
    overloaded(stage)
    offered(stage, 1)
    assert len(refusals(offered(stage, 5))) == 4
    stage.network.run(2)
    assert stage.pbx.codes == [100, 180, 200]
    again = stage.pbx.in_dialog("INVITE")
    stage.pbx.start(again)
    overloaded(stage, 0.2)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    overloaded(stage, 0.2)
    stage.hang_up()
    assert stage.pbx.codes[-1] == 200
    assert "end" in stage.events


@pytest.mark.clause("PRX-36", "RFC 3261 17.2.1")
def test_repetition_and_cancel_of_an_accepted_call_pass() -> None:
    """A retransmitted INVITE gets its last response again, and its CANCEL is carried out."""
    stage = Stage(settings=SHEDDING, scripts={"carrier-a": ringing()})
    stage.pbx.start(invite())
    stage.network.run(1)
    overloaded(stage)
    offered(stage, 1)
    (output,) = stage.network.inject(invite().encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    assert output.data.startswith(b"SIP/2.0 180")
    stage.pbx.give_up()
    stage.network.run(1)
    assert stage.carrier.cancelled == 1
    assert stage.pbx.codes[-1] in (200, 487)


@pytest.mark.clause("PRX-35")
def test_a_neighbour_that_asks_whether_we_live_is_told() -> None:
    """OPTIONS to us is answered 200 under overload: 503 would take the whole node out of service."""
    stage = Stage(settings=SHEDDING)
    overloaded(stage)
    offered(stage, 2)
    request = invite(method="OPTIONS", uri="sip:192.0.2.1", call_id="ping@sample")
    (output,) = stage.network.inject(request.encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    assert output.data.startswith(b"SIP/2.0 200")


def test_a_message_is_refused_like_a_call(stage: Stage) -> None:
    """Other requests that are new and outside a dialog are shed too."""
    request = invite(method="MESSAGE", call_id="text@sample")
    (output,) = stage.network.inject(request.encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    assert output.data.startswith(b"SIP/2.0 503")


@pytest.mark.parametrize(
    "to", ["<sip:+12125550123@192.0.2.1>;tag=x", '"tag" <sip:+12125550123@192.0.2.1>;tag=x', "sip:1@192.0.2.1;TAG=x"]
)
def test_whoever_has_a_to_tag_passes_the_gate(stage: Stage, to: str) -> None:
    """A tag in To, in any spelling, makes it an in-dialog request; the dialog it lacks is somebody else's business."""
    request = invite(call_id="inside@sample").fork()
    request.set("to", to)
    outputs = stage.network.inject(request.encode(), flow_from(ACME_PBX))
    assert [output.data[8:11] for output in outputs if isinstance(output, Send)] == [b"100", b"481"]


def test_the_word_tag_elsewhere_in_to_gets_nobody_in(stage: Stage) -> None:
    """Only a To tag counts."""
    request = invite(call_id="outside@sample").fork()
    request.set("to", '"tag" <sip:tag@192.0.2.1;tag=x>')
    (output,) = stage.network.inject(request.encode(), flow_from(ACME_PBX))
    assert isinstance(output, Send)
    assert output.data.startswith(b"SIP/2.0 503")


def test_a_malformed_request_is_still_told_so(stage: Stage) -> None:
    """What the gate cannot read goes the long way and gets its 400."""
    data = invite(call_id="broken@sample").encode().replace(b"SIP/2.0/UDP", b"SIP/2.0 UDP")
    (output,) = stage.network.inject(data, flow_from(ACME_PBX))
    assert isinstance(output, Send)
    assert output.data.startswith(b"SIP/2.0 400")


@pytest.mark.clause("RFC 3261 18.2.2")
def test_a_refusal_goes_to_the_port_of_the_via(stage: Stage) -> None:
    """Without rport the answer goes to the source address and the port the Via names."""
    data = invite(call_id="plain@sample").encode().replace(b";rport", b"").replace(b":5060;branch", b":5099;branch")
    (output,) = stage.network.inject(data, Flow(0, "udp", ACME_PBX[0], 40_000))
    assert isinstance(output, Send)
    assert (output.flow.host, output.flow.port) == (ACME_PBX[0], 5099)


def test_a_refusal_on_a_stream_goes_back_on_it(stage: Stage) -> None:
    """Over TCP the connection the call came on carries the answer."""
    flow = Flow(1, "tcp", ACME_PBX[0], 40_000, 7)
    (output,) = stage.network.inject(invite(call_id="tcp@sample", transport="TCP").encode(), flow)
    assert isinstance(output, Send)
    assert output.flow == flow


def test_shed_calls_are_accounted_for() -> None:
    """Counters by trunk, one record a second with the counts, one log line at the start and one at the end."""
    stage = Stage(settings=SHEDDING)
    overloaded(stage)
    offered(stage, 11)
    offered(stage, 4, CARRIER_A)
    stage.network.run(20)
    assert stage.engine.counters["shed", "acme-pbx"] == 10
    assert stage.engine.counters["shed", "carrier-a"] == 3
    record = stage.record("shed")
    assert record["calls"] == {"acme-pbx": 10, "carrier-a": 3}
    assert record["rule"] == "node.overload"
    lines = [log for log in stage.network.logs if log.event.startswith("overload.")]
    assert [log.event for log in lines] == ["overload.started", "overload.ended"]
    assert lines[1].fields["refused"] == 13
    assert stage.engine.counters["alarms", "overload"] == 1


def test_after_the_overload_everything_is_as_before() -> None:
    """Calls come in again a second after the queue is empty; in the end no timer and no memory is left."""
    stage = Stage(settings=SHEDDING)
    overloaded(stage)
    assert refusals(offered(stage, 5))
    stage.network.run(1)
    assert stage.engine.shed == 0.0
    stage.call(call_id="after@sample")
    assert stage.pbx.codes[-1] == 200
    stage.hang_up()
    stage.network.run(20)
    assert isinstance(stage.network.logs[-1], Log)
    assert "overload.ended" in [log.event for log in stage.network.logs]
    stage.settle()


def test_the_memory_of_refusals_is_bounded() -> None:
    """``remembered`` bounds it; what is forgotten is judged anew."""
    stage = Stage(settings=with_settings(overload=OverloadSettings(most_shed=1.0, remembered=1000)))
    overloaded(stage)
    offered(stage, 5000)
    gate = stage.engine._gate
    assert len(gate._recent) + len(gate._older) <= 2000


def test_it_can_be_switched_off() -> None:
    """With the rule off every call is taken, whatever waits."""
    stage = Stage(settings=SHEDDING, policy=PolicySettings(modes={"node.overload": Mode.OFF}))
    overloaded(stage)
    assert refusals(offered(stage, 20)) == []


def test_short_waits_shed_nothing() -> None:
    """Delays up to the target are everyday life."""
    stage = Stage(settings=SHEDDING)
    for _ in range(500):
        stage.network.now += 0.02
        stage.engine.observe(0.049, stage.network.now)
    assert refusals(offered(stage, 20)) == []

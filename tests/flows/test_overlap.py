"""A target given up before its transaction ends: the next one is tried while the first may still speak."""

import gc
from dataclasses import replace

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.policy.trunk import Trunk
from sipguard.sip.flow import Listener
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_A_SPARE,
    LISTENERS,
    RESCUE,
    changed,
    flow_from,
    invite,
    target,
)
from sipguard.testing.user_agent import Script
from tests.flows.carrier import WITH_PASSWORD, with_carrier
from tests.flows.stage import Stage, answer_to, refusing, ringing

LATE = Script(ring_after=0.05, answer_after=None)
NO_TRYING = Script(ring_after=None, answer_after=0.01)


def impatient(scripts: dict[str, Script] | None = None, **timeouts: float) -> Stage:
    """The sample whose carrier-a may be silent for two seconds; its first target is away."""
    trunks: tuple[Trunk, ...] = changed("carrier-a", **({"response_timeout": 2.0} | timeouts))
    stage = Stage(trunks=trunks, scripts=scripts or {})
    stage.network.detach(CARRIER_A)
    return stage


def back(stage: Stage) -> None:
    """The first target is there again: the next retransmission of its INVITE reaches it."""
    stage.network.attach(CARRIER_A, stage.carrier)


def finals(stage: Stage) -> list[int]:
    """The final responses the caller heard, retransmissions of the same one taken together."""
    return sorted({code for code in stage.pbx.codes if code >= 200})


@pytest.mark.clause("FRK-08", "FRK-12", "FRK-16")
def test_a_silent_target_is_followed_by_the_next() -> None:
    """After two seconds of silence, not 32, the next target has the call, on a branch of its own."""
    stage = impatient()
    stage.call(1.9)
    assert stage.octets_to(CARRIER_A_SPARE) == []
    stage.network.run(1)
    assert stage.pbx.codes == [100, 180, 200]
    first, second = stage.requests_to(CARRIER_A, "INVITE")[0], stage.requests_to(CARRIER_A_SPARE, "INVITE")[0]
    assert first.via.branch != second.via.branch
    assert (first.cseq, first.call_id, first.required("from")) == (second.cseq, second.call_id, second.required("from"))
    assert stage.requests_to(CARRIER_A, "CANCEL") == []  # nothing may be cancelled before it said anything
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("FRK-16", "RFC 7984")
def test_a_dead_address_family_does_not_stall_a_call() -> None:
    """A name with a dead IPv6 address before the IPv4 one: the call is answered within seconds."""
    dead = Server("udp", "2001:db8::21", 5060)
    need = TargetNeed("carrier.example", 5060, "udp")
    trunks = changed("carrier-a", targets=(target(("carrier.example", 5060)),), response_timeout=2.0)
    listener = Listener(2, "udp", "2001:db8::1", 5060, "[2001:db8::1]", 5060)
    stage = Stage(trunks=trunks, listeners=(*LISTENERS, listener))
    stage.network.answers[need] = TargetAnswer((dead, Server("udp", *CARRIER_A)))
    stage.call(3)
    assert len(stage.requests_to((dead.host, dead.port), "INVITE")) > 1
    assert stage.pbx.codes == [100, 180, 200]


def test_the_last_target_has_all_the_time_there_is() -> None:
    """Nobody is left to try: the last silent target has until Timer B, and the caller hears one 408."""
    stage = impatient()
    stage.network.detach(CARRIER_A_SPARE)
    stage.call(33.9)
    assert stage.pbx.codes == [100]
    stage.network.run(0.2)
    assert stage.pbx.codes == [100, 408]
    stage.settle()


def test_a_100_is_enough() -> None:
    """A target that says 100 in time and rings much later is not given up."""
    stage = Stage(
        trunks=changed("carrier-a", response_timeout=2.0),
        scripts={"carrier-a": Script(ring_after=5.0, answer_after=6.0)},
    )
    stage.call(7)
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.octets_to(CARRIER_A_SPARE) == []


@pytest.mark.clause("FRK-08", "TXN-27", "RFC 3261 9.1")
def test_what_a_target_that_was_given_up_says_late() -> None:
    """Its 180 gets it cancelled and does not reach the caller, nor does its 487; the call goes on with the next."""
    stage = impatient({"carrier-a": LATE, "carrier-a-spare": Script(ring_after=0.1, answer_after=10.0)})
    stage.call(3)
    back(stage)
    stage.network.run(2)
    assert len(stage.requests_to(CARRIER_A, "CANCEL")) == 1
    assert stage.carrier.cancelled == 1
    assert stage.pbx.codes == [100, 180]
    stage.network.run(9)
    assert stage.pbx.codes == [100, 180, 200]
    assert {send.data[:11] for _, send in stage.network.sent if send.flow.host == CARRIER_A[0]} == {
        b"INVITE sip:", b"CANCEL sip:", b"ACK sip:+12",
    }  # fmt: skip
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("FRK-02", "FRK-08", "FRK-01", "RFC 3261 16.7 (10)")
def test_a_late_answer_ends_the_branch_that_rings() -> None:
    """The target that was given up answers while the next one rings: its 200 is relayed, the other is cancelled."""
    stage = impatient({"carrier-a": NO_TRYING, "carrier-a-spare": ringing()})
    stage.call(3)
    back(stage)
    stage.network.run(2)
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.requests_to(CARRIER_A, "CANCEL") == []
    (cancel,) = stage.requests_to(CARRIER_A_SPARE, "CANCEL")
    assert cancel.values("reason") == ['SIP;cause=200;text="Call completed elsewhere"']
    assert stage.spare.cancelled == 1
    assert finals(stage) == [200]  # the 487 of the cancelled branch stays here
    assert len(stage.requests_to(CARRIER_A_SPARE, "ACK")) == 1
    assert len(stage.carrier.acks) == 1
    stage.hang_up()
    assert stage.carrier.requests[-1].method == "BYE"
    stage.settle()


@pytest.mark.clause("FRK-01", "RFC 3261 16.7 (5)")
def test_two_branches_that_answer_are_both_heard() -> None:
    """Both answer before a CANCEL can reach either: the caller gets both 200s, one record is written."""
    stage = impatient({"carrier-a-spare": ringing()})
    stage.call(3)
    for endpoint, tag in ((CARRIER_A, "one"), (CARRIER_A_SPARE, "two")):
        (request, *_) = stage.requests_to(endpoint, "INVITE")
        contact = f"Contact: <sip:{endpoint[0]}:5060>"
        stage.network.inject(answer_to(request, "200 OK", tag, contact), flow_from(endpoint))
    stage.network.run(1)
    tags = [response.to.tag for response in stage.pbx.responses if response.code == 200]
    assert sorted(set(tags)) == ["one", "two"]
    assert stage.events.count("answer") == 1


@pytest.mark.clause("FRK-03", "FRK-02", "FRK-07", "RFC 3261 16.7 (5)")
def test_a_late_6xx_waits_for_the_branch_that_rings() -> None:
    """603 from the target that was given up: the ringing one is cancelled, and 603 goes back when that has ended."""
    stage = impatient({"carrier-a-spare": ringing()})
    stage.call(3)
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    stage.network.inject(answer_to(request, "603 Decline", "a"), flow_from(CARRIER_A))
    assert finals(stage) == []
    stage.network.run(0.008)
    assert stage.spare.cancelled == 1
    assert stage.requests_to(CARRIER_A_SPARE, "CANCEL")[0].values("reason") == ["SIP;cause=603"]
    assert finals(stage) == []  # still waiting for what the cancelled branch says
    stage.network.run(1)
    assert finals(stage) == [603]
    assert stage.record("end")["code"] == 603
    stage.settle()


@pytest.mark.clause("FRK-03", "RFC 3261 16.7 (5)")
def test_a_2xx_wins_against_a_6xx() -> None:
    """603 on one branch, and the other answers 200 before its CANCEL arrives: the caller hears 200 and no 603."""
    stage = impatient({"carrier-a-spare": Script(ring_after=0.1, answer_after=1.0)})
    stage.call(2.99)
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    stage.network.run(0.018)  # the spare has less than 5 ms left to be cancelled
    stage.network.inject(answer_to(request, "603 Decline", "a"), flow_from(CARRIER_A))
    stage.network.run(1)
    assert stage.requests_to(CARRIER_A_SPARE, "CANCEL") != []
    assert finals(stage) == [200]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("FRK-08")
def test_a_late_refusal_no_longer_counts() -> None:
    """486 from a target that was given up is acknowledged and ends nothing: the target after the next is tried."""
    third = ("192.0.2.23", 5060)
    scripts = {"carrier-a": refusing(486), "carrier-a-spare": Script(ring_after=None, answer_after=5.0, code=503)}
    stage = impatient(scripts, targets=tuple(map(target, (CARRIER_A, CARRIER_A_SPARE, third))))
    stage.agent(third, "third")
    stage.call(3)
    back(stage)
    stage.network.run(10)
    assert stage.requests_to(CARRIER_A, "ACK") != []
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("FRK-09", "RFC 3261 16.10")
def test_a_caller_that_gives_up_while_branches_overlap() -> None:
    """CANCEL reaches the branch that rings, no third target is tried, and the caller hears 487."""
    third = ("192.0.2.23", 5060)
    stage = impatient({"carrier-a-spare": ringing()}, targets=tuple(map(target, (CARRIER_A, CARRIER_A_SPARE, third))))
    stage.call(3)
    stage.pbx.give_up()
    stage.network.run(1)
    assert len(stage.requests_to(CARRIER_A_SPARE, "CANCEL")) == 1
    assert stage.octets_to(third) == []
    assert finals(stage) == [487]
    assert stage.record("end")["released_by"] == "caller"
    stage.settle()


@pytest.mark.clause("FRK-09")
def test_a_caller_that_gives_up_while_the_next_name_is_asked_for() -> None:
    """Between two targets, with nothing pending: 487 at once, and nobody else is tried."""
    targets = (target(CARRIER_A), target(("nowhere.example", 5060)), target(CARRIER_A_SPARE))
    stage = impatient(targets=targets)
    stage.call(2.5)
    assert stage.engine.parked == 1
    stage.pbx.give_up()
    stage.network.run(3)
    assert finals(stage) == [487]
    assert stage.octets_to(CARRIER_A_SPARE) == []
    stage.settle()


@pytest.mark.clause("FRK-09")
def test_a_caller_that_gives_up_on_a_cancelled_branch() -> None:
    """The branch that was given up is cancelled but has not ended: the caller hears 487 when it can say no 2xx."""
    targets = (target(CARRIER_A), target(("nowhere.example", 5060)))
    stage = impatient(targets=targets)
    stage.call(2.5)
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    stage.network.inject(answer_to(request, "180 Ringing", "a"), flow_from(CARRIER_A))
    stage.pbx.give_up()
    stage.network.run(0.5)
    assert finals(stage) == []  # a 200 might have crossed the CANCEL
    stage.network.run(6)
    assert finals(stage) == [487]
    stage.settle()


@pytest.mark.clause("FRK-09", "RFC 3261 16.10")
@pytest.mark.parametrize("rings", [True, False])
def test_a_call_given_up_does_not_ring_too_long(rings: bool) -> None:
    """What a cancelled target says on starts no ring timeout: the call ends as 487 by its caller, not as a 408."""
    script = Script(ring_after=0.1 if rings else None, answer_after=None, stuck=True)
    stage = Stage(trunks=changed("carrier-a", response_timeout=2.0, ring_timeout=6.0), scripts={"carrier-a": script})
    if not rings:
        stage.network.detach(CARRIER_A)
    stage.call(1.4)
    stage.pbx.give_up()
    back(stage)
    stage.network.run(0.5)
    if rings:
        (request,) = stage.requests_to(CARRIER_A, "INVITE")
        stage.network.inject(answer_to(request, "180 Ringing", "carrier-a"), flow_from(CARRIER_A))
    stage.network.run(50)
    end = stage.record("end")
    assert (end["code"], end["released_by"]) == (487, "caller")
    assert b"SIP/2.0 487" in {data[:11] for data in stage.octets_to(ACME_PBX)}
    stage.settle()


def test_a_silent_target_counts_against_its_health() -> None:
    """Three calls that gave it up, and the fourth goes to the other one first."""
    stage = impatient()
    for position in range(4):
        stage.pbx.start(invite(call_id=f"call-{position}@sample"))
        stage.network.run(4)
    assert [log.event for log in stage.network.logs if log.event.startswith("target.")] == ["target.down"]
    assert len({request.call_id for request in stage.requests_to(CARRIER_A, "INVITE")}) == 3


@pytest.mark.clause("TXN-21")
def test_other_requests_are_not_sent_twice_in_a_hurry() -> None:
    """A MESSAGE may be silent for seconds while somebody handles it: the next target gets it after Timer F only."""
    stage = impatient()
    stage.call(20, method="MESSAGE")
    assert stage.octets_to(CARRIER_A_SPARE) == []


@pytest.mark.clause("TXN-23", "RFC 3261 16.8")
def test_a_target_that_rings_too_long_for_its_trunk() -> None:
    """However often it says so: after the trunk's limit it is cancelled and the caller hears 408; nobody else rings."""
    stage = Stage(trunks=changed("carrier-a", ring_timeout=20.0), scripts={"carrier-a": ringing()})
    stage.call(15)
    (request,) = stage.requests_to(CARRIER_A, "INVITE")
    stage.network.inject(answer_to(request, "180 Ringing", "carrier-a"), flow_from(CARRIER_A))
    stage.network.run(4.9)
    assert stage.carrier.cancelled == 0
    stage.network.run(0.2)
    assert stage.carrier.cancelled == 1
    assert finals(stage) == [408]
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert stage.record("end")["code"] == 408
    stage.settle()


def test_an_answer_that_wins_against_the_ring_timeout() -> None:
    """The callee answers while our CANCEL is on its way: the caller is in a call."""
    stage = Stage(
        trunks=changed("carrier-a", ring_timeout=20.0),
        scripts={"carrier-a": Script(ring_after=0.1, answer_after=19.994)},
    )
    stage.call(21)
    assert stage.carrier.cancelled == 1
    assert finals(stage) == [200]


def test_a_target_that_got_stuck_is_followed_by_the_next() -> None:
    """It said 100 and then nothing: after the trunk's limit it is cancelled, and the next target is tried at once."""
    stage = Stage(trunks=changed("carrier-a", ring_timeout=5.0), scripts={"carrier-a": Script(None, None, stuck=True)})
    stage.call(6)
    assert len(stage.requests_to(CARRIER_A, "CANCEL")) > 0
    assert stage.pbx.codes == [100, 180, 200]
    stage.hang_up()
    stage.settle()


def test_a_stuck_target_does_not_hold_up_a_refusal() -> None:
    """What the next target decides is told as soon as nothing from the stuck one can be on its way any more (T4)."""
    stage = Stage(
        trunks=changed("carrier-a", ring_timeout=5.0),
        scripts={"carrier-a": Script(None, None, stuck=True), "carrier-a-spare": refusing(486)},
    )
    stage.call(9.9)
    assert finals(stage) == []
    stage.network.run(0.2)
    assert finals(stage) == [486]


def test_a_last_target_that_is_silent_for_too_long() -> None:
    """The limit also holds for a target that never said a word and has no other behind it."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(CARRIER_A),), response_timeout=2.0, ring_timeout=10.0))
    stage.network.detach(CARRIER_A)
    stage.call(9.9)
    assert finals(stage) == []
    stage.network.run(0.2)
    assert finals(stage) == [408]
    stage.settle()


@pytest.mark.clause("EMG-16")
def test_an_emergency_call_that_only_rings_tries_the_next_target() -> None:
    """Every emergency target is tried, also after one that rang for too long."""
    other = ("192.0.2.42", 5060)
    trunks = changed("rescue", targets=(target(RESCUE), target(other)), ring_timeout=10.0)
    stage = Stage(trunks=trunks, scripts={"rescue": ringing()})
    stage.agent(other, "rescue-spare")
    stage.call(12, uri="sip:911@192.0.2.1")
    assert stage.rescue.cancelled == 1
    assert finals(stage) == [200]


@pytest.mark.clause("TXN-34")
@pytest.mark.parametrize("comes_back", [True, False])
def test_overlapping_branches_leave_nothing_for_the_garbage_collector(comes_back: bool) -> None:
    """A target given up, which answers late or never, and one that takes over: all of it is freed by counting alone."""
    stage = impatient({"carrier-a": NO_TRYING, "carrier-a-spare": Script(ring_after=0.1, answer_after=10.0)})
    gc.collect()
    gc.disable()
    try:
        stage.call(3)
        if comes_back:
            back(stage)
        stage.network.run(80)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = {type(item).__name__ for item in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert len(stage.octets_to(ACME_PBX)) > 2
    assert not kinds & {"Branch", "ResponseContext", "ClientTransaction", "ServerTransaction", "Call"}


@pytest.mark.clause("FRK-08", "RFC 3261 22.3")
def test_a_late_answer_beside_a_branch_that_was_challenged() -> None:
    """The next target asked for credentials, so its numbers are ahead; those of the dialog that is answered are not."""
    trunks = tuple(replace(trunk, response_timeout=2.0) for trunk in WITH_PASSWORD)
    stage, second = with_carrier(trunks, CARRIER_A_SPARE, script=ringing(), once=False)
    stage.carrier.script = NO_TRYING
    stage.network.detach(CARRIER_A)
    stage.call(3)
    assert second.requests[-1].cseq.number == 2
    back(stage)
    stage.network.run(1)
    assert stage.pbx.codes == [100, 180, 200]
    assert [ack.cseq.number for ack in stage.carrier.acks] == [1]
    stage.hang_up()
    assert stage.pbx.codes[-1] == 200
    assert stage.carrier.requests[-1].cseq.number > 1
    assert second.complaints == []
    stage.settle()

"""The caller gives up: at every moment it may, and what becomes of the call then."""

import pytest

from sipguard.policy.need import Answer, CommitNeed
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_A_SPARE, flow_from, invite
from sipguard.testing.user_agent import Script
from tests.flows.stage import CERTIFICATE, Stage, octets, refusing, ringing


@pytest.mark.clause("TXN-26", "PRX-13", "RFC 3261 16.10")
def test_cancel_while_ringing() -> None:
    """CANCEL is answered here, made anew on the branch of the INVITE, and the 487 comes back."""
    stage = Stage(scripts={"carrier-a": ringing()})
    stage.call(1)
    stage.pbx.give_up()
    stage.network.run(1)
    assert stage.pbx.codes == [100, 180, 487]
    assert stage.carrier.cancelled == 1
    (cancel,) = stage.requests_to(CARRIER_A, "CANCEL")
    (sent,) = stage.requests_to(CARRIER_A, "INVITE")
    assert cancel.via.branch == sent.via.branch
    assert len(cancel.listed("via")) == 1
    end = stage.record("end")
    assert (end["code"], end["released_by"], end["answered"]) == (487, "caller", False)
    stage.settle()


@pytest.mark.clause("TXN-30", "RFC 3326 2")
def test_the_reason_of_a_cancel_goes_along() -> None:
    """Reason values of the caller's CANCEL are in ours."""
    stage = Stage(scripts={"carrier-a": ringing()})
    stage.call(1)
    stage.pbx.give_up('SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26")
    stage.network.run(1)
    (cancel,) = stage.requests_to(CARRIER_A, "CANCEL")
    assert cancel.values("reason") == ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"]


@pytest.mark.clause("TXN-27", "RFC 3261 9.1")
def test_cancel_before_any_response_waits_for_one() -> None:
    """Nothing is cancelled towards a target that has not said anything; its first 1xx lets the CANCEL go."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=2.0, answer_after=None)})
    stage.call(0.1)
    stage.pbx.give_up()
    stage.network.run(0.1)
    assert stage.requests_to(CARRIER_A, "CANCEL") == []
    stage.network.run(0.5)  # by then the carrier's own 100 has come
    assert len(stage.requests_to(CARRIER_A, "CANCEL")) == 1
    assert stage.pbx.codes[-1] == 487
    stage.settle()


@pytest.mark.clause("TXN-29", "RFC 3261 9.2")
def test_cancel_after_the_answer_changes_nothing() -> None:
    """A CANCEL that comes after the 200 is answered 200, and the call stays up."""
    stage = Stage()
    stage.call()
    request = invite()
    rows = [f"{name}: {request.required(name)}" for name in ("via", "from", "to", "call-id")]
    outputs = stage.network.inject(
        octets(f"CANCEL {request.uri} SIP/2.0", *rows, "CSeq: 1 CANCEL", "Max-Forwards: 70"), flow_from(ACME_PBX)
    )
    assert [output.data[:11] for output in outputs] == [b"SIP/2.0 200"]  # type: ignore[union-attr]
    assert stage.carrier.cancelled == 0
    assert stage.engine.active_calls == 1


@pytest.mark.clause("TXN-26", "MSG-21")
def test_cancel_for_nothing_is_481() -> None:
    """A CANCEL that matches no INVITE gets 481, whatever it requires of proxies."""
    stage = Stage()
    request = invite()
    rows = [f"{name}: {request.required(name)}" for name in ("via", "from", "to", "call-id")]
    outputs = stage.network.inject(
        octets(f"CANCEL {request.uri} SIP/2.0", *rows, "CSeq: 1 CANCEL", "Proxy-Require: foo"), flow_from(ACME_PBX)
    )
    assert outputs[0].data.startswith(b"SIP/2.0 481 ")  # type: ignore[union-attr]


@pytest.mark.clause("FRK-09", "RFC 3261 16.7 (10)")
def test_no_second_target_after_a_cancel() -> None:
    """A target that says 503 to a cancelled call is the last one."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=0.1, answer_after=1.0, code=503)})
    stage.call(0.5)
    stage.carrier.cancel = lambda transaction, invite, now: stage.carrier.answer(transaction, 200, (), now)  # type: ignore[method-assign]
    stage.pbx.give_up()
    stage.network.run(3)
    assert stage.octets_to(CARRIER_A_SPARE) == []
    assert stage.pbx.codes[-1] == 487
    stage.settle()


@pytest.mark.clause("FRK-01", "RFC 3261 9.1")
def test_an_answer_that_wins_the_race_against_cancel() -> None:
    """A 200 sent before the CANCEL arrived reaches the caller, which is then in a call."""
    stage = Stage(scripts={"carrier-a": Script(ring_after=0.1, answer_after=0.5)})
    stage.call(0.504)
    stage.pbx.give_up()
    stage.network.run(1)
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.events == ["decision", "answer"]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("TXN-28", "RFC 3261 9.1")
def test_a_target_that_never_ends_its_invite() -> None:
    """Without a final response 64*T1 after the CANCEL the call is over, with 487 upstream."""
    stage = Stage(scripts={"carrier-a": ringing()})
    stage.call(1)
    stage.carrier.cancel = lambda transaction, invite, now: stage.carrier.answer(transaction, 200, (), now)  # type: ignore[method-assign]
    stage.pbx.give_up()
    stage.network.run(31)
    assert [data for data in stage.octets_to(ACME_PBX) if data.startswith(b"SIP/2.0 487")] == []
    stage.network.run(1.2)
    assert [data for data in stage.octets_to(ACME_PBX) if data.startswith(b"SIP/2.0 487")] != []
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("TXN-26", "VS-37")
def test_cancel_while_parked_on_a_certificate() -> None:
    """A call that waits for a certificate and is cancelled gets 487; nothing leaves, and a late answer is ignored."""
    stage = Stage()
    stage.arrives(0.5, headers=(stage.identity(),))
    assert stage.engine.parked == 1
    stage.carrier.give_up()
    stage.network.run(0.5)
    assert stage.carrier.codes == [100, 487]
    assert stage.engine.parked == 0
    stage.network.answer(CERTIFICATE, Answer(True))
    stage.network.run(1)
    assert stage.octets_to(ACME_PBX) == []
    stage.settle()


@pytest.mark.clause("TXN-26", "FRK-09")
def test_cancel_while_parked_on_the_log() -> None:
    """A call whose record is being written is cancelled: 487, an end record, and it never leaves."""
    stage = Stage()
    stage.network.ledger_answers = False
    stage.call(0.5)
    (need,) = stage.network.asked
    assert isinstance(need, CommitNeed)
    stage.pbx.give_up()
    stage.network.run(0.5)
    assert stage.pbx.codes == [100, 487]
    end = stage.record("end")
    assert (end["id"], end["code"], end["released_by"]) == (need.identifier, 487, "caller")
    stage.network.answer(need, Answer(True))
    stage.network.run(0.5)
    assert stage.octets_to(CARRIER_A) == []
    stage.settle()


@pytest.mark.clause("FRK-09")
def test_cancel_during_the_second_attempt() -> None:
    """After a failover the CANCEL goes to the target being tried, and to no other."""
    stage = Stage(scripts={"carrier-a": refusing(503), "carrier-a-spare": ringing()})
    stage.call(1)
    stage.pbx.give_up()
    stage.network.run(1)
    assert stage.requests_to(CARRIER_A, "CANCEL") == []
    assert len(stage.requests_to(CARRIER_A_SPARE, "CANCEL")) == 1
    assert stage.pbx.codes == [100, 180, 487]
    stage.settle()


@pytest.mark.clause("TXN-33", "TXN-27")
def test_cancel_towards_a_silent_target() -> None:
    """A target that never says a word: the cancelled call ends with 487 when the INVITE times out."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.call(1)
    stage.pbx.give_up()
    stage.network.run(35)
    assert stage.pbx.codes == [100, 487]
    assert stage.octets_to(CARRIER_A_SPARE) == []
    stage.settle()


@pytest.mark.clause("FRK-09", "RFC 3261 16.10")
def test_cancel_and_then_the_target_is_gone() -> None:
    """That nobody is at the target is no news to a caller that gave up: 487, closed as given up."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.call(0.1)
    stage.pbx.give_up()
    stage.network.run(0.1)
    stage.network.unreachable.add(CARRIER_A)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 487
    end = stage.record("end")
    assert (end["code"], end["released_by"]) == (487, "caller")
    stage.settle()


@pytest.mark.clause("TXN-26", "RFC 3261 16.10")
@pytest.mark.parametrize("code", [503, 408])
def test_a_failure_that_crosses_the_cancel(code: int) -> None:
    """What would have led to the next target leads nowhere any more: the caller hears 487, and it ended the call."""
    stage = Stage(scripts={"carrier-a": Script(answer_after=2.0, code=code, stuck=True)})
    stage.call(1)
    stage.pbx.give_up()
    stage.network.run(3)
    assert stage.pbx.codes == [100, 180, 487]
    assert stage.requests_to(CARRIER_A_SPARE, "INVITE") == []
    end = stage.record("end")
    assert (end["code"], end["released_by"], end["answered"]) == (487, "caller", False)
    stage.settle()


@pytest.mark.clause("TXN-26", "RFC 3261 16.7 (6)")
def test_a_refusal_that_crosses_the_cancel() -> None:
    """What the callee decided before it heard of the CANCEL is what became of the call."""
    stage = Stage(scripts={"carrier-a": Script(answer_after=2.0, code=486, stuck=True)})
    stage.call(1)
    stage.pbx.give_up()
    stage.network.run(3)
    assert stage.pbx.codes == [100, 180, 486]
    assert (stage.record("end")["code"], stage.record("end")["released_by"]) == (486, "network")

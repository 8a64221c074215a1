"""The attestation log: first the record, then the call."""

from typing import Any

import pytest

from sipguard.engine import Ask, Send
from sipguard.policy.chain import ORIGINATION
from sipguard.policy.need import Answer, CommitNeed
from sipguard.testing.sample import ACME_PBX, CARRIER_A, FORGED, PROXY, flow_from, invite
from tests.flows.stage import Stage, octets, refusing, with_settings

EMERGENCY: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]}", "called": "911"}


@pytest.mark.clause("policy")
def test_nothing_leaves_before_its_record_is_durable() -> None:
    """The INVITE door gives out a 100 and the record; the INVITE itself comes out of the commit."""
    stage = Stage()
    outputs = stage.engine.receive(invite().encode(), flow_from(ACME_PBX), 0.0, 1_800_000_000.0)
    assert [type(output) for output in outputs] == [Send, Ask]
    need = outputs[1].need  # type: ignore[union-attr]
    assert isinstance(need, CommitNeed)
    after = stage.engine.complete(need, Answer(True), 0.0, 1_800_000_000.0)
    assert [output.data[:6] for output in after] == [b"INVITE"]  # type: ignore[union-attr]


@pytest.mark.clause("policy")
def test_a_refusal_is_durable_too() -> None:
    """The 403 also waits for its record."""
    stage = Stage()
    stage.network.ledger_answers = False
    stage.call(1, calling=FORGED)
    assert stage.pbx.codes == [100]
    stage.network.answer(stage.network.asked[0], Answer(True))
    stage.network.run(1)
    assert stage.pbx.codes == [100, 403]


@pytest.mark.clause("policy")
def test_the_records_of_a_call() -> None:
    """Decision, answer and end carry one identifier; the end says who hung up, and how long the call was."""
    stage = Stage()
    stage.call(10)
    stage.hang_up(stage.carrier)
    decision, answer, end = stage.record("decision"), stage.record("answer"), stage.record("end")
    assert decision["id"] == answer["id"] == end["id"]
    assert (decision["account"], decision["trunk"], decision["end_user"]) == ("acme", "acme-pbx", "acme/sales")
    assert (decision["calling"]["effective"], decision["called"]["request_uri"]) == ("14155550100", "12125550123")
    assert (answer["route"], answer["code"]) == ("carrier-a", 200)
    assert (end["released_by"], end["answered"]) == ("called", True)
    assert end["duration"] == pytest.approx(9.49, abs=0.02)
    assert [entry[0] for entry in decision["trail"]] == [stage.name for stage in ORIGINATION]


@pytest.mark.clause("policy")
def test_a_call_that_failed_has_its_end() -> None:
    """A refusal downstream closes the record with its code."""
    stage = Stage(scripts={"carrier-a": refusing(486)})
    stage.call()
    end = stage.record("end")
    assert (end["code"], end["answered"], end["released_by"]) == (486, False, "network")
    assert "duration" not in end
    assert stage.engine.active_calls == 0


@pytest.mark.clause("policy")
def test_a_full_disk_holds_calls() -> None:
    """With hold, a call whose record cannot be written gets 503 and nothing leaves, and the operator hears of it."""
    stage = Stage()
    stage.network.ledger_works = False
    stage.call()
    assert stage.pbx.codes == [100, 503]
    assert stage.octets_to(CARRIER_A) == []
    assert any(log.event == "ledger.failed" for log in stage.network.logs)
    assert stage.engine.counters["alarms", "ledger"] == 1
    assert stage.engine.active_calls == 0


@pytest.mark.clause("policy")
def test_a_full_disk_stops_nothing_where_the_operator_says_so() -> None:
    """With continue, the call goes on, with the same alarm."""
    stage = Stage(settings=with_settings(ledger_on_failure="continue"))
    stage.network.ledger_works = False
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    assert any(log.event == "ledger.failed" for log in stage.network.logs)


@pytest.mark.clause("EMG-04")
def test_a_full_disk_does_not_hold_emergency_calls() -> None:
    """An emergency call goes on without its record."""
    stage = Stage()
    stage.network.ledger_works = False
    stage.call(**EMERGENCY)
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("policy")
def test_a_slow_log_counts_as_a_failed_one() -> None:
    """No answer within the bound: 503, and the record that may come late is closed by an end record."""
    stage = Stage()
    stage.network.ledger_answers = False
    stage.call(1.9)
    assert stage.pbx.codes == [100]
    stage.network.run(1)
    assert stage.pbx.codes == [100, 503]
    need = stage.network.asked[0]
    assert isinstance(need, CommitNeed)
    end = stage.record("end")
    assert (end["id"], end["code"], end["released_by"]) == (need.identifier, 503, "node")
    stage.network.answer(need, Answer(True))
    stage.network.run(1)
    assert stage.octets_to(CARRIER_A) == []


@pytest.mark.clause("EXT-14", "policy", "MSG-30")
def test_a_record_holds_any_octets() -> None:
    """Latin-1 junk and UTF-8 in headers end up as text in a valid record."""
    stage = Stage()
    stage.call(from_value='"Zo\xc3\xab \xff" <sip:+14155550100@x>')
    assert stage.record("decision")["calling"]["raw_from"].startswith('"Zoë \ufffd" <sip:')


@pytest.mark.clause("policy")
def test_two_invites_of_one_dialog_are_both_closed() -> None:
    """A caller that starts twice with one Call-ID and tag leaves no call behind."""
    stage = Stage(scripts={"carrier-a": refusing(486)})
    first = invite()
    second = first.encode().replace(b"z9hG4bKcall-1", b"z9hG4bKother").replace(b"CSeq: 1 ", b"CSeq: 2 ")
    stage.pbx.start(first)
    stage.network.inject(second, flow_from(ACME_PBX))
    assert stage.engine.active_calls == 1
    stage.network.run(2)
    assert stage.events.count("end") == stage.events.count("decision") == 2
    assert stage.engine.active_calls == 0


@pytest.mark.clause("policy")
def test_the_tag_of_a_finished_call_opens_nothing() -> None:
    """A second callee's late 2xx after the BYE does not bring the call back."""
    stage = Stage()
    stage.call()
    stage.hang_up()
    request = stage.carrier.requests[0]
    rows = [f"{name}: {request.required(name)}" for name in ("from", "call-id", "cseq")]
    vias = [f"Via: {value}" for value in request.listed("via")]
    late = octets(
        "SIP/2.0 200 OK", *vias, *rows, f"To: {request.required('to')};tag=second", "Contact: <sip:x@192.0.2.21>"
    )
    stage.network.inject(late, flow_from(CARRIER_A))
    stage.network.run(1)
    assert stage.events.count("answer") == stage.events.count("end") == 1
    assert stage.engine.active_calls == 0

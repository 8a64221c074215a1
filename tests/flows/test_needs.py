"""Facts that are missing: asked once, waited for within bounds, and never asked of a call that is gone."""

import pytest

from sipguard.policy.need import Answer
from sipguard.policy.recorder import Recorder
from sipguard.testing.sample import ACME_PBX, CARRIER_A, OWNED, changed
from tests.flows.stage import CERTIFICATE, Stage, with_settings


@pytest.mark.clause("VS-33")
def test_a_missing_certificate_is_asked_for_once() -> None:
    """Three calls signed with one certificate wait for one answer, and all go on with it."""
    stage = Stage()
    for number in range(3):
        calling = f"1212555012{number}"
        headers = (stage.identity(calling),)
        stage.arrives(0.1, calling=calling, headers=headers, call_id=f"parked-{number}@sample")
    assert stage.network.asked == [CERTIFICATE]
    assert stage.engine.parked == 3
    assert stage.octets_to(ACME_PBX) == []
    stage.sample.certificate_arrives()
    stage.network.answer(CERTIFICATE, Answer(True))
    stage.network.run(2)
    assert len(stage.pbx.requests) == 3
    assert all("TN-Validation-Passed" in request.required("from") for request in stage.pbx.requests)
    assert stage.engine.parked == 0


@pytest.mark.clause("VS-34", "VS-37")
@pytest.mark.parametrize(("choice", "codes"), [("tag", [100, 180, 200]), ("reject", [100, 436])])
def test_a_certificate_that_does_not_come(choice: str, codes: list[int]) -> None:
    """After the bound the trunk's on_unavailable decides: the call goes on without a verdict, or 436."""
    stage = Stage(trunks=changed("carrier-a", on_unavailable=choice))
    stage.arrives(1.9, headers=(stage.identity(),))
    assert stage.carrier.codes == [100]
    stage.network.run(2)
    assert stage.carrier.codes == codes
    if choice == "tag":
        assert "No-TN-Validation" in stage.pbx.requests[0].required("from")
    stage.network.answer(CERTIFICATE, Answer(True))
    stage.network.run(1)
    assert stage.events.count("decision") == 1
    stage.settle()


@pytest.mark.clause("VS-34")
def test_a_fetch_that_failed_is_an_answer() -> None:
    """A failed fetch resumes the call at once."""
    stage = Stage()
    stage.network.answers[CERTIFICATE] = Answer(False, "404")
    stage.arrives(headers=(stage.identity(),))
    assert stage.carrier.codes == [100, 180, 200]
    assert stage.record("decision")["verify_reason"] == "certificate-unavailable"


@pytest.mark.clause("VS-34")
def test_a_certificate_that_was_fetched_and_lost_again_is_not_asked_for_for_ever() -> None:
    """An answer without a certificate in the cache ends the question."""
    stage = Stage()
    stage.network.answers[CERTIFICATE] = Answer(True)
    stage.arrives(headers=(stage.identity(),))
    assert stage.network.asked.count(CERTIFICATE) == 1
    assert stage.carrier.codes == [100, 180, 200]


@pytest.mark.clause("policy")
def test_a_reload_does_not_lose_parked_calls() -> None:
    """A call that waits during a reload resumes under the new view."""
    stage = Stage()
    stage.arrives(0.5, headers=(stage.identity(),))
    other = Stage(trunks=changed("carrier-a", on_unavailable="reject"))
    stage.engine.reconfigure(other.sample.view)
    stage.network.run(3)
    assert stage.carrier.codes == [100, 180, 200]  # the call keeps the trunk it came over
    stage.arrives(3, headers=(stage.identity(),), call_id="next@sample")
    assert stage.carrier.codes[-1] == 436


@pytest.mark.clause("policy")
def test_the_bound_is_a_setting() -> None:
    """need_timeout is how long a call may wait."""
    stage = Stage(settings=with_settings(need_timeout=0.3))
    stage.arrives(1.5, headers=(stage.identity(),))
    assert stage.carrier.codes == [100, 180, 200]


@pytest.mark.clause("policy", "FRK-09")
@pytest.mark.parametrize("late", [True, False])
def test_a_call_cancelled_while_it_waits_is_on_record(late: bool) -> None:
    """One record says that nothing was decided, with what was known; the certificate that comes later adds nothing."""
    stage = Stage()
    stage.arrives(0.5, headers=(stage.identity(),))
    stage.carrier.give_up()
    stage.network.run(1)
    if late:
        stage.sample.certificate_arrives()
        stage.network.answer(CERTIFICATE, Answer(True))
    stage.network.run(5)
    assert stage.carrier.codes == [100, 487]
    record = stage.record("decision")
    assert (record["decision"], record["code"], record["detail"]) == (
        "undecided",
        487,
        "cancelled before it was decided",
    )
    assert (record["calling"]["from"], record["called"]["request_uri"]) == ("12125550123", OWNED)
    assert "rule" not in record
    assert "effective" not in record["calling"]  # nothing was verified
    assert stage.events == ["decision"]
    assert stage.engine.counters["calls", "termination", "undecided", "", "487"] == 1
    assert stage.octets_to(ACME_PBX) == []
    stage.settle()


@pytest.mark.clause("policy")
def test_a_message_that_gave_up_waiting_is_on_record() -> None:
    """A MESSAGE whose transaction ends before its certificate comes leaves one record, and so does each of its like."""
    stage = Stage(settings=with_settings(need_timeout=60.0))
    for number in range(2):
        stage.arrives(0.1, method="MESSAGE", headers=(stage.identity(),), call_id=f"message-{number}@sample")
    stage.network.run(50)
    records = [record for record in stage.network.records if record["decision"] == "undecided"]
    assert [record["call_id"] for record in records] == ["message-0@sample", "message-1@sample"]
    assert stage.events == ["decision", "decision"]
    stage.settle()


@pytest.mark.clause("policy")
def test_what_cannot_be_decided_for_a_fault_of_ours_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug on the way to the decision costs the call, which is answered 500 and on record once."""

    def broken(*_: object) -> bytes:
        raise RuntimeError("bug")

    monkeypatch.setattr(Recorder, "decision", broken)
    stage = Stage()
    stage.call()
    assert stage.pbx.codes == [100, 500]
    record = stage.record("decision")
    assert (record["decision"], record["code"], record["detail"]) == ("undecided", 500, "it could not be handled")
    assert stage.octets_to(CARRIER_A) == []

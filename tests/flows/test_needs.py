"""Facts that are missing: asked once, waited for within bounds, and never asked of a call that is gone."""

import pytest

from sipguard.policy.need import Answer
from sipguard.testing.sample import ACME_PBX, changed
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

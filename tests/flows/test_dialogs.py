"""One INVITE and its dialogs: early ones that are given up, several that are answered by a fork downstream."""

import pytest

from sipguard.policy.settings import PolicySettings
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, flow_from
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, answer_to, silent


def answered_twice() -> Stage:
    """A call that the carrier has forked to two phones, both of which answered; the caller has acknowledged both."""
    stage = Stage()
    stage.call()
    answer = stage.pbx.responses[-1].fork()
    answer.prepend("via", stage.carrier.requests[0].listed("via")[0])
    answer.set("to", answer.required("to").replace("tag=carrier-a", "tag=second"))
    stage.network.inject(answer.encode(), flow_from(CARRIER_A))
    stage.network.run(1)
    assert [response.to.tag for response in stage.pbx.responses[-2:]] == ["carrier-a", "second"]
    return stage


def bye(stage: Stage, tag: str) -> Request:
    """The caller's BYE for one of the two dialogs."""
    request = stage.pbx.in_dialog("BYE")
    request.set("to", request.required("to").replace("tag=second", f"tag={tag}"))
    return request


@pytest.mark.clause("FRK-01", "PRX-24", "RFC 3261 13.2.2.4")
def test_the_bye_of_one_fork_leaves_the_other_up() -> None:
    """Of two answered dialogs one is ended at once; the other takes re-INVITEs, and its BYE closes the record."""
    stage = answered_twice()
    stage.pbx.start(bye(stage, "second"))
    stage.network.run(10)
    assert (stage.pbx.codes[-1], stage.events) == (200, ["decision", "answer"])
    update = stage.carrier.in_dialog("UPDATE")
    stage.carrier.start(update)
    stage.network.run(1)
    assert (stage.carrier.codes[-1], stage.engine.active_calls) == (200, 1)
    stage.pbx.start(bye(stage, "carrier-a"))
    stage.network.run(1)
    assert stage.record("end")["released_by"] == "caller"
    assert stage.record("end")["duration"] > 10
    assert stage.engine.active_calls == 0
    stage.settle()


@pytest.mark.clause("FRK-01", "PRX-24")
def test_an_answer_repeated_after_its_bye_brings_no_dialog_back() -> None:
    """A 2xx that comes once more when its dialog is over passes, and the other dialog's BYE still ends the call."""
    stage = answered_twice()
    answer = stage.pbx.responses[-1].fork()
    stage.pbx.start(bye(stage, "second"))
    stage.network.run(1)
    answer.prepend("via", stage.carrier.requests[0].listed("via")[0])
    stage.network.inject(answer.encode(), flow_from(CARRIER_A))
    stage.network.run(1)
    assert stage.pbx.responses[-1].to.tag == "second"
    stage.pbx.start(bye(stage, "carrier-a"))
    stage.network.run(1)
    assert stage.events == ["decision", "answer", "end"]
    assert stage.engine.active_calls == 0
    stage.settle()


@pytest.mark.clause("FRK-01", "PRX-24")
def test_a_repeated_bye_counts_once() -> None:
    """A second BYE in the dialog that has ended does not close the call that is still up in the other."""
    stage = answered_twice()
    for _ in range(2):
        stage.pbx.start(bye(stage, "second"))
        stage.network.run(1)
    assert stage.events == ["decision", "answer"]
    assert stage.engine.active_calls == 1


@pytest.mark.clause("PRX-24", "RFC 3261 15")
@pytest.mark.parametrize("code", [487, 486])
def test_a_bye_before_the_answer_is_no_end(code: int) -> None:
    """A caller's BYE in an early dialog passes, and the record is closed by the final response, as not answered."""
    stage = Stage(scripts={"carrier-a": Script(answer_after=5, code=code)})
    stage.call()
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert (stage.carrier.requests[-1].method, stage.events) == ("BYE", ["decision"])
    stage.network.run(5)
    end = stage.record("end")
    assert (end["code"], end["answered"], "duration" in end) == (code, False, False)
    assert end["released_by"] == ("caller" if code == 487 else "network")
    stage.settle()


@pytest.mark.clause("FRK-01", "PRX-24")
def test_ever_more_to_tags_fill_no_memory() -> None:
    """A carrier rings with a thousand To tags; the one that answers is a dialog like any, and little is kept."""
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call()
    (request,) = stage.carrier.requests
    for number in range(1000):
        answer = answer_to(request, "180 Ringing", f"phone-{number}", f"Contact: <sip:one@{CARRIER_A[0]}>")
        stage.network.inject(answer, flow_from(CARRIER_A))
    answer = answer_to(request, "200 OK", "phone-1", f"Contact: <sip:one@{CARRIER_A[0]}>")
    stage.network.inject(answer, flow_from(CARRIER_A))
    stage.network.run(1)
    assert len(stage.network.remembered[-1]) < 10_000
    stage.hang_up()
    assert stage.carrier.requests[-1].method == "BYE"
    assert stage.events == ["decision", "answer", "end"]


@pytest.mark.clause("FRK-01", "PRX-24")
@pytest.mark.parametrize("rang", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_a_fork_that_answers_when_the_call_is_over(rang: bool, ends: bool) -> None:
    """Its 2xx passes, and BYE follows to both sides: nobody talks on under a record that is closed."""
    stage = Stage(scripts={"carrier-a": silent()}, policy=PolicySettings(end_suspended=ends))
    stage.call()
    (request,) = stage.carrier.requests
    contact = f"Contact: <sip:one@{CARRIER_A[0]}>"
    answers = [("180 Ringing", "second")] if rang else []
    for status, tag in (*answers, ("200 OK", "first")):
        stage.network.inject(answer_to(request, status, tag, contact), flow_from(CARRIER_A))
    stage.network.run(1)
    stage.hang_up()
    assert stage.events == ["decision", "answer", "end"]
    stage.network.inject(answer_to(request, "200 OK", "second", contact), flow_from(CARRIER_A))
    stage.network.run(3)
    assert (stage.pbx.responses[-1].to.tag, stage.pbx.codes[-1]) == ("second", 200)
    to_carrier = stage.requests_to(CARRIER_A, "BYE")[-1]
    assert (to_carrier.to.tag, to_carrier.from_.tag, to_carrier.uri) == ("second", "caller-tag", contact[10:-1])
    assert to_carrier.cseq.number > request.cseq.number
    (to_pbx,) = stage.requests_to(ACME_PBX, "BYE")
    assert (to_pbx.to.tag, to_pbx.from_.tag) == ("caller-tag", "second")
    assert (stage.events, stage.engine.active_calls) == (["decision", "answer", "end"], 0)
    stage.settle()

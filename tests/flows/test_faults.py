"""Bugs of our own: each costs the message that met it, is logged, and the next call knows nothing of it."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.view import View
from sipguard.testing.sample import ACME_PBX, CARRIER_A, PROXY, flow_from
from tests.flows.stage import Stage

EMERGENCY: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]}", "called": "911"}


class Broken:
    """A part of the view that raises whatever is asked of it, or only when ``names`` are."""

    def __init__(self, real: Any, *names: str) -> None:
        self.real, self.names = real, names

    def __getattr__(self, name: str) -> Any:
        if name in self.names:
            raise RuntimeError(f"broken {name}")
        return getattr(self.real, name)


def broken(stage: Stage, **names: str) -> View:
    """The sample's view with parts that fail at one thing each."""
    view = stage.sample.view
    changes: dict[str, Any] = {part: Broken(getattr(view, part), name) for part, name in names.items()}
    return replace(view, **changes)


@pytest.mark.clause("architecture rule 5")
@pytest.mark.parametrize(
    ("part", "name", "records"),
    [
        ("traffic", "standing", ["decision"]),  # a stage
        ("traffic", "attempt", ["decision", "end"]),  # on the way to the target
        ("directory", "account", []),  # before there is a call
        ("policy", "revision", []),  # writing the record
    ],
)
def test_a_bug_costs_one_call(part: str, name: str, records: list[str]) -> None:
    """The call gets 500, an error is logged, nothing stays open, and after the repair calls go on."""
    stage = Stage()
    stage.engine.reconfigure(broken(stage, **{part: name}))
    stage.call()
    assert stage.pbx.codes == [100, 500]
    assert stage.octets_to(CARRIER_A) == []
    assert stage.events == records
    assert len(stage.errors) == 1
    assert stage.engine.counters["alarms", "bug"] == 1
    assert stage.engine.active_calls == 0
    assert stage.sample.view.usage._counts == {}
    stage.engine.reconfigure(stage.sample.view)
    stage.call(call_id="next@sample")
    assert stage.pbx.codes[-1] == 200
    stage.network.logs.clear()
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("EMG-04", "EMG-14")
def test_a_broken_stage_does_not_stop_an_emergency_call() -> None:
    """The stage is skipped, the failure logged, and the call gets through."""
    stage = Stage()
    stage.engine.reconfigure(broken(stage, directory="right"))
    stage.call(**EMERGENCY)
    assert stage.pbx.codes == [100, 180, 200]
    assert len(stage.rescue.requests) == 1
    assert len(stage.errors) == 1


@pytest.mark.clause("architecture rule 5")
def test_a_bug_in_a_response_costs_that_call() -> None:
    """What fails while a response is passed on still gives the caller a final answer."""
    stage = Stage()
    stage.call(0.1)
    stage.engine.reconfigure(broken(stage, traffic="answered"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 500
    assert len(stage.errors) == 1
    stage.engine.reconfigure(stage.sample.view)
    stage.network.logs.clear()
    stage.settle()


@pytest.mark.clause("architecture rule 5")
def test_a_bug_in_a_timer_is_logged_and_the_others_run() -> None:
    """The minute's evaluation fails; retransmissions go on."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.engine.reconfigure(broken(stage, traffic="sweep"))
    stage.network.inject(b"\r\n", flow_from(ACME_PBX))  # the minute begins
    stage.network.run(58)
    stage.call(10)
    assert len(stage.errors) == 1
    assert len(stage.requests_to(CARRIER_A, "INVITE")) > 3
    assert [data[:11] for data in stage.octets_to(ACME_PBX)] == [b"SIP/2.0 100"]

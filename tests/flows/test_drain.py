"""Draining: no new calls, everything else goes on."""

import pytest

from sipguard.testing.sample import CARRIER_A, PROXY
from tests.flows.stage import Stage


@pytest.mark.clause("EMG-15")
def test_a_draining_node_refuses_new_calls_only() -> None:
    """A new call gets 503, the one that is up goes on to its BYE, and the node becomes idle."""
    stage = Stage()
    stage.call()
    stage.engine.drain()
    assert stage.engine.draining
    stage.call(call_id="second@sample")
    assert stage.pbx.codes == [100, 180, 200, 100, 503]
    assert stage.network.records[-1]["rule"] == "node.draining"
    assert len(stage.requests_to(CARRIER_A, "INVITE")) == 1
    assert stage.engine.idle


@pytest.mark.clause("EMG-15")
def test_an_emergency_call_passes_a_draining_node() -> None:
    """911 is taken while draining."""
    stage = Stage()
    stage.engine.drain()
    stage.call(uri=f"sip:911@{PROXY[0]}", called="911")
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("EMG-15")
def test_a_call_in_progress_survives_draining() -> None:
    """Ringing, answered and hung up while draining; idle is said only when nobody waits for an answer."""
    stage = Stage()
    stage.call(0.3)
    stage.engine.drain()
    assert not stage.engine.idle
    stage.network.run(1)
    assert stage.pbx.codes == [100, 180, 200]
    assert stage.engine.idle
    assert stage.engine.active_calls == 1
    stage.hang_up()
    assert stage.record("end")["answered"] is True

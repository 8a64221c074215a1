"""Every flow, from customer to network and from network to customer, byte for byte and with its records."""

import shutil

import pytest

from tests.live.peers.flows import CLAUSES, FLOWS
from tests.live.peers.lines import Line

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed")]


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
@pytest.mark.parametrize("flow", [pytest.param(name, marks=pytest.mark.clause(*CLAUSES[name])) for name in FLOWS])
def test_a_flow_crosses_unchanged(direct: Line, flow: str, direction: str) -> None:
    """Both ends see the flow they expect, every row and body nobody had to change as written, and the log says so."""
    direct.play(FLOWS[flow], getattr(direct, direction))

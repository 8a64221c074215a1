"""Kamailio on the far side, in front and on both sides: the same flows cross several proxies, unchanged."""

import shutil

import pytest

from tests.live.peers import kamailio
from tests.live.peers.flows import CLAUSES, FLOWS
from tests.live.peers.lines import Line

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
    pytest.mark.skipif(not kamailio.installed(), reason="Kamailio is not installed"),
]

PLAYED = (
    "answered, ended by the called side",
    "re-INVITE from both sides",
    "re-INVITE glare",
    "two reliable provisionals with SDP",
    "UPDATE in the early dialog, from both sides",
    "CANCEL while it rings",
    "CANCEL crosses the answer",
    "a redirection goes to the caller",
    "the far end challenges",
    "refused everywhere (6xx)",
    "REFER by the caller, then BYE",
    "a subscription",
    "large bodies",
    "headers of every kind",
)
SELECTED = [pytest.param(name, marks=pytest.mark.clause(*CLAUSES[name])) for name in PLAYED]


@pytest.mark.clause("PRX-05", "PRX-08", "PRX-10", "RFC 3261 16.12")
@pytest.mark.parametrize("direction", ["outbound", "inbound"])
@pytest.mark.parametrize("flow", SELECTED)
def test_a_flow_crosses_three_proxies(between: Line, flow: str, direction: str) -> None:
    """Three proxies on the route, ours in the middle: each gets every request of the dialog, and no row is lost."""
    between.play(FLOWS[flow], getattr(between, direction))


@pytest.mark.clause("PRX-09", "TRN-01", "RFC 5658 3")
@pytest.mark.parametrize("direction", ["outbound", "inbound"])
@pytest.mark.parametrize("flow", SELECTED)
def test_a_flow_crosses_a_stream(stream: Line, flow: str, direction: str) -> None:
    """UDP, then TCP between two proxies, then UDP again: two proxies with two routes each."""
    stream.play(FLOWS[flow], getattr(stream, direction))

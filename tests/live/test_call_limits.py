"""Limits on calls at a real process: a reload brings them, and keeps the bans and what was used."""

import signal
from pathlib import Path

import pytest

from tests.runtime.live_node import Neighbour, live_node

pytestmark = pytest.mark.live

LIMITED = "[limits.calls.trunk]\nrate = 0.001\nburst = 2\n"
TOOL = "User-Agent: friendly-scanner"


def test_a_reload_brings_limits_and_keeps_bans_and_what_was_used(tmp_path: Path) -> None:
    """Without a limit calls pass; with one two more do, and a further reload earns nobody another burst."""
    with live_node(tmp_path) as node:
        stranger = Neighbour("127.0.0.9")
        try:
            node.call(stranger, "scan", "100", "100", TOOL)
            node.wait_for("source.banned")
        finally:
            stranger.socket.close()
        for number in range(3):
            node.invite(f"before-{number}")
            node.carrier.receive("INVITE")
        node.write_configuration(LIMITED)
        for reload in range(2):
            node.signal(signal.SIGHUP)
            node.wait_for("reloaded", reload + 1)
            for number in range(2):
                node.invite(f"after-{reload}-{number}")
        refused = node.customer.receive("SIP/2.0 503")
        assert "limit.rate" in refused
        assert "Retry-After" not in refused
        metric = 'sipguard_calls_total{code="503",direction="origination",rule="limit.rate",verdict="refused"}'
        node.until(lambda: node.metric(metric) == 2)
        assert node.metric("sipguard_banned_sources") == 1
        assert not [line for line in node.lines if line["event"] == "reload.restart-needed"]

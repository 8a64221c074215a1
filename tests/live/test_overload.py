"""A real process under more calls than it can take: everybody is answered, emergency calls get in, and it recovers."""

import socket
from pathlib import Path

import pytest

from tests.runtime.live_node import LiveNode, live_node

FLOOD = 3000  # calls at once: some seconds of work

MORE = """
[[trunk]]
name = "emergency"
side = "network"
targets = ["sip:127.0.0.2:9"]
classes = ["emergency"]

[policy.emergency]
unprovisioned = "route"
"""


def first_answers(node: LiveNode, calls: int) -> dict[str, str]:
    """The first status of each call, by Call-ID, once so many calls have one."""
    found: dict[str, str] = {}
    while len(found) < calls:
        message = node.customer.socket.recv(65_535).decode("latin-1")
        if message.startswith("SIP/2.0"):
            call_id = message.partition("\r\nCall-ID: ")[2].partition("\r\n")[0]
            found.setdefault(call_id, message[8:11])
    return found


@pytest.mark.clause("PRX-36", "EMG-17")
def test_a_flood_is_answered_and_an_emergency_call_gets_in(tmp_path: Path) -> None:
    """All calls of a flood hear 100 or 503, the emergency call behind it 100; a little later calls are taken again."""
    with live_node(tmp_path, MORE) as node:
        node.customer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_388_608)
        for number in range(FLOOD):
            node.invite(f"flood-{number}")
        node.call(node.customer, "help", "+14155550100", "911")
        answers = first_answers(node, FLOOD + 1)
        assert set(answers.values()) == {"100", "503"}
        assert answers["help"] == "100"
        refused = sum(code == "503" for code in answers.values())
        node.until(lambda: node.metric('sipguard_shed_total{trunk="acme-pbx"}') == refused)
        node.wait_for("overload.started")
        node.until(lambda: node.metric("sipguard_admitted_share") == 1.0)
        node.invite("afterwards")
        late = node.customer.receive("SIP/2.0")
        while "\r\nCall-ID: afterwards\r\n" not in late:
            late = node.customer.receive("SIP/2.0")
        assert late.startswith("SIP/2.0 100")
        node.wait_for("overload.ended")

"""Emergency calls through a running node: registered by command, routed, told to a receiver, found by command."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.live_node import NUMBER, LiveNode, live_node
from tests.runtime.receiver import Receiver

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]


def emergency(node: LiveNode, *arguments: str) -> Any:
    """``sipguard emergency`` beside the running node."""
    command = [sys.executable, "-m", "sipguard", "emergency", *arguments, "--json", "--config", str(node.config)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30)
    return json.loads(done.stdout)


def call_for_help(node: LiveNode, receiver: Receiver) -> None:
    """Refused, registered, tested and made, while the receiver of notices does not answer."""
    node.call(node.customer, "refused", NUMBER, "911")
    assert "emergency.unprovisioned" in node.customer.receive("SIP/2.0 403")
    emergency(node, "add", NUMBER, "--account", "acme", "--location", "1 Main St")
    node.wait_for("registry.followed")
    for count, called in enumerate(("933", "911"), 1):
        node.call(node.customer, called, NUMBER, f"9{called}")
        request = node.carrier.receive(f"INVITE sip:{called}@")
        node.carrier.answer(request, "486 Busy Here", node.proxy)
        node.customer.receive("SIP/2.0 486")
        node.until(lambda count=count: sum(record["event"] == "end" for record in node.log.records()) >= count)
    shown = emergency(node, "show", NUMBER)
    assert " 933 486 " in shown["last_test"]
    assert " 911 486 " in shown["last_call"]
    assert not [line for line in node.lines if line["event"] == "notice.delivered"]


def test_an_emergency_call_and_who_is_told(tmp_path: Path) -> None:
    """Calls are refused, tested and made while the receiver of notices hangs; it hears of all of them later."""

    async def main() -> None:
        async with Receiver(tmp_path) as receiver:
            more = (
                f'[policy.emergency.notify]\nurl = "{receiver.url("/x")}"\ntimeout = 60.0\n'
                f'allow_private_hosts = ["localhost"]\nhttps_ca = "{receiver.authorities}"\n'
            )
            receiver.gate.clear()
            context = live_node(tmp_path, more)
            node = await asyncio.to_thread(context.__enter__)
            try:
                await asyncio.to_thread(call_for_help, node, receiver)
                receiver.gate.set()
                await asyncio.to_thread(node.wait_for, "notice.delivered", 3)
            finally:
                await asyncio.to_thread(context.__exit__, None, None, None)
            heard = {notice["event"]: notice for notice in receiver.notices}
            assert set(heard) == {"emergency.refused", "emergency.test", "emergency.call"}
            assert heard["emergency.call"]["location"] == "1 Main St"
            assert heard["emergency.call"]["callback"] == NUMBER

    asyncio.run(asyncio.wait_for(main(), 80))

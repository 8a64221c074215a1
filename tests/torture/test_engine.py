"""The torture messages of RFC 4475 and RFC 5118 through the whole engine, from a customer's trunk.

``vectors/index.json`` says what a proxy may do with each. This one is a firewall: where a proxy would forward, its own
rules may refuse (the callers of the RFC own no number here: 403, 404, 405, 480, 484), and a request inside a dialog it
never saw is 481. A message it may drop may also get a 400. What it must never do is fail, or miss the next call.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sipguard.testing.sample import ACME_PBX, CARRIER_A, flow_from, invite
from tests.flows.stage import Stage

VECTORS = Path(__file__).parent / "vectors"
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
OUR_RULES = {"403", "404", "405", "480", "481", "484"}  # acceptable wherever forwarding is
CUSTOMER = flow_from(ACME_PBX)

every_message = pytest.mark.parametrize("entry", INDEX, ids=[entry["name"] for entry in INDEX])


def outcome(stage: Stage, before: int) -> set[str]:
    """What the engine did: the final codes it answered with, ``forward``, or ``drop``."""
    done = set()
    for _, send in stage.network.sent[before:]:
        if not send.data.startswith(b"SIP/2.0 "):
            done.add("forward")
        elif not send.data.startswith(b"SIP/2.0 1"):
            done.add(send.data[8:11].decode())
    return done or {"drop"}


@pytest.mark.clause("RFC 4475", "RFC 5118", "MSG-14", "MSG-17", "MSG-20")
@every_message
def test_the_engine_does_what_a_proxy_may(entry: dict[str, Any]) -> None:
    """Each torture message is forwarded, refused with an acceptable code or dropped, and a call completes after it."""
    stage = Stage()
    stage.network.inject((VECTORS / entry["file"]).read_bytes(), CUSTOMER)
    stage.network.run(3)
    acceptable = set(entry["proxy_acceptable"])
    if "forward" in acceptable or "forward-repaired" in acceptable:
        acceptable |= OUR_RULES
    if "drop" in acceptable:
        acceptable.add("400")
    if entry["kind"] == "response":
        acceptable = {"drop"}
    assert outcome(stage, 0) <= acceptable
    assert stage.errors == []
    stage.call(call_id="after@sample")
    assert stage.pbx.codes[-3:] == [100, 180, 200]
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("RFC 4475", "MSG-14")
def test_all_of_them_one_after_the_other() -> None:
    """One engine takes every message from either side, twice, and then a call."""
    stage = Stage()
    for flow in (CUSTOMER, flow_from(CARRIER_A)):
        for entry in INDEX * 2:
            stage.network.inject((VECTORS / entry["file"]).read_bytes(), flow)
            stage.network.run(0.1)
    assert stage.errors == []
    stage.pbx.start(invite(call_id="after@sample"))
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("RFC 4475 3.3.10")
def test_no_datagram_goes_to_a_broadcast_address() -> None:
    """A response whose Via names the broadcast address is dropped."""
    stage = Stage()
    stage.network.inject((VECTORS / "rfc4475-bcast.sip").read_bytes(), CUSTOMER)
    assert stage.network.sent == []

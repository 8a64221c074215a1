"""A carrier that forks: Kamailio rings two gateways, and the caller, on our near side, hears both."""

import shutil
from contextlib import ExitStack

import pytest

from scenarios import topology
from tests.live.peers import kamailio, ladder, passage, sipp
from tests.live.peers.conftest import CALL_OUT
from tests.live.peers.lines import CONTENT, Line
from tests.live.peers.sipp import Identities, Side

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
    pytest.mark.skipif(not kamailio.installed(), reason="Kamailio is not installed"),
]
FORKED, SERIAL = (f"1212555012{digit}" for digit in (4, 5))

EARLY = """
        > INVITE
        < 183 +rel1 =answer
        > PRACK
        < 200 PRACK
        > UPDATE
        < 200 UPDATE
"""


def played(line: Line, called: str, caller: str, *gateways: str) -> list[Side]:
    """Play a call between a caller and the gateways, each by its own ladder; the sides, the caller first."""
    who = _called(called)
    directory = line.directory / f"fork-{called}-{len(list(line.directory.iterdir()))}"
    directory.mkdir()
    places = (line.outbound.destination, line.spare)
    with ExitStack() as stack:
        sides = []
        for number, (text, place) in enumerate(zip(gateways, places, strict=True)):
            xml = sipp.scenario(ladder.parse(text), "<", who, CONTENT, f"gateway-{number}")
            sides.append(stack.enter_context(sipp.called(directory, xml, place, f"gateway-{number}")))
        xml = sipp.scenario(ladder.parse(caller), ">", who, CONTENT)
        calling = sipp.caller(directory, xml, line.outbound.source, line.outbound.entrance)
        sides.insert(0, stack.enter_context(calling))
        for side in sides:
            side.finish()
    way = passage.Way(line.hops, passage.SIGNED, forked=True)
    for side in sides[1:]:
        found = passage.complaints(sides[0].messages, side.messages, way)
        found += passage.complaints(side.messages, sides[0].messages, way)
        assert not found, "\n".join(found)
    return sides


def _called(number: str) -> Identities:
    target, called = (text.replace(topology.OUTSIDE, number) for text in (CALL_OUT.target, CALL_OUT.called))
    return Identities(target, CALL_OUT.caller, called)


def events(line: Line, caller: Side) -> list[str]:
    """The records of the call."""
    return [record["event"] for record in line.records(caller.messages[0].call_id, "decision", "answer", "end")]


def heard(caller: Side) -> list[tuple[int, str]]:
    """The responses to the INVITE that the caller read, with their To tags."""
    read = [m for m in caller.messages if not m.sent and m.method == "INVITE" and (m.code or 0) > 100]
    return [(m.code or 0, (m.header("To") or "").partition(";tag=")[2]) for m in read]


@pytest.mark.clause("FRK-01", "FRK-19", "EXT-01", "RFC 3261 16.7 (5)", "RFC 3262 4")
def test_two_early_dialogs_of_one_call(between: Line) -> None:
    """Two reliable 183 with tags of their own, each with its PRACK; one is answered, the other gets CANCEL."""
    caller, first, second = played(
        between, FORKED,
        """
        > INVITE +supported-100rel =offer
        < 183 tag=x
        < 183 tag=y
        > PRACK +rack1 tag=x
        < 200 PRACK
        > PRACK +rack1 tag=y
        < 200 PRACK
        > UPDATE tag=x
        < 200 UPDATE
        > UPDATE tag=y
        < 200 UPDATE
        < 200 INVITE tag=z
        > ACK tag=z
        > BYE tag=z
        < 200
        """,
        f"""
        {EARLY}
        < 200 INVITE =answer2 wait=100
        > ACK
        > BYE
        < 200
        """,
        f"""
        {EARLY}
        > CANCEL
        < 200 CANCEL
        < 487 INVITE
        > ACK
        """,
    )  # fmt: skip
    assert sorted(heard(caller)[:2]) == [(183, "gateway-0"), (183, "gateway-1")]
    assert heard(caller)[2:] == [(200, "gateway-0")]
    assert events(between, caller) == ["decision", "answer", "end"]
    assert {side.messages[0].header("Identity") for side in (first, second)} != {None}


@pytest.mark.clause("FRK-01", "RFC 3261 13.2.2.4", "RFC 3261 16.7 (5)")
def test_both_gateways_answer(between: Line) -> None:
    """Two 200 reach the caller, who acknowledges both and ends one at once; the other is the call, until its BYE."""
    caller, _, _ = played(
        between, FORKED,
        """
        > INVITE =offer
        < 180
        < 180
        < 200 tag=x
        > ACK tag=x
        < 200 INVITE tag=y
        > ACK tag=y
        > BYE tag=y
        < 200
        > INFO tag=x =dtmf
        < 200
        > BYE tag=x
        < 200
        """,
        """
        > INVITE
        < 180
        < 200 INVITE =answer wait=300
        > ACK
        > INFO
        < 200
        > BYE
        < 200
        """,
        """
        > INVITE
        < 180
        > CANCEL
        < 200 CANCEL
        < 200 INVITE =answer2
        > ACK
        > BYE
        < 200
        """,
    )  # fmt: skip
    assert heard(caller)[2:] == [(200, "gateway-0"), (200, "gateway-1")]
    assert events(between, caller) == ["decision", "answer", "end"]


@pytest.mark.clause("FRK-19", "FRK-01")
def test_the_carrier_tries_a_second_gateway(between: Line) -> None:
    """Early media of one gateway, a refusal the caller never sees, then early media and the answer of another."""
    caller, _, _ = played(
        between, SERIAL,
        """
        > INVITE =offer
        < 183
        < 183
        < 200 tag=x
        > ACK tag=x
        > BYE tag=x
        < 200
        """,
        """
        > INVITE
        < 183 =answer
        < 486
        > ACK
        """,
        """
        > INVITE
        < 183 =answer2
        < 200 =answer2
        > ACK
        > BYE
        < 200
        """,
    )  # fmt: skip
    assert heard(caller) == [(183, "gateway-0"), (183, "gateway-1"), (200, "gateway-1")]
    assert events(between, caller) == ["decision", "answer", "end"]

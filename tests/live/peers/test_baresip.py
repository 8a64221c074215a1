"""baresip telephones, with sound, through our proxy and Kamailio behind it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scenarios import topology
from tests.live.peers import baresip, kamailio, passage
from tests.live.peers.baresip import Phone
from tests.live.peers.lines import PATIENCE, Line

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not baresip.installed(), reason="baresip is not installed"),
    pytest.mark.skipif(not kamailio.installed(), reason="Kamailio is not installed"),
]
ELSEWHERE = "12125550188"


@contextmanager
def phones(line: Line, directory: Path, transport: str = "udp") -> Iterator[tuple[Phone, Phone]]:
    """A customer's telephone, and one in the network, each where its trunk looks for it."""
    customer, network = line.inbound.destination, line.outbound.destination
    with (
        Phone(directory / "customer", customer, topology.OWNED, line.entrances[transport], transport) as one,
        Phone(directory / "network", network, topology.OUTSIDE, line.inbound.entrance) as other,
    ):
        yield one, other


def talk(caller: Phone, called: Phone, number: str) -> None:
    """Call, and wait until each hears the other."""
    caller.command("dial", f"sip:+{number}@sipguard.example")
    for phone, sdp in ((caller, "answer"), (called, "offer")):
        phone.await_event("CALL_REMOTE_SDP", sdp)
        phone.await_event("CALL_ESTABLISHED")
        phone.await_event("CALL_RTPESTAB")


def hold_and_resume(one: Phone, other: Phone) -> None:
    """One puts the call on hold and takes it up again; both see it."""
    for command in ("hold", "resume"):
        one.command(command)
        other.await_event("CALL_REMOTE_SDP", "offer")
        one.await_event("CALL_REMOTE_SDP", "answer")


def hang_up(one: Phone, other: Phone) -> None:
    """One ends the call, for both."""
    one.command("hangup")
    for phone in (one, other):
        phone.await_event("CALL_CLOSED")


def check_passage(line: Line, caller: Phone, called: Phone) -> None:
    """What arrived is what was written, both ways, once the last answer has: a call counts as closed before that."""
    screened = passage.SIGNED if called.place == line.outbound.destination else passage.MARKED
    way = passage.Way(line.hops, screened, line.streams)
    deadline = time.monotonic() + PATIENCE
    while True:
        one, other = caller.messages, called.messages
        found = passage.complaints(one, other, way) + passage.complaints(other, one, way)
        if not found:
            return
        assert time.monotonic() < deadline, "\n".join(found)
        time.sleep(0.01)


def history(line: Line, call_id: str) -> list[tuple[object, object]]:
    """The records of a call, and of its end, who brought it about."""
    found = line.records(call_id, "decision", "answer", "end")
    return [(record["event"], record.get("released_by")) for record in found]


@pytest.mark.clause("PRX-02", "PRX-24", "RFC 3264 8.4")
@pytest.mark.parametrize("direction", ["outbound", "inbound"])
@pytest.mark.parametrize("ends", ["caller", "called"])
def test_a_call_with_sound(stream: Line, tmp_path: Path, direction: str, ends: str) -> None:
    """Both hear each other, each holds and resumes, either ends the call; nothing was changed on the way."""
    with phones(stream, tmp_path) as (customer, network):
        caller, called = (customer, network) if direction == "outbound" else (network, customer)
        talk(caller, called, topology.OUTSIDE if direction == "outbound" else topology.OWNED)
        first, second = (caller, called) if ends == "caller" else (called, caller)
        hold_and_resume(second, first)
        hold_and_resume(first, second)
        hang_up(first, second)
        check_passage(stream, caller, called)
        call_id = caller.messages[0].call_id
        assert history(stream, call_id) == [("decision", None), ("answer", None), ("end", ends)]


@pytest.mark.clause("EXT-10", "RFC 3515 2.4")
def test_a_blind_transfer(stream: Line, tmp_path: Path) -> None:
    """The called side refers the customer to another call, which is screened and signed like any other."""
    with phones(stream, tmp_path) as (customer, network):
        talk(customer, network, topology.OUTSIDE)
        network.command("transfer", f"sip:+{topology.OUTSIDE}@transferred.example")
        network.await_event("CALL_ESTABLISHED")
        customer.await_event("CALL_CLOSED")
        hang_up(customer, network)
        check_passage(stream, customer, network)
        calls = dict.fromkeys(m.call_id for m in customer.messages if m.sent and m.method == "INVITE")
        assert len(calls) == 2
        assert [[event for event, _ in history(stream, call)] for call in calls] == [["decision", "answer", "end"]] * 2


@pytest.mark.clause("TRN-01", "TRN-08")
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_customer_on_a_stream(stream: Line, tmp_path: Path, transport: str) -> None:
    """A telephone on TCP or TLS calls one on UDP, and is reached on its connection when that holds and hangs up."""
    with phones(stream, tmp_path, transport) as (customer, network):
        talk(customer, network, topology.OUTSIDE)
        hold_and_resume(customer, network)
        hold_and_resume(network, customer)
        hang_up(network, customer)
        call_id = customer.messages[0].call_id
        assert history(stream, call_id) == [("decision", None), ("answer", None), ("end", "called")]

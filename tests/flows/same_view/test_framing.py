"""Where one message ends and the next begins: nobody finds a request in a body that we forwarded as a body."""

import re

import pytest

from sipguard.errors import MalformedMessage
from sipguard.sip.flow import Flow
from sipguard.sip.framing import StreamFramer
from sipguard.testing.sample import ACME_PBX, CARRIER_A, changed, flow_from, target
from tests.flows.same_view import hostile
from tests.flows.same_view.test_same_view import message
from tests.flows.stage import Stage, silent

SMUGGLED = message(from_=f"From: <sip:{hostile.EVIL}@x>{hostile.TAG}").replace(b"hostile", b"smuggled")
LENGTH = len(SMUGGLED)
TCP = Flow(1, "tcp", *ACME_PBX, 1)

LENGTHS: dict[str, tuple[str, int | None]] = {
    "plain": (f"Content-Length: {LENGTH}", None),
    "compact": (f"l: {LENGTH}", None),
    "capitals": (f"CONTENT-LENGTH:{LENGTH}", None),
    "leading-zeros": (f"Content-Length: 000{LENGTH}", None),
    "space-before-colon": (f"Content-Length \t: {LENGTH}", None),
    "folded": (f"Content-Length:\r\n {LENGTH}", None),
    "twice": (f"Content-Length: {LENGTH}\r\nContent-Length: 0", 400),
    "twice-the-same": (f"Content-Length: {LENGTH}\r\nl: {LENGTH}", 400),
    "twice-with-a-fold": (f"Content-Length: {LENGTH}\r\nl:\r\n 0", 400),
    "negative": (f"Content-Length: -{LENGTH}", 400),
    "plus": (f"Content-Length: +{LENGTH}", 400),
    "hexadecimal": (f"Content-Length: 0x{LENGTH:x}", 400),
    "fraction": (f"Content-Length: {LENGTH}.0", 400),
    "list": (f"Content-Length: {LENGTH}, 0", 400),
    "two-numbers": (f"Content-Length: {LENGTH} 0", 400),
    "folded-in-two": (f"Content-Length: {LENGTH // 10}\r\n {LENGTH % 10}", 400),
    "parameter": (f"Content-Length: {LENGTH};a", 400),
    "empty": ("Content-Length:", 400),
    "latin-1-digit": ("Content-Length: 1\xb2", 400),
    "more-than-there-can-be": ("Content-Length: 99999999999", 400),
    "missing": ("X-Length: 1", 400),
    "inside-another-field": (f"Subject: a\r\n Content-Length: 0\r\nContent-Length: {LENGTH}", None),
    "line-feed-only": (f"Subject: a\nContent-Length: 0\r\nContent-Length: {LENGTH}", 400),
}


def carrying(row: str) -> bytes:
    """An INVITE that carries another one in its body, with this Content-Length."""
    head = message().partition(b"\r\n\r\n")[0]
    return re.sub(rb"Content-Length: [0-9]+", row.encode("latin-1"), head) + b"\r\n\r\n" + SMUGGLED


def as_streams_read(octets: bytes) -> list[bytes]:
    """The start lines a simple peer finds: a Content-Length at the start of a line, without one there is no body."""
    found = []
    while octets:
        head, _, rest = octets.partition(b"\r\n\r\n")
        length = re.search(rb"\n(?:content-length|l): ?([0-9]+)", head, re.IGNORECASE)
        found.append(head.partition(b"\r\n")[0])
        octets = rest[int(length[1]) if length else 0 :]
    return found


@pytest.mark.clause("MSG-31", "TRN-01", "RFC 3261 18.3")
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in LENGTHS.items()])
def test_over_a_stream(case: tuple[str, int | None]) -> None:
    """Every spelling of Content-Length: the stream is given up, or the next hop finds one request, and no other."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(CARRIER_A, "tcp"),)))
    framer, status = StreamFramer(), None
    try:
        for octets in framer.feed(carrying(case[0])):
            stage.network.inject(octets, TCP)
    except MalformedMessage as error:
        status = error.status
    answers = [int(octets[8:11]) for octets in stage.octets_to(ACME_PBX) if octets.startswith(b"SIP/2.0 ")]
    assert (status or next(iter(code for code in answers if code >= 400), None)) == case[1]
    sent = b"".join(octets for octets in stage.octets_to(CARRIER_A) if octets.startswith(b"INVITE"))
    assert as_streams_read(sent) == (
        [] if case[1] else [f"INVITE sip:{hostile.CALLED}@192.0.2.21;transport=tcp SIP/2.0".encode()]
    )


@pytest.mark.clause("RFC 3261 18.3", "MSG-31")
def test_what_follows_a_message_on_a_stream_is_screened() -> None:
    """With a Content-Length of 0 the second request is one: it is asked whose number that is, and refused."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(CARRIER_A, "tcp"),)))
    for octets in StreamFramer().feed(carrying("Content-Length: 0")):
        stage.network.inject(octets, TCP)
    sent = [octets for octets in stage.octets_to(CARRIER_A) if octets.startswith(b"INVITE")]
    assert len(sent) == 1
    assert hostile.EVIL.encode() not in sent[0]
    assert [record.get("rule") for record in stage.network.records] == [None, "caller-id.not-owned"]


@pytest.mark.clause("RFC 3261 18.3", "MSG-31")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in LENGTHS.items()])
def test_in_a_datagram(case: tuple[str, int | None], transport: str) -> None:
    """The same in a datagram, towards a peer on UDP and on TCP: refused, or one request arrives."""
    stage = Stage(trunks=changed("carrier-a", targets=(target(CARRIER_A, transport),)))
    stage.network.inject(carrying(case[0]), flow_from(ACME_PBX))
    sent = [octets for octets in stage.octets_to(CARRIER_A) if octets.startswith(b"INVITE")]
    expected = None if case == LENGTHS["missing"] else case[1]  # what is left of a datagram is the body then
    assert len(sent) == (0 if expected else 1)
    if transport == "tcp" and sent:
        assert len(as_streams_read(sent[0])) == 1


@pytest.mark.clause("RFC 3261 18.3")
def test_octets_behind_the_body_of_a_datagram_do_not_leave() -> None:
    """What lies beyond Content-Length is cut off."""
    stage = Stage()
    stage.network.inject(carrying("Content-Length: 0"), flow_from(ACME_PBX))
    (sent,) = [octets for octets in stage.octets_to(CARRIER_A) if octets.startswith(b"INVITE")]
    assert b"smuggled" not in sent


@pytest.mark.clause("RFC 3261 18.3", "MSG-31")
@pytest.mark.parametrize("row", [*(row for row, status in LENGTHS.values() if status is None), "X-Length: 1"])
def test_a_response_on_its_way_back_to_a_stream(row: str) -> None:
    """A carrier's response arrives as one message, however it wrote its Content-Length."""
    stage = Stage(scripts={"carrier-a": silent()})
    for octets in StreamFramer().feed(message()):
        stage.network.inject(octets, TCP)
    (invite,) = stage.requests_to(CARRIER_A, "INVITE")
    head = [f"Via: {value}" for value in invite.listed("via")]
    copied = [f"{name}: {invite.required(name.lower())}" for name in ("From", "Call-ID", "CSeq")]
    answer = "\r\n".join(("SIP/2.0 486 Busy", *head, *copied, f"To: {invite.required('to')};tag=b", row, "", ""))
    stage.network.inject(answer.encode("latin-1") + SMUGGLED, flow_from(CARRIER_A))
    sent = b"".join(stage.octets_to(ACME_PBX))
    assert as_streams_read(sent) == [b"SIP/2.0 100 Trying", b"SIP/2.0 486 Busy"]

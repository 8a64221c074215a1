"""Properties of the SIP room that hold for any input, sought by Hypothesis."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.sip.address import Address, format_address, parse_address
from sipguard.sip.cseq import parse_cseq
from sipguard.sip.framing import StreamFramer
from sipguard.sip.header import split_list
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response
from sipguard.sip.sanity import check
from sipguard.sip.uri import parse_uri, same_uri
from sipguard.sip.via import parse_via

LATIN = st.characters(max_codepoint=255)
LINE = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
FOLDED = st.lists(LINE, min_size=1, max_size=3).map("\r\n ".join)
ROW = st.tuples(TOKEN, st.sampled_from([":", ": ", " : ", "\t:\t"]), FOLDED).map("".join)
BODY = st.binary(max_size=60)
PIECES = st.sampled_from(
    [b"INVITE sip:a@b SIP/2.0", b"SIP/2.0 200 OK", b"Via: SIP/2.0/UDP a;branch=z9hG4bK1", b"From: <sip:a@b>;tag=1",
     b"To: <sip:c@d>", b"Call-ID: x", b"CSeq: 1 INVITE", b"Max-Forwards: 70", b"Content-Length: 3", b"l:", b"abc",
     b"\r\n", b"\r\n\r\n", b"\r\n ", b"\r", b"\n", b"\0", b'"', b"<", b">", b",", b";", b":", b"\xff", b"\\", b" "]
)  # fmt: skip
NOISE = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=25).map(b"".join))


@st.composite
def messages(draw: st.DrawFn, *, framed: bool = False) -> bytes:
    """A structurally sound message, any names and values; with one true Content-Length when ``framed``."""
    start = draw(
        st.one_of(
            st.tuples(TOKEN, TOKEN).map(lambda parts: f"{parts[0]} sip:{parts[1]} SIP/2.0"),
            st.tuples(st.integers(100, 699), LINE).map(lambda parts: f"SIP/2.0 {parts[0]} {parts[1]}"),
        )
    )
    rows = draw(st.lists(ROW, max_size=8))
    body = draw(BODY)
    if framed:
        rows = [row for row in rows if row.partition(":")[0].strip(" \t").lower() not in ("l", "content-length")]
        length = draw(st.sampled_from(["Content-Length: ", "l:", "CONTENT-LENGTH\t:\r\n "])) + str(len(body))
        rows.insert(draw(st.integers(0, len(rows))), length)
    return "\r\n".join((start, *rows, "", "")).encode("latin-1") + body


@pytest.mark.clause("MSG-01", "RFC 3261 7.3.1")
@given(messages())
def test_a_message_nobody_touched_is_written_as_it_was_read(data: bytes) -> None:
    """parse and encode are inverse on every structurally sound message, and on its fork."""
    message = parse(data)
    assert message.encode() == data
    assert message.fork().encode() == data


@pytest.mark.clause("MSG-29", "MSG-30")
@given(NOISE, st.booleans())
@example(b"INVITE sip:a@b SIP/2.0\r\nVia\r\n\r\n", True)
def test_octets_are_a_message_or_malformed(data: bytes, datagram: bool) -> None:
    """Whatever arrives, parse and check raise MalformedMessage or nothing, and a refused request can be answered."""
    error = None
    try:
        check(parse(data), datagram=datagram)
    except MalformedMessage as caught:
        error = caught
    if error is not None and isinstance(error.message, Request):
        answer = parse(build_response(error.message, error.status, error.phrase, "t").encode())
        assert isinstance(answer, Response)
        assert 400 <= answer.code <= 599


def frames(framer: StreamFramer, data: bytes) -> tuple[list[bytes], bool]:
    """What a framer makes of one segment, and whether it is broken after it."""
    try:
        items = framer.feed(data)
    except MalformedMessage:
        return [], True
    return items, framer.broken


@pytest.mark.clause("TRN-05", "RFC 3261 18.3")
@given(st.lists(st.one_of(messages(framed=True), st.just(b"\r\n\r\n")), max_size=4))
def test_framing_gives_back_what_was_sent(sent: list[bytes]) -> None:
    """Messages and keep-alives written one after the other are framed as they were."""
    assert frames(StreamFramer(), b"".join(sent)) == (sent, False)


@pytest.mark.clause("TRN-05", "RFC 3261 18.3")
@given(st.one_of(NOISE, st.lists(st.one_of(messages(framed=True), NOISE), max_size=4).map(b"".join)))
def test_framing_does_not_depend_on_segments(stream: bytes) -> None:
    """Octet by octet gives the same messages, and the same failure, as the whole stream at once."""
    whole = frames(StreamFramer(), stream)
    framer = StreamFramer()
    items: list[bytes] = []
    for position in range(len(stream)):
        more, broken = frames(framer, stream[position : position + 1])
        items += more
        if broken:
            break
    assert (items, framer.broken) == whole


@pytest.mark.clause("TRN-05")
@given(messages(framed=True))
def test_framer_and_parser_agree(data: bytes) -> None:
    """A framed message has exactly the Content-Length the parser sees."""
    (framed,) = StreamFramer().feed(data)
    message = parse(framed)
    assert int(message.required("content-length")) == len(message.body)


@given(st.text(LATIN, max_size=60))
def test_values_are_read_or_malformed(text: str) -> None:
    """Each reader of a value returns, or raises MalformedValue and nothing else."""
    for read in (parse_uri, parse_address, parse_via, parse_cseq, split_list):
        with contextlib.suppress(MalformedValue):
            read(text)


@given(
    st.one_of(st.none(), st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)),
    st.dictionaries(
        TOKEN.map(str.lower),
        st.one_of(st.none(), st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=10)),
        max_size=3,
    ),
)
@pytest.mark.clause("MSG-06", "RFC 3261 25.1")
def test_a_written_address_reads_back(display: str | None, parameters: dict[str, str | None]) -> None:
    """Whatever the display name and the parameters hold, quoting keeps it."""
    address = Address(display, "sip:a@b;lr", parameters)
    assert parse_address(format_address(address)) == address


@pytest.mark.clause("MSG-25", "RFC 3261 19.1.4")
@given(st.text("abAB%36;:@=?&.", max_size=20), st.text("abAB%36;:@=?&.", max_size=20))
def test_uri_equality_is_an_equality(first: str, second: str) -> None:
    """Equality is reflexive and symmetric."""
    try:
        one, other = parse_uri("sip:" + first), parse_uri("sip:" + second)
    except MalformedValue:
        return
    assert same_uri(one, one)
    assert same_uri(one, other) == same_uri(other, one)

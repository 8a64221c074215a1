"""Messages out of streams: whole, split, in one segment, and the ways to lose the thread."""

import pytest

from sipguard.errors import MalformedMessage
from sipguard.sip.framing import KEEP_ALIVE, StreamFramer
from sipguard.sip.message import Request
from tests.sip.messages import octets

PLAIN = octets("Content-Length: 0")
LONG = octets("l : \r\n 10", body=b"0123\r\n\r\n89")


@pytest.mark.clause("TRN-05", "RFC 3261 18.3")
def test_several_messages_in_one_segment() -> None:
    """Ten messages in one write are ten messages."""
    assert StreamFramer().feed((PLAIN + LONG) * 5) == [PLAIN, LONG] * 5


@pytest.mark.clause("TRN-05", "RFC 3261 18.3")
def test_octet_by_octet() -> None:
    """A message that drips in is complete with its last octet and not before."""
    framer = StreamFramer()
    for position in range(len(LONG) - 1):
        assert framer.feed(LONG[position : position + 1]) == []
    assert framer.pending == len(LONG) - 1
    assert framer.feed(LONG[-1:]) == [LONG]
    assert framer.pending == 0


@pytest.mark.clause("MSG-12", "RFC 5626 4.4.1")
def test_keep_alives() -> None:
    """A double CRLF between messages is a keep-alive, a single one before a message is nothing."""
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n") == [KEEP_ALIVE]
    assert framer.feed(b"\r\n") == []
    assert framer.feed(b"\r") == []
    assert framer.feed(b"\n") == [KEEP_ALIVE]
    assert framer.feed(b"\r\n" + PLAIN + KEEP_ALIVE + PLAIN) == [PLAIN, KEEP_ALIVE, PLAIN]


@pytest.mark.clause("MSG-11", "RFC 3261 18.3", "RFC 4475 3.1.2.3", "RFC 4475 3.3.9")
@pytest.mark.parametrize(
    "rows",
    [
        (),
        ("Content-Length: five",),
        ("Content-Length: -1",),
        ("Content-Length:",),
        ("Content-Length: 0", "l: 0"),
        ("Content-Length: 1", "Content-Length: 2"),
        ("Content-Length: 0, 0",),
        ("Content-Length: \xb2",),
    ],
)
def test_without_one_good_content_length_the_stream_is_lost(rows: tuple[str, ...]) -> None:
    """The request can still be answered with 400, and every later octet raises again."""
    framer = StreamFramer()
    with pytest.raises(MalformedMessage) as caught:
        framer.feed(octets(*rows))
    assert caught.value.status == 400
    assert isinstance(caught.value.message, Request)
    assert caught.value.message.call_id == "one@192.0.2.1"
    assert framer.broken
    with pytest.raises(MalformedMessage):
        framer.feed(PLAIN)
    assert framer.pending == 0


def test_messages_before_the_break_are_not_lost() -> None:
    """Whole messages come first; the failure is kept for the next call."""
    framer = StreamFramer()
    assert framer.feed(PLAIN + octets("l: x") + PLAIN) == [PLAIN]
    assert framer.broken
    with pytest.raises(MalformedMessage):
        framer.feed(b"")


@pytest.mark.clause("MSG-29", "TRN-05")
def test_sizes_are_bounded() -> None:
    """A message larger than the bound is refused as soon as that is known, with or without the end of its head."""
    with pytest.raises(MalformedMessage) as caught:
        StreamFramer().feed(octets("Content-Length: 65535"))
    assert caught.value.status == 513
    assert isinstance(caught.value.message, Request)
    framer = StreamFramer(max_message=1000)
    assert framer.feed(b"X" * 1000) == []
    with pytest.raises(MalformedMessage) as caught:
        framer.feed(b"X")
    assert (caught.value.status, caught.value.message) == (513, None)


def test_a_head_that_is_no_message_is_the_parsers_business() -> None:
    """Framing needs Content-Length only; where it is missing in noise, nothing can be answered."""
    assert StreamFramer().feed(b"\xff noise\r\nl: 0\r\n\r\n") == [b"\xff noise\r\nl: 0\r\n\r\n"]
    with pytest.raises(MalformedMessage) as caught:
        StreamFramer().feed(b"\xff noise\r\n\r\n")
    assert caught.value.message is None


def test_only_rows_are_searched_for_content_length() -> None:
    """Neither a folded line nor the end of another name is a Content-Length."""
    data = octets("Subject: a\r\n l: 7", "X-Content-Length: 9", "X-L: 5", "Content-LENGTH: 1", body=b"x")
    assert StreamFramer().feed(data) == [data]

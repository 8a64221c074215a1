"""Structure: start lines, rows, line ends, sizes."""

import pytest

from sipguard.errors import MalformedMessage
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import MAX_ROWS, parse
from tests.sip.messages import octets, request, response


def refusal(data: bytes) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse(data)
    return caught.value


@pytest.mark.clause("RFC 3261 7.1")
def test_a_request() -> None:
    """A request has its method and URI as they stand in the request line."""
    message = parse(octets(method="INVITE", uri="SIP:Bob@Example.NET", body=b"v=0\r\n"))
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.body) == ("INVITE", "SIP:Bob@Example.NET", b"v=0\r\n")
    assert message.names == ["via", "from", "to", "call-id", "cseq", "max-forwards"]


@pytest.mark.clause("RFC 3261 7.2", "MSG-32")
@pytest.mark.parametrize(
    ("start", "code", "reason"),
    [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 100", 100, ""),
        ("sip/2.0 699 a  b \xff", 699, "a  b \xff"),
    ],
)
def test_a_response(start: str, code: int, reason: str) -> None:
    """A response has its code and phrase, which may be empty."""
    message = response(start=start)
    assert isinstance(message, Response)
    assert (message.code, message.reason) == (code, reason)


@pytest.mark.clause("MSG-32", "RFC 4475 3.1.2.19")
@pytest.mark.parametrize(
    "start",
    ["SIP/2.0 4294967301 x", "SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0 2x0 x", "SIP/2.0 \xb2\xb2\xb2 x",
     "SIP/3.0 200 OK", "SIP/2.0"],
)  # fmt: skip
def test_a_broken_status_line_leaves_nothing_to_answer(start: str) -> None:
    """A malformed response carries no message, so nobody answers it."""
    assert refusal(start.encode("latin-1") + b"\r\n\r\n").message is None


@pytest.mark.clause("MSG-12", "RFC 3261 7.5")
def test_leading_line_ends_are_skipped() -> None:
    """CRLFs before the start line mean nothing."""
    assert parse(b"\r\n\r\n\r\n" + octets()).encode() == octets()


@pytest.mark.clause("MSG-13", "RFC 3261 7.1")
def test_versions() -> None:
    """The version has no case, and another one is answered with 505."""
    assert parse(octets().replace(b"SIP/2.0\r\n", b"sip/2.0\r\n", 1)).encode()
    error = refusal(octets().replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1))
    assert error.status == 505
    assert isinstance(error.message, Request)
    assert error.message.via.branch == "z9hG4bKabc"


@pytest.mark.clause("MSG-14", "RFC 4475 3.1.2.8", "RFC 4475 3.1.2.9", "RFC 4475 3.1.2.10")
@pytest.mark.parametrize(
    "line",
    ["INVITE  sip:a@b SIP/2.0", "INVITE sip:a@b  SIP/2.0", "INVITE sip:a@b SIP/2.0 ", "INVITE sip:a@b; lr SIP/2.0",
     "INVITE sip:a@b", "INVITE", "INVITE  SIP/2.0", "INVITE\tsip:a@b\tSIP/2.0", "INV(ITE sip:a@b SIP/2.0", "",
     "INVITE sip:a@b HTTP/1.1"],
)  # fmt: skip
def test_a_broken_request_line_is_400(line: str) -> None:
    """A request line with other than two single spaces and three parts is refused, never repaired."""
    assert refusal(line.encode("latin-1") + b"\r\n" + octets().partition(b"\r\n")[2]).status == 400


@pytest.mark.clause("MSG-24", "RFC 4475 3.1.1.5")
@pytest.mark.parametrize("method", ["invite", "RE%47IST%45R", "!interesting-Method0123456789_*+`.%indeed'~"])
def test_methods_are_tokens_and_keep_their_letters(method: str) -> None:
    """A method is nothing but its own octets: no case folding, no unescaping."""
    assert request(method=method).method == method


@pytest.mark.clause("MSG-31")
@pytest.mark.parametrize(
    "row", ["X: a\nb", "X: a\rb", "X: a\n b", "X: a\r\r", "X: a\0b", "X\n: a", "\nX: a"]
)  # fmt: skip
def test_stray_line_ends_and_nuls_are_refused(row: str) -> None:
    """A CR, LF or NUL that another reader could take for an end of line is refused."""
    error = refusal(octets(row))
    assert error.status == 400
    assert isinstance(error.message, Request)


@pytest.mark.clause("MSG-31")
@pytest.mark.parametrize("start", ["SIP/2.0 200 OK\nVia: x", "SIP/2.0 200 OK\rx", "SIP/2.0 200 O\0K"])
def test_stray_line_ends_in_a_status_line_are_refused(start: str) -> None:
    """A reason phrase cannot smuggle a header field to the next hop."""
    assert refusal(octets().replace(b"INVITE sip:bob@example.net SIP/2.0", start.encode())).status == 400


@pytest.mark.clause("RFC 4475 3.1.1.2")
def test_a_nul_in_a_quoted_pair_is_legal() -> None:
    """A backslash makes NUL a character like any other."""
    assert request('Subject: "\\\0"').value("subject") == '"\\\0"'


@pytest.mark.clause("RFC 3261 7.3.1")
@pytest.mark.parametrize(
    "row", ["no colon", "Via", ": value", " : value", "Na me: x", "Fr\xe9om: x", "To\x0b: <sip:a@b>"]
)
def test_a_row_without_a_name_is_refused(row: str) -> None:
    """A row whose name is not a token is refused, and called nothing in what remains of the message."""
    data = (
        octets(row) if row[0] != " " else octets().replace(b"SIP/2.0\r\n", b"SIP/2.0\r\n" + row.encode() + b"\r\n", 1)
    )
    error = refusal(data)
    assert error.status == 400
    assert isinstance(error.message, Request)
    assert "" in error.message.names
    assert error.message.value("to") == "<sip:+12155550113@example.net>"


@pytest.mark.clause("RFC 5118 4.10")
def test_only_the_empty_line_may_be_missing() -> None:
    """A head whose last row ends in CRLF is whole, one that breaks off within a row is not."""
    data = octets()
    assert parse(data[:-2]).encode() == data
    assert refusal(data[:-4]).status == 400
    assert refusal(data[:-9]).status == 400


@pytest.mark.clause("MSG-29")
def test_too_many_rows_and_too_long_heads_are_513() -> None:
    """The number of rows and the length of the head are bounded, and the refusal can be answered."""
    error = refusal(octets(*["X: 1"] * 10_000))
    assert error.status == 513
    assert isinstance(error.message, Request)
    assert len(error.message.rows) == MAX_ROWS
    assert refusal(octets("X: " + "a" * 100_000)).status == 513
    assert parse(octets("X: " + "a" * 60_000))


def test_a_head_without_rows_is_a_message() -> None:
    """The parser leaves missing fields to the sanity check."""
    message = parse(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
    assert message.rows == []
    assert message.encode() == b"OPTIONS sip:a SIP/2.0\r\n\r\n"


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\xff" * 100, b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_not_sip_is_refused(data: bytes) -> None:
    """Noise raises MalformedMessage and nothing else."""
    assert refusal(data).status == 400

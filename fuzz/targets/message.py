"""A message that parses is written as it was read, reads back the same after every edit, and nothing raises anything
but MalformedMessage or MalformedValue; what is refused can be answered."""

import contextlib

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.sip.flow import Flow
from sipguard.sip.message import Message, Request, Response
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response, stamp_received
from sipguard.sip.sanity import check as check_sanity
from sipguard.sip.uri import parse_uri
from sipguard.sip.via import Via

SOURCE = Flow(0, "udp", "198.51.100.7", 5066)
OTHER = Via("UDP", "192.0.2.1", 5060, {"branch": "z9hG4bK1"})
ODD_VALUES = ("", "a", 'b, "c', "d\r\ne: f", "\0", "\\\0", "<x>;y", "\xff\x85")


def check(data: bytes) -> None:
    """The invariant, for one datagram."""
    try:
        message = parse(data)
    except MalformedMessage as error:
        answerable(error)
        return
    whole = data.lstrip(b"\r\n") if data.startswith(b"\r\n") else data
    whole += b"" if b"\r\n\r\n" in whole else b"\r\n"  # the parser adds a missing empty line
    assert message.encode() == message.fork().encode() == whole
    assert message.size == len(whole)
    same(parse(whole), message)
    read_everything(message)
    for datagram in (True, False):
        judge(whole, datagram=datagram)
    for value in (*ODD_VALUES, data[:40].decode("latin-1")):
        edit(message, value)


def same(one: Message, other: Message) -> None:
    """Two messages are the same in everything."""
    assert (one.start_line, one.names, one.rows, one.body) == (other.start_line, other.names, other.rows, other.body)


def answerable(error: MalformedMessage) -> None:
    """A refused request gets a response that parses."""
    assert 400 <= error.status <= 599
    if isinstance(error.message, Request):
        answer = parse(build_response(error.message, error.status, error.phrase, "tag").encode())
        assert isinstance(answer, Response)
        assert answer.code == error.status


def read_everything(message: Request | Response) -> None:
    """Every reader of a field gives a value, or raises MalformedValue."""
    for field in ("via", "from_", "to", "cseq", "call_id"):
        with contextlib.suppress(MalformedValue):
            getattr(message, field)
    for name in message.names:
        assert message.value(name) == message.values(name)[0]
        with contextlib.suppress(MalformedValue):
            message.listed(name)


def judge(whole: bytes, *, datagram: bool) -> None:
    """What passes the sanity check can be used without any further question."""
    message = parse(whole)
    try:
        check_sanity(message, datagram=datagram)
    except MalformedMessage as error:
        answerable(error)
        return
    assert message.via.transport
    assert message.from_.uri
    assert message.to.uri
    assert message.cseq.number < 2**31
    assert message.call_id
    if isinstance(message, Response):
        return
    parse_uri(message.uri)
    with contextlib.suppress(MalformedValue):  # of a Via behind the first
        stamp_received(message, SOURCE)
        stamped = parse(message.encode())
        check_sanity(stamped, datagram=datagram)
        asked = stamped.via.has_rport or stamped.via.received is not None
        assert not asked or stamped.via.received == SOURCE.host
        assert not stamped.via.has_rport or stamped.via.rport == SOURCE.port


def edit(message: Request | Response, value: str) -> None:
    """After an edit the message is one that reads back the same, or MalformedValue was raised and nothing changed."""
    for name in ("via", "call-id", "x-odd"):
        for how in ("set", "append", "prepend"):
            fork = message.fork()
            try:
                getattr(fork, how)(name, value)
            except MalformedValue:
                same(fork, message)
            else:
                written(fork)
                assert value.strip(" \t") in fork.values(name)
    fork = message.fork()
    while fork.has("via"):
        with contextlib.suppress(MalformedValue):
            fork.replace_top_via(OTHER)
            assert fork.via == OTHER
            written(fork)
        try:
            fork.remove_first("via")
        except MalformedValue:
            fork.remove("via")
        written(fork)


def written(fork: Request | Response) -> None:
    """What is written reads back the same."""
    same(parse(fork.encode()), fork)

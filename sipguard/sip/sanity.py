"""What a message must be before any layer above looks at it: the mandatory fields, once each, and readable.

Only what a proxy acts upon is judged (RFC 3261 §16.3 (1)): Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length
and the Request-URI. A strange Date or Contact is for whoever wants it. Where two readers could see two different
messages (a field twice, a body of another length) the message is refused instead of one reading being picked.

Loops, extensions, Max-Forwards 0 and unknown schemes are the proxy's business and pass.
"""

import re

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.sip.address import parse_party
from sipguard.sip.cseq import parse_cseq
from sipguard.sip.message import Request, Response, row_value
from sipguard.sip.names import display_name
from sipguard.sip.uri import SipUri, parse_uri
from sipguard.sip.via import parse_top_via

_MANDATORY = frozenset(("via", "from", "to", "call-id", "cseq"))
_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length")
_SINGLE_IN_REQUESTS = (*_SINGLE, "date")  # which the PASSporT's time is held against
_CALL_ID = re.compile(r"[^\x00-\x20\x7f]++")
_MAX_FORWARDS_LIMIT = 255  # RFC 3261 §20.22
_CSEQ_LIMIT = 2**31  # RFC 3261 §8.1.1.5


def check(message: Request | Response, *, datagram: bool) -> None:
    """Refuse a message that is unfit for use, and leave its typed fields parsed.

    A datagram's octets beyond Content-Length are cut off ``message.body`` (RFC 3261 §18.3). Raises MalformedMessage
    with the status to answer a request with; a response that raises is to be dropped.
    """
    repeated = len(message.names) - len(message.first)
    if repeated and repeated != message.names.count("via") - 1:
        _refuse_repeated(message)
    try:
        _check_fields(message)
    except KeyError:
        missing = ", ".join(sorted(display_name(name) for name in _MANDATORY - message.first.keys()))
        raise MalformedMessage(400, f"Missing {missing}", message) from None
    except MalformedValue as error:
        raise MalformedMessage(400, f"Bad Request ({error})", message) from None
    _check_length(message, datagram)


def _refuse_repeated(message: Request | Response) -> None:
    for name in _SINGLE if isinstance(message, Response) else _SINGLE_IN_REQUESTS:
        if message.names.count(name) > 1:
            raise MalformedMessage(400, f"Repeated {display_name(name)}", message)


def _check_fields(message: Request | Response) -> None:
    """Read what every layer needs. Raises MalformedValue, and KeyError when one of ``_MANDATORY`` is missing."""
    first = message.first
    via = parse_top_via(row_value(first["via"]))
    from_ = parse_party(row_value(first["from"]))
    to = parse_party(row_value(first["to"]))
    cseq = parse_cseq(row_value(first["cseq"]))
    call_id = row_value(first["call-id"])
    message.remember(via, from_, to, cseq, call_id)
    if cseq.number >= _CSEQ_LIMIT:
        raise MalformedValue("CSeq number out of range")
    if not _CALL_ID.fullmatch(call_id):
        raise MalformedValue("malformed Call-ID")
    if isinstance(message, Request):
        if cseq.method != message.method:
            raise MalformedValue("CSeq method is not the request's")
        parse_uri(from_.uri)
        parse_uri(to.uri)
        _check_request(message)


def _check_request(request: Request) -> None:
    """What only requests have. Raises MalformedValue."""
    uri = parse_uri(request.uri)
    if isinstance(uri, SipUri) and uri.headers is not None:
        raise MalformedValue("header fields in the Request-URI")  # RFC 3261 §19.1.1 table 1
    hops = request.value("max-forwards")
    if hops is not None and not 0 <= _number(hops) <= _MAX_FORWARDS_LIMIT:
        raise MalformedValue("malformed Max-Forwards")


def _check_length(message: Request | Response, datagram: bool) -> None:
    """The body is as long as Content-Length says; without one it ends with the datagram (RFC 3261 §18.3)."""
    if message.first.get("content-length") == f"Content-Length: {len(message.body)}":
        return  # as nearly everybody writes it
    text = message.value("content-length")
    if text is None:
        if not datagram:
            raise MalformedMessage(400, "Missing Content-Length", message)
        return
    length = _number(text)
    if length < 0:
        raise MalformedMessage(400, "Malformed Content-Length", message)
    if length == len(message.body):
        return
    if length > len(message.body) or not datagram:
        raise MalformedMessage(400, "Content-Length Does Not Match The Body", message)
    message.body = message.body[:length]


def _number(text: str) -> int:
    """A number of at most ten ASCII digits, -1 for any other text."""
    return int(text) if len(text) <= 10 and text.isascii() and text.isdigit() else -1

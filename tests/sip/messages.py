"""Messages the tests of this folder share: a plain INVITE, with rows changed or added by each test."""

from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse

ROWS = {
    "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport",
    "From": '"Alice" <sip:+12155550112@example.com;user=phone>;tag=f1',
    "To": "<sip:+12155550113@example.net>",
    "Call-ID": "one@192.0.2.1",
    "CSeq": "7 INVITE",
    "Max-Forwards": "70",
}


def octets(*extra: str, **changes: str | bytes | None) -> bytes:
    """An INVITE in octets.

    ``changes`` gives another ``method``, ``uri`` or ``body``, other values of rows (``call_id=...``), or None to drop
    a row; ``extra`` rows come last.
    """
    body = changes.pop("body", b"")
    method, uri = changes.pop("method", "INVITE"), changes.pop("uri", "sip:bob@example.net")
    assert isinstance(body, bytes)
    assert isinstance(method, str)
    assert isinstance(uri, str)
    lines = [f"{method} {uri} SIP/2.0"]
    for name, usual in ROWS.items():
        value = changes.pop(name.lower().replace("-", "_"), usual)
        if value is not None:
            assert isinstance(value, str)
            lines.append(f"{name}: {value}")
    assert not changes, f"no such rows: {changes}"
    return "\r\n".join((*lines, *extra, "", "")).encode("latin-1") + body


def request(*extra: str, **changes: str | bytes | None) -> Request:
    """The same, parsed."""
    message = parse(octets(*extra, **changes))
    assert isinstance(message, Request)
    return message


def response(*extra: str, **changes: str | bytes | None) -> Response:
    """A response with the same rows, parsed; ``start`` is its status line."""
    start = changes.pop("start", "SIP/2.0 200 OK")
    assert isinstance(start, str)
    message = parse(start.encode("latin-1") + b"\r\n" + octets(*extra, **changes).partition(b"\r\n")[2])
    assert isinstance(message, Response)
    return message

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


def octets(
    *extra: str, method: str = "INVITE", uri: str = "sip:bob@example.net", body: bytes = b"", **rows: str | None
) -> bytes:
    """An INVITE in octets; ``rows`` (``call_id=...``) changes values or, with None, drops rows; ``extra`` adds rows."""
    changed = {name.replace("_", "-"): value for name, value in rows.items()}
    lines = [f"{method} {uri} SIP/2.0"]
    for name, value in ROWS.items():
        value = changed.get(name.lower(), value)
        if value is not None:
            lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, *extra, "", "")).encode("latin-1") + body


def request(
    *extra: str, method: str = "INVITE", uri: str = "sip:bob@example.net", body: bytes = b"", **rows: str | None
) -> Request:
    """The same, parsed."""
    message = parse(octets(*extra, method=method, uri=uri, body=body, **rows))
    assert isinstance(message, Request)
    return message


def response(*extra: str, start: str = "SIP/2.0 200 OK", body: bytes = b"", **rows: str | None) -> Response:
    """A response with the same rows, parsed."""
    head = octets(*extra, **rows).partition(b"\r\n")[2]
    message = parse(start.encode("latin-1") + b"\r\n" + head + body)
    assert isinstance(message, Response)
    return message

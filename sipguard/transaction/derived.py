"""The two requests a client transaction derives from its own: ACK for a non-2xx response and CANCEL.

Both repeat the request they belong to (RFC 3261 §17.1.1.3, §9.1): same Request-URI, Call-ID, From, CSeq number and
Route, only the top Via (so the same branch), no Require and no Proxy-Require, no body. The rows are taken over as they
stand. The ACK takes To, with its tag, from the response; the CANCEL takes it from the request.
"""

from collections.abc import Iterable

from sipguard.sip.header import split_list
from sipguard.sip.message import Message, Request, row_value

SPENT = Request("", [], [], b"", "", "")
"""Stands in for the request of a transaction that only absorbs what comes late: thousands of those live for half a
minute each, and keeping their messages would be most of the proxy's memory."""


def acknowledgement(request: Request, response: Message) -> bytes:
    """The octets of the ACK for a final response of 300 to 699 to this INVITE (RFC 3261 §17.1.1.3)."""
    _, rows = _rows(request, "ACK", response)
    return "\r\n".join((f"ACK {request.uri} SIP/2.0", *rows, "", "")).encode("latin-1")


def cancellation(request: Request, reasons: Iterable[str]) -> Request:
    """The CANCEL for this INVITE with these Reason values (RFC 3261 §9.1, RFC 3326 §2)."""
    names, rows = _rows(request, "CANCEL", request)
    for reason in reasons:
        names.append("reason")
        rows.append(f"Reason: {reason}")
    return Request(f"CANCEL {request.uri} SIP/2.0", names, rows, b"", "CANCEL", request.uri)


def _rows(request: Request, method: str, to_from: Message) -> tuple[list[str], list[str]]:
    """Names and rows of the derived request, To taken from ``to_from``."""
    names = ["via", "max-forwards"]
    rows = [_top_via(request), "Max-Forwards: 70"]
    routes = request.rows_of("route")
    names += ["route"] * len(routes)
    rows += routes
    names += ("from", "to", "call-id", "cseq", "content-length")
    rows += (
        request.first["from"],
        to_from.first["to"],
        request.first["call-id"],
        f"CSeq: {request.cseq.number} {method}",
        "Content-Length: 0",
    )
    return names, rows


def _top_via(request: Request) -> str:
    """The first Via value as a row of its own."""
    row = request.first["via"]
    return f"Via: {split_list(row_value(row))[0]}" if "," in row else row

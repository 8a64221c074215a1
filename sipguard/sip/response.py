"""Responses of our own, and the stamp that tells a response its way back (RFC 3261 §8.2.6, §18.2.1; RFC 3581 §4).

A response copies the rows of its request as they were received. The request may be the reason for a 400, so nothing
is taken for granted: what is there is copied, a row that could break our own head in two is not.
"""

import re
from collections.abc import Iterable, Mapping

from sipguard.errors import MalformedValue
from sipguard.sip.flow import Flow
from sipguard.sip.header import is_one_line, unfold
from sipguard.sip.message import Request, Response
from sipguard.sip.names import canonical_name, display_name
from sipguard.sip.status import reason_phrase
from sipguard.sip.via import Via

_COPIED_ONCE = ("from", "to", "call-id", "cseq")
_TAG = re.compile(r";[ \t]*+tag[ \t]*+(?:=|$|;)", re.IGNORECASE)
_UNSAFE = re.compile(r"[\r\n]|(?<!\\)\0")


def build_response(
    request: Request,
    code: int,
    phrase: str | None = None,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """A response to ``request``: its Vias, From, To, Call-ID, CSeq, and its Timestamp in a 100 (RFC 3261 §8.2.6).

    ``to_tag`` is added to a To that has no tag. ``headers`` (name, value) follow in their order, then Content-Length.
    Line ends in ``phrase`` and ``headers`` become spaces. Never raises for a broken request.
    """
    phrase = _clean(reason_phrase(code) if phrase is None else phrase)
    names: list[str] = []
    rows: list[str] = []
    for row in request.rows_of("via"):
        if _safe(row):
            names.append("via")
            rows.append(row)
    for name in (*_COPIED_ONCE, "timestamp") if code == 100 else _COPIED_ONCE:
        first = request.first.get(name)
        if first is not None and _safe(first):
            names.append(name)
            rows.append(f"{first};tag={to_tag}" if name == "to" and to_tag and not _has_tag(request, first) else first)
    for spelling, value in headers:
        name = canonical_name(spelling)
        names.append(name)
        rows.append(f"{display_name(name)}: {_clean(value)}")
    names.append("content-length")
    rows.append(f"Content-Length: {len(body)}")
    return Response(f"SIP/2.0 {code} {phrase}", names, rows, body, code, phrase)


def _has_tag(request: Request, row: str) -> bool:
    """Whether the request's To, which stands in ``row``, has a tag, readable or not."""
    try:
        return "tag" in request.to.parameters
    except MalformedValue:
        return _TAG.search(row) is not None


def _safe(row: str) -> bool:
    """Whether a received row can be sent again: its only line ends are folds, and NUL stands in quoted pairs only."""
    return is_one_line(unfold(row) if "\n" in row else row)


def _clean(value: str) -> str:
    return value if is_one_line(value) else _UNSAFE.sub(" ", value)


def stamp_received(request: Request, flow: Flow) -> None:
    """Write where ``request`` really came from into its top Via, in place.

    ``received`` is added when the sent-by host is not the source address (RFC 3261 §18.2.1), and with ``rport`` always
    (RFC 3581 §4); whatever the sender wrote there itself is overwritten, or it could have its responses sent to a
    third party. Raises MalformedValue when there is no readable Via.
    """
    via = request.via
    parameters = via.parameters
    host = via.host[1:-1] if via.host[0] == "[" else via.host
    if "rport" not in parameters and "received" not in parameters and host.lower() == flow.host:
        return
    stamped = {**parameters, "received": flow.host}
    if "rport" in parameters:
        stamped["rport"] = str(flow.port)
    request.replace_top_via(Via(via.transport, via.host, via.port, stamped), _stamped_row(request, parameters, flow))


def _stamped_row(request: Request, parameters: Mapping[str, str | None], flow: Flow) -> str | None:
    """The usual case, spliced: one value in the row, rport empty, no received, nothing quoted. None otherwise."""
    row = request.first["via"]
    before, found, after = row.partition(";rport")
    if not found or after[:1] not in ("", ";") or "received" in parameters:
        return None
    if "," in row or '"' in row or "\n" in row:
        return None
    return f"{before};rport={flow.port};received={flow.host}{after}"

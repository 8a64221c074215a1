"""An INVITE read at sight, and the stateless 503 to it: for when there is no time even for the parser.

Nearly every caller writes its INVITE in the same plain way: rows in their usual spelling, no folds, a top Via with a
branch and perhaps ``rport``, called a number too long for an emergency. Of such a one five rows are looked up in its
head and put together to a response. All else goes through the parser; both ways give the same octets.
Reading two rows of one name differently from the parser is no harm here: all that can come of it is a 503.
"""

import re
import zlib

from sipguard.proxy.urgency import is_ordinary
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.response import build_response, stamp_received
from sipguard.transaction.key import ServerKey
from sipguard.transaction.server import via_flow

_METHOD = "INVITE "
_VERSION = " SIP/2.0"
_PLAIN_VIA = re.compile(
    r"Via: SIP/2\.0/(?:UDP|TCP|TLS|WS|WSS) ([A-Za-z0-9.\-]{1,255})(?::([0-9]{1,5}))?"
    r";branch=(z9hG4bK[A-Za-z0-9\-.!%*_+`'~]{1,255})(;rport)?"
)
_PLAIN_TO = re.compile(r'To: [^"<]*<sips?:\+?[0-9]+[@;]')
_FOLDS = ("\r\n ", "\r\n\t")
_HIGHEST_PORT = 65_535


class Sight:
    """What a glance at an INVITE shows: the key of its transaction, and the rows a response copies."""

    __slots__ = ("_branch", "_host", "_port", "_rows", "_rport", "key")

    def __init__(self, via: re.Match[str], port: int | None, rows: list[str]) -> None:
        self._host, self._branch, self._port = via[1], via[3], port
        self._rport = via[4] is not None
        self._rows = rows
        self.key: ServerKey = (via[3], via[1], port, "INVITE")

    def octets(self, flow: Flow, mark: str, middle: int) -> bytes:
        """The 503 to it; ``mark`` begins the To tag, ``middle`` is that of the Retry-After values."""
        rows = self._rows
        if self._rport:
            rows[0] += f"={flow.port};received={flow.host}"
        elif self._host.lower() != flow.host:
            rows[0] += f";received={flow.host}"
        digest = digest_of(self._branch)
        rows[-3] += f";tag={mark}{digest:08x}"
        head = "\r\n".join(rows)
        wait = f"Retry-After: {spread(digest, middle)}\r\n" if middle else ""
        return f"SIP/2.0 503 Service Unavailable\r\n{head}\r\n{wait}Content-Length: 0\r\n\r\n".encode("latin-1")

    def reply_flow(self, flow: Flow) -> Flow:
        """Where it leaves (RFC 3261 §18.2.2, RFC 3581 §4)."""
        return flow if self._rport or flow.reliable else via_flow(flow, self._port)


def at_sight(data: bytes) -> Sight | None:
    """A plain INVITE outside a dialog that is neither an emergency call nor has priority; None of anything else."""
    octets, separator, _ = data.partition(b"\r\n\r\n")
    head = octets.decode("latin-1") + "\r\n"
    if not separator or head[:7] != _METHOD or _FOLDS[0] in head or _FOLDS[1] in head or "priority" in head.lower():
        return None
    end = head.index("\r\n")
    vias = _rows(head, "\r\nVia: ")
    to = _row(head, "\r\nTo: ")
    rows = [*vias, _row(head, "\r\nFrom: "), to, _row(head, "\r\nCall-ID: "), _row(head, "\r\nCSeq: ")]
    via = _PLAIN_VIA.fullmatch(vias[0]) if vias else None
    if via is None or "" in rows or not "".join(rows).isprintable() or not _PLAIN_TO.match(to) or "tag" in to.lower():
        return None
    port = None if via[2] is None else int(via[2])
    if head[end - 8 : end] != _VERSION or not is_ordinary(head[7 : end - 8]):
        return None
    return Sight(via, port, rows) if port is None or 0 < port <= _HIGHEST_PORT else None


def _row(head: str, start: str) -> str:
    """The first row that begins like this, after a line end; empty when there is none."""
    at = head.find(start)
    return "" if at < 0 else head[at + 2 : head.index("\r\n", at + 2)]


def _rows(head: str, start: str) -> list[str]:
    """All of them."""
    found = []
    at = head.find(start)
    while at >= 0:
        end = head.index("\r\n", at + 2)
        found.append(head[at + 2 : end])
        at = head.find(start, end)
    return found


def refusal(request: Request, flow: Flow, mark: str, middle: int) -> Response:
    """The same 503 to any request that was parsed. Raises MalformedValue."""
    digest = digest_of(request.via.branch or request.call_id)
    headers = (("Retry-After", str(spread(digest, middle))),) if middle else ()
    stamp_received(request, flow)
    return build_response(request, 503, None, f"{mark}{digest:08x}", headers)


def digest_of(branch: str) -> int:
    """A number that every repetition of a request has too."""
    return zlib.crc32(branch.encode("latin-1"))


def spread(digest: int, middle: int) -> int:
    """One of the whole seconds around ``middle``, so that callers do not come back all at once."""
    return 1 + digest % (2 * middle - 1)

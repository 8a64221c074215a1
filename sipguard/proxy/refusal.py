"""The refusal of the gate: a stateless 503 that costs as little as can be, for it is sent when there is no time.

Nearly every caller writes its top Via in one of a few plain ways: one value, a branch, perhaps ``rport``. Those are
read with one pattern, and the response is put together from the request's rows as they are. Anything else is read and
built like any other message; both ways give the same octets.
"""

import re
import zlib
from collections.abc import Sequence

from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.response import build_response, stamp_received
from sipguard.transaction.key import ServerKey, server_key
from sipguard.transaction.server import reply_flow

_PLAIN_VIA = re.compile(
    r"Via: SIP/2\.0/(?:UDP|TCP|TLS|WS|WSS) ([A-Za-z0-9.\-]{1,255})(?::([0-9]{1,5}))?"
    r";branch=(z9hG4bK[A-Za-z0-9\-.!%*_+`'~]{1,255})(;rport)?"
)
_COPIED = ("from", "to", "call-id", "cseq")
_COPIED_ALL = frozenset(_COPIED)


class Refusal:
    """One request that may be refused. Raises MalformedValue when it cannot be read."""

    __slots__ = ("_plain", "_request", "key")

    def __init__(self, request: Request) -> None:
        self._request = request
        names = request.names
        plain = _PLAIN_VIA.fullmatch(request.rows[names.index("via")]) if "via" in names else None
        port = None if plain is None or plain[2] is None else int(plain[2])
        if plain is None or not (port is None or 0 < port < 65_536):
            self._plain = None
            self.key: ServerKey = server_key(request, request.method)
        else:
            self._plain = plain
            self.key = (plain[3], plain[1], port, request.method)

    @property
    def digest(self) -> int:
        """A number that every repetition of the request has too."""
        request = self._request
        branch = self._plain[3] if self._plain is not None else request.via.branch
        return zlib.crc32(f"{branch} {request.required('call-id')}".encode("latin-1"))

    @property
    def plain(self) -> bool:
        """Whether the top Via says nothing but the usual."""
        return self._plain is not None

    def octets(self, flow: Flow, tag: str, headers: Sequence[tuple[str, str]]) -> bytes:
        """The 503 to a request that is ``plain``, with this To tag; it has none yet."""
        request, plain = self._request, self._plain
        if plain is None or not _COPIED_ALL.issubset(request.names):
            return self.response(flow, tag, headers).encode()
        names, rows = request.names, request.rows
        first = names.index("via")
        copied = [row for name, row in zip(names, rows, strict=True) if name == "via"]
        copied[0] = _stamped(rows[first], plain, flow)
        copied += [rows[names.index(name)] for name in _COPIED]
        if not "".join(copied).isprintable():  # folds and the like are for those who know them
            return self.response(flow, tag, headers).encode()
        copied[-3] += f";tag={tag}"
        copied += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join(copied)
        return f"SIP/2.0 503 Service Unavailable\r\n{head}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")

    def response(self, flow: Flow, tag: str, headers: Sequence[tuple[str, str]]) -> Response:
        """The same in the long way, for any request."""
        request = self._request
        stamp_received(request, flow)
        return build_response(request, 503, None, tag, headers)

    def reply_flow(self, flow: Flow) -> Flow:
        """Where it leaves."""
        if self._plain is not None and self._plain[4] is not None:
            return flow
        return reply_flow(self._request, flow)


def _stamped(row: str, plain: re.Match[str], flow: Flow) -> str:
    """As ``stamp_received`` writes it."""
    if plain[4] is not None:
        return f"{row}={flow.port};received={flow.host}"
    return row if plain[1].lower() == flow.host else f"{row};received={flow.host}"

"""Bytes to messages: one pass that splits lines and names them, nothing more.

``parse`` reads a whole message (a datagram, or one message framed from a stream). Whatever is structurally wrong
raises ``MalformedMessage`` with the status to answer and, where the header rows could be read, the message itself so
that a response can be built; a row without a usable name is called "" there. Meaning (mandatory fields, duplicates,
CSeq) is ``sanity``'s business.
"""

import re
from functools import lru_cache

from sipguard.errors import MalformedMessage
from sipguard.sip.message import Request, Response
from sipguard.sip.names import EVERYDAY, KNOWN_SPELLINGS, canonical_name

MAX_HEAD = 65_535  # octets before the body (MSG-29)
MAX_ROWS = 512
_CACHED_LENGTH = 64

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]++")
_BARE_NUL = re.compile(r"(?<!\\)\0")  # in a quoted pair NUL is legal (RFC 3261 §25.1)
_KNOWN = {f"{spelling}:": name for spelling, name in KNOWN_SPELLINGS.items()}
_METHODS = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "REFER", "SUBSCRIBE",
     "NOTIFY", "MESSAGE", "PUBLISH")
)  # fmt: skip


def parse(data: bytes) -> Request | Response:
    """Read one message. Leading CRLFs are skipped (RFC 3261 §7.5).

    Raises MalformedMessage.
    """
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")
    octets, separator, body = data.partition(b"\r\n\r\n")
    if not separator and octets[-2:] == b"\r\n":
        octets, separator = octets[:-2], octets[-2:]  # only the empty line is missing (RFC 5118 §4.10 prints it so)
    if len(octets) > MAX_HEAD:
        raise MalformedMessage(513, "Message Too Large")
    head = octets.decode("latin-1")
    rows = head.split("\r\n")
    text = "".join(rows)
    start_line = rows.pop(0)
    if len(rows) > MAX_ROWS:
        rows = rows[:MAX_ROWS]
        raise MalformedMessage(513, "Message Too Large", _start(start_line, _named(rows), rows, b""))
    names = [_KNOWN.get(row[: row.find(":") + 1], "") for row in rows]
    known = "" not in names  # so no row is folded, and none has a space before its colon
    message = _start(start_line, names, rows, body) if known else _slowly(head, start_line, rows, body)
    message.plain = message.first.keys() <= EVERYDAY
    if not separator:
        raise MalformedMessage(400, "Header Section Not Terminated", message)
    # Every CR and LF must belong to a line end; a bare one would let two readers see two different messages.
    if "\n" in text or "\r" in text or ("\0" in text and _BARE_NUL.search(head)):
        raise MalformedMessage(400, "Stray Control Character", message)
    if not known and message.has(""):
        raise MalformedMessage(400, "Header Field Without Name", message)
    return message


def _slowly(head: str, start_line: str, rows: list[str], body: bytes) -> Request | Response:
    """A message with rows that cannot be named at sight: folds, and what is seldom heard of."""
    folded = "\r\n " in head or "\r\n\t" in head
    if folded:
        rows = _join_folds(rows)
    message = _start(start_line, _named(rows), rows, body)
    message.unusual = folded or " :" in head or "\t:" in head
    return message


def _named(rows: list[str]) -> list[str]:
    """The canonical names of rows."""
    return [_KNOWN.get(row[: row.find(":") + 1]) or _name(row) for row in rows]


def _name(row: str) -> str:
    """The canonical name of a row; "" when it has no name that is a token."""
    spelling, colon, _ = row.partition(":")
    name = canonical_name(spelling)
    return name if colon and _TOKEN.fullmatch(name) else ""


def _join_folds(lines: list[str]) -> list[str]:
    """Rows with their continuation lines, kept as received (RFC 3261 §7.3.1)."""
    rows: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and rows:
            rows[-1] += "\r\n" + line
        else:
            rows.append(line)
    return rows


def _start(start_line: str, names: list[str], rows: list[str], body: bytes) -> Request | Response:
    if start_line[:4].upper() == "SIP/":  # and so no method: that is a token
        code, reason = _cached(start_line) if len(start_line) <= _CACHED_LENGTH else _status_line(start_line)
        return Response(start_line, names, rows, body, code, reason)
    parts = start_line.split(" ")
    if len(parts) == 3 and parts[1] and (parts[2] == "SIP/2.0" or parts[2].upper() == "SIP/2.0"):  # RFC 3261 §7.1
        method = parts[0]
        if method in _METHODS or _TOKEN.fullmatch(method):
            return Request(start_line, names, rows, body, method, parts[1])
    raise _malformed_request_line(start_line, names, rows, body)


def _status_line(start_line: str) -> tuple[int, str]:
    version, _, rest = start_line.partition(" ")
    code, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise MalformedMessage(400, "Malformed Status Line")
    if not 100 <= int(code) <= 699:
        raise MalformedMessage(400, "Status Code Out Of Range")
    return int(code), reason


_cached = lru_cache(maxsize=1024)(_status_line)


def _malformed_request_line(start_line: str, names: list[str], rows: list[str], body: bytes) -> MalformedMessage:
    """The error for a request line that is not one."""
    method, _, rest = start_line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not _TOKEN.fullmatch(method):
        return MalformedMessage(400, "Malformed Request Line")
    request = Request(start_line, names, rows, body, method, uri)
    if version[:4].upper() == "SIP/" and version.upper() != "SIP/2.0":
        return MalformedMessage(505, "Version Not Supported", request)
    return MalformedMessage(400, "Malformed Request Line", request)

"""A SIP message as the rows it arrived in, edited by splicing.

A message keeps each header field exactly as received (its row, folds and odd spaces included) beside the canonical
name, so that ``encode()`` gives back the same octets for everything nobody changed (house rule 3). Nothing is parsed
until asked for, and the fields every layer needs (Via, From, To, CSeq) are parsed once.

``value`` and ``values`` give header values unfolded and trimmed (RFC 3261 §7.3.1); ``listed`` also splits the
comma-separated fields. Edits belong to whoever called ``fork()``; a received message is never edited. What an edit
writes can't hold a line end, so no value of ours or of a peer becomes a header field of its own (MSG-31).
"""

import re

from sipguard.errors import MalformedValue
from sipguard.sip.address import Address, parse_address
from sipguard.sip.cseq import CSeq, parse_cseq
from sipguard.sip.header import MAX_ITEMS, split_list, unfold
from sipguard.sip.names import display_name
from sipguard.sip.via import Via, parse_via

_LINE_BREAKING = re.compile(r"[\r\n]|(?<!\\)\0")  # a NUL may stand in a quoted pair (RFC 3261 §25.1)


class Message:
    """What requests and responses share: a start line, header rows, a body.

    ``names`` holds the canonical lower-case name of each row, ``rows`` the rows as received without the closing CRLF.
    ``unusual`` is whether a row may be folded or have white space before its colon.
    """

    __slots__ = ("_call_id", "_cseq", "_from", "_to", "_via", "body", "names", "rows", "start_line", "unusual")

    def __init__(self, start_line: str, names: list[str], rows: list[str], body: bytes) -> None:
        self.start_line = start_line
        self.names = names
        self.rows = rows
        self.body = body
        self.unusual = False
        self._via: Via | None = None
        self._from: Address | None = None
        self._to: Address | None = None
        self._cseq: CSeq | None = None
        self._call_id: str | None = None

    def _forget(self, name: str) -> None:
        """The field ``name`` changes: what was parsed of it is void."""
        if name == "via":
            self._via = None
        elif name == "from":
            self._from = None
        elif name == "to":
            self._to = None
        elif name == "cseq":
            self._cseq = None
        elif name == "call-id":
            self._call_id = None

    def _remember(self, original: "Message") -> None:
        """Take over what is already known of the message this one is a copy of."""
        self.unusual = original.unusual
        self._via = original._via
        self._from = original._from
        self._to = original._to
        self._cseq = original._cseq
        self._call_id = original._call_id

    # --- reading

    def value(self, name: str) -> str | None:
        """The value of the first row called ``name`` (canonical, lower case), or None."""
        names = self.names
        if name not in names:
            return None
        row = self.rows[names.index(name)]
        value = row[row.index(":") + 1 :]  # row_value, written out: this is the most called function of all
        return (unfold(value) if "\n" in value else value).strip(" \t")

    def values(self, name: str) -> list[str]:
        """The value of each row called ``name``, in order; never split at commas."""
        if name not in self.names:
            return []
        return [row_value(row) for row_name, row in zip(self.names, self.rows, strict=True) if row_name == name]

    def listed(self, name: str) -> list[str]:
        """The comma-separated values of all rows called ``name``, in order (RFC 3261 §7.3.1).

        Raises MalformedValue when a quote or an angle bracket is left open, or there are too many.
        """
        if name not in self.names:
            return []
        items = [item for value in self.values(name) for item in split_list(value)]
        if len(items) > MAX_ITEMS:
            raise MalformedValue("too many values")
        return items

    def has(self, name: str) -> bool:
        """Whether any row is called ``name``."""
        return name in self.names

    def required(self, name: str) -> str:
        """The value of the first row called ``name``. Raises MalformedValue when there is none."""
        names = self.names
        if name not in names:
            raise MalformedValue(f"missing {display_name(name)}")
        row = self.rows[names.index(name)]
        value = row[row.index(":") + 1 :]
        return (unfold(value) if "\n" in value else value).strip(" \t")

    @property
    def via(self) -> Via:
        """The topmost Via value. Raises MalformedValue."""
        if self._via is None:
            value = self.required("via")
            if "," in value:
                value = (split_list(value) or [""])[0]
            self._via = parse_via(value)
        return self._via

    @property
    def from_(self) -> Address:
        """The From field. Raises MalformedValue."""
        if self._from is None:
            self._from = parse_address(self.required("from"))
        return self._from

    @property
    def to(self) -> Address:
        """The To field. Raises MalformedValue."""
        if self._to is None:
            self._to = parse_address(self.required("to"))
        return self._to

    @property
    def cseq(self) -> CSeq:
        """The CSeq field. Raises MalformedValue."""
        if self._cseq is None:
            self._cseq = parse_cseq(self.required("cseq"))
        return self._cseq

    @property
    def call_id(self) -> str:
        """The Call-ID, compared octet by octet (RFC 3261 §20.8). Raises MalformedValue."""
        if self._call_id is None:
            self._call_id = self.required("call-id")
        return self._call_id

    # --- editing a fork

    def set(self, name: str, value: str) -> None:
        """Replace the first row called ``name`` and drop the others, or append one at the end.

        Raises MalformedValue, as every edit does, when ``value`` holds a line end or a bare NUL.
        """
        row = _new_row(name, value)
        self._forget(name)
        if name not in self.names:
            self.names.append(name)
            self.rows.append(row)
            return
        first = self.names.index(name)
        self.rows[first] = row
        for index in range(len(self.names) - 1, first, -1):
            if self.names[index] == name:
                del self.names[index], self.rows[index]

    def append(self, name: str, value: str) -> None:
        """Add a row at the end."""
        self.rows.append(_new_row(name, value))
        self.names.append(name)

    def prepend(self, name: str, value: str) -> None:
        """Add a row before the first of its name, or before everything."""
        row = _new_row(name, value)
        self._forget(name)
        index = self.names.index(name) if name in self.names else 0
        self.names.insert(index, name)
        self.rows.insert(index, row)

    def remove(self, name: str) -> None:
        """Drop every row called ``name``."""
        if name not in self.names:
            return
        self._forget(name)
        while name in self.names:
            index = self.names.index(name)
            del self.names[index], self.rows[index]

    def remove_first(self, name: str) -> None:
        """Drop the first comma-separated value called ``name`` (the top Via, the top Route), if there is one.

        Raises MalformedValue when a quote or an angle bracket is left open.
        """
        if name not in self.names:
            return
        index = self.names.index(name)
        row = self.rows[index]
        rest = split_list(row_value(row))[1:] if "," in row else None
        self._forget(name)
        if rest:
            self.rows[index] = _new_row(name, ", ".join(rest))
        else:
            del self.names[index], self.rows[index]

    def replace_top_via(self, via: Via, row: str | None = None) -> None:
        """Put ``via`` in the place of the topmost Via value; the values after it stay.

        ``row`` is the first Via row as it then reads, for a caller that spliced it. Raises MalformedValue when there
        is no Via, or one with a quote left open.
        """
        if "via" not in self.names:
            raise MalformedValue("missing Via")
        index = self.names.index("via")
        if row is None:
            old = self.rows[index]
            rest = split_list(row_value(old))[1:] if "," in old else []
            row = _new_row("via", ", ".join([str(via), *rest]))
        self.rows[index] = row
        self._via = via

    # --- writing

    @property
    def size(self) -> int:
        """How many octets ``encode`` gives."""
        return len(self.start_line) + sum(map(len, self.rows)) + 2 * len(self.rows) + 4 + len(self.body)

    def encode(self) -> bytes:
        """The octets to send."""
        return "\r\n".join((self.start_line, *self.rows, "", "")).encode("latin-1") + self.body


class Request(Message):
    """A SIP request (RFC 3261 §7.1): ``method`` and ``uri`` as they stand in the start line."""

    __slots__ = ("method", "uri")

    def __init__(self, start_line: str, names: list[str], rows: list[str], body: bytes, method: str, uri: str) -> None:
        super().__init__(start_line, names, rows, body)
        self.method = method
        self.uri = uri

    def fork(self) -> "Request":
        """A copy whose rows may be edited."""
        copy = Request(self.start_line, self.names.copy(), self.rows.copy(), self.body, self.method, self.uri)
        copy._remember(self)
        return copy

    def set_uri(self, uri: str) -> None:
        """Change the Request-URI of a fork. Raises MalformedValue when it holds a space or a line end."""
        if " " in uri or not uri.isprintable():
            raise MalformedValue("malformed Request-URI")
        self.uri = uri
        self.start_line = f"{self.method} {uri} SIP/2.0"


class Response(Message):
    """A SIP response (RFC 3261 §7.2)."""

    __slots__ = ("code", "reason")

    def __init__(self, start_line: str, names: list[str], rows: list[str], body: bytes, code: int, reason: str) -> None:
        super().__init__(start_line, names, rows, body)
        self.code = code
        self.reason = reason

    def fork(self) -> "Response":
        """A copy whose rows may be edited."""
        copy = Response(self.start_line, self.names.copy(), self.rows.copy(), self.body, self.code, self.reason)
        copy._remember(self)
        return copy


def _new_row(name: str, value: str) -> str:
    if not value.isprintable() and _LINE_BREAKING.search(value):
        raise MalformedValue(f"line end or NUL in {display_name(name)}")
    return f"{display_name(name)}: {value}"


def row_value(row: str) -> str:
    """The value of one header row: after the colon, unfolded, trimmed of SP and HT (and nothing else)."""
    value = row[row.index(":") + 1 :]
    if "\n" in value:
        value = unfold(value)
    return value.strip(" \t")

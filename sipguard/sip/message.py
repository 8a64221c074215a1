"""A SIP message as the rows it arrived in, edited by splicing.

A message keeps each header field exactly as received (its row, folds and odd spaces included) beside the canonical
name, so that ``encode()`` gives back the same octets for everything nobody changed (house rule 3). Nothing is parsed
until asked for, and the fields every layer needs (Via, From, To, CSeq) are parsed once.

``value`` and ``values`` give header values unfolded and trimmed (RFC 3261 §7.3.1); ``listed`` also splits the
comma-separated fields. Edits belong to whoever called ``fork()``; a received message is never edited. What an edit
writes can't hold a line end, so no value of ours or of a peer becomes a header field of its own (MSG-31).
"""

from sipguard.errors import MalformedValue
from sipguard.sip.address import Address, parse_party
from sipguard.sip.cseq import CSeq, parse_cseq
from sipguard.sip.header import MAX_ITEMS, is_one_line, split_list, unfold
from sipguard.sip.names import EVERYDAY, display_name
from sipguard.sip.via import Via, parse_top_via

_READ = {"via": "_via", "from": "_from", "to": "_to", "cseq": "_cseq", "call-id": "_call_id"}


class Message:
    """What requests and responses share: a start line, header rows, a body.

    ``names`` holds the canonical lower-case name of each row, ``rows`` the rows as received without the closing CRLF,
    ``first`` the first row of each name. They agree, so only this class changes them.
    ``unusual`` is whether a row may be folded or have white space before its colon, ``plain`` whether all names are
    known to be of the ``EVERYDAY`` ones.
    """

    __slots__ = (
        "_call_id",
        "_cseq",
        "_from",
        "_to",
        "_via",
        "body",
        "first",
        "names",
        "plain",
        "rows",
        "start_line",
        "unusual",
    )

    def __init__(self, start_line: str, names: list[str], rows: list[str], body: bytes) -> None:
        self.start_line = start_line
        self.names = names
        self.rows = rows
        self.first = dict(zip(reversed(names), reversed(rows)))  # noqa: B905 - checking costs as much as the rest
        self.body = body
        self.unusual = False
        self.plain = False
        self._via: Via | None = None
        self._from: Address | None = None
        self._to: Address | None = None
        self._cseq: CSeq | None = None
        self._call_id: str | None = None

    def _forget(self, name: str) -> None:
        """The field ``name`` changes: what was parsed of it is void."""
        slot = _READ.get(name)
        if slot is not None:
            setattr(self, slot, None)

    def _copy(self, original: "Message") -> None:
        """Be what another message is, with rows of one's own; instead of ``__init__``."""
        self.start_line = original.start_line
        self.names = original.names.copy()
        self.rows = original.rows.copy()
        self.first = original.first.copy()
        self.body = original.body
        self.unusual = original.unusual
        self.plain = original.plain
        self._via = original._via
        self._from = original._from
        self._to = original._to
        self._cseq = original._cseq
        self._call_id = original._call_id

    # --- reading

    def value(self, name: str) -> str | None:
        """The value of the first row called ``name`` (canonical, lower case), or None."""
        row = self.first.get(name)
        return None if row is None else row_value(row)

    def rows_of(self, name: str) -> list[str]:
        """Each row called ``name``, in order, as it stands."""
        first = self.first.get(name)
        if first is None:
            return []
        if self.names.count(name) == 1:
            return [first]
        return [row for row_name, row in zip(self.names, self.rows, strict=True) if row_name == name]

    def values(self, name: str) -> list[str]:
        """The value of each row called ``name``, in order; never split at commas."""
        return [row_value(row) for row in self.rows_of(name)]

    def listed(self, name: str) -> list[str]:
        """The comma-separated values of all rows called ``name``, in order (RFC 3261 §7.3.1).

        Raises MalformedValue when a quote or an angle bracket is left open, or there are too many.
        """
        if name not in self.first:
            return []
        items = [item for value in self.values(name) for item in split_list(value)]
        if len(items) > MAX_ITEMS:
            raise MalformedValue("too many values")
        return items

    def has(self, name: str) -> bool:
        """Whether any row is called ``name``."""
        return name in self.first

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether any row has one of these names, none of which is an everyday one; mostly answered by one look."""
        return not self.plain and not names.isdisjoint(self.first)

    def required(self, name: str) -> str:
        """The value of the first row called ``name``. Raises MalformedValue when there is none."""
        row = self.first.get(name)
        if row is None:
            raise MalformedValue(f"missing {display_name(name)}")
        return row_value(row)

    @property
    def via(self) -> Via:
        """The topmost Via value. Raises MalformedValue."""
        if self._via is None:
            self._via = parse_top_via(self.required("via"))
        return self._via

    @property
    def from_(self) -> Address:
        """The From field. Raises MalformedValue."""
        if self._from is None:
            self._from = parse_party(self.required("from"))
        return self._from

    @property
    def to(self) -> Address:
        """The To field. Raises MalformedValue."""
        if self._to is None:
            self._to = parse_party(self.required("to"))
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

    def remember(self, via: Via, from_: Address, to: Address, cseq: CSeq, call_id: str) -> None:
        """These fields were read by whoever calls."""
        self._via = via
        self._from = from_
        self._to = to
        self._cseq = cseq
        self._call_id = call_id

    # --- editing a fork

    def set(self, name: str, value: str) -> None:
        """Replace the first row called ``name`` and drop the others, or append one at the end.

        Raises MalformedValue, as every edit does, when ``value`` holds a line end or a bare NUL.
        """
        row = _new_row(name, value)
        if name not in self.first:
            self.append_row(name, row)
            return
        self.set_row(name, row)
        names = self.names
        if names.count(name) > 1:
            for index in range(len(names) - 1, names.index(name), -1):
                if names[index] == name:
                    del names[index], self.rows[index]

    def set_row(self, name: str, row: str) -> None:
        """Put ``row``, as it stands, in the place of the first row called ``name``, which there is."""
        self._forget(name)
        self.rows[self.names.index(name)] = self.first[name] = row

    def replace_text(self, name: str, old: str, new: str) -> None:
        """Put ``new``, as it stands, in the place of ``old`` in every row called ``name``."""
        first = self.first.get(name)
        if first is None:
            return
        self.set_row(name, first.replace(old, new))
        if self.names.count(name) > 1:
            for index, row_name in enumerate(self.names):
                if row_name == name:
                    self.rows[index] = self.rows[index].replace(old, new)

    def put_row(self, index: int, row: str) -> None:
        """Put ``row``, as it stands, in the place of another of the same name."""
        name = self.names[index]
        if self.names.index(name) == index:
            self.set_row(name, row)
        else:
            self.rows[index] = row

    def append(self, name: str, value: str) -> None:
        """Add a row at the end."""
        self.append_row(name, _new_row(name, value))

    def append_row(self, name: str, row: str) -> None:
        """Add ``row``, as it stands, at the end; for what we wrote ourselves."""
        self.plain = self.plain and name in EVERYDAY
        self.rows.append(row)
        self.names.append(name)
        self.first.setdefault(name, row)

    def prepend(self, name: str, value: str) -> None:
        """Add a row before the first of its name, or before everything."""
        row = _new_row(name, value)
        self._forget(name)
        self.plain = self.plain and name in EVERYDAY
        index = self.names.index(name) if name in self.first else 0
        self.names.insert(index, name)
        self.rows.insert(index, row)
        self.first[name] = row

    def remove(self, name: str) -> None:
        """Drop every row called ``name``."""
        while name in self.first:
            self.remove_row(self.names.index(name))

    def remove_first(self, name: str) -> None:
        """Drop the first comma-separated value called ``name`` (the top Via, the top Route), if there is one.

        Raises MalformedValue when a quote or an angle bracket is left open.
        """
        row = self.first.get(name)
        if row is None:
            return
        rest = split_list(row_value(row))[1:] if "," in row else None
        if rest:
            self.set_row(name, _new_row(name, ", ".join(rest)))
        else:
            self.remove_row(self.names.index(name))

    def remove_row(self, index: int) -> None:
        """Drop one row."""
        names = self.names
        name = names[index]
        self._forget(name)
        del names[index], self.rows[index]
        if name in names:
            self.first[name] = self.rows[names.index(name)]
        else:
            del self.first[name]

    def replace_top_via(self, via: Via, row: str | None = None) -> None:
        """Put ``via`` in the place of the topmost Via value; the values after it stay.

        ``row`` is the first Via row as it then reads, for a caller that spliced it. Raises MalformedValue when there
        is no Via, or one with a quote left open.
        """
        if "via" not in self.first:
            raise MalformedValue("missing Via")
        if row is None:
            old = self.first["via"]
            rest = split_list(row_value(old))[1:] if "," in old else []
            row = _new_row("via", ", ".join([str(via), *rest]))
        self.set_row("via", row)
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
        Message.__init__(self, start_line, names, rows, body)
        self.method = method
        self.uri = uri

    def fork(self) -> "Request":
        """A copy whose rows may be edited."""
        copy = Request.__new__(Request)
        copy._copy(self)
        copy.method = self.method
        copy.uri = self.uri
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
        Message.__init__(self, start_line, names, rows, body)
        self.code = code
        self.reason = reason

    def fork(self) -> "Response":
        """A copy whose rows may be edited."""
        copy = Response.__new__(Response)
        copy._copy(self)
        copy.code = self.code
        copy.reason = self.reason
        return copy


def _new_row(name: str, value: str) -> str:
    if not is_one_line(value):
        raise MalformedValue(f"line end or NUL in {display_name(name)}")
    return f"{display_name(name)}: {value}"


def row_value(row: str) -> str:
    """The value of one header row: after the colon, unfolded, trimmed of SP and HT (and nothing else)."""
    value = row.partition(":")[2]
    return (unfold(value) if "\n" in value else value).strip(" \t")

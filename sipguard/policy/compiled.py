"""The compiled part of a directory: who may use which number, as one block of octets that processes map and share.

Ten million numbers as Python objects would take gigabytes in every process, and minutes to build at every change. So
the registry compiles them into tables: a number index that points into a pool of distinct values. Numbers that one
account holds alike share one value, so pools stay small. The block is replaced as a whole; what changed since it was
compiled lies over it in ``number_book``.

Layout: ``MAGIC``, the length of the header and the CRC-32 of it and of all that follows (eight octets each,
little-endian), the header (JSON: what is where), then the sections, each starting at a multiple of eight. Integers are
in the byte order of the machine that compiled and maps it. The sum is checked when a block is opened, a twentieth of a
second for ten million numbers: one flipped bit would give a number to another account, and nobody would notice.
"""

import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from sipguard.errors import DamagedFile, RegistryError
from sipguard.policy.call_lists import Listings, listings_of
from sipguard.policy.number_index import NumberIndex, build_slots
from sipguard.policy.pattern import Form, block_key, block_pattern
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight, RightKind
from sipguard.stir.telephone_number import TN

MAGIC = b"sipguard directory 3\n\0\0\0"
_ANY_VERSION = MAGIC[:19]
_START = len(MAGIC) + 16  # octets in front of the header
_ALIGNMENT = 8
_REMEMBERED = 262_144  # decoded values of each table
_TABLES = ("numbers", "number_blocks", "emergency", "listed", "listed_blocks", "called", "called_blocks")
_PARTS = ("keys", "values", "offsets", "blob")

Octets = bytes | bytearray | memoryview
Rights = Mapping[str, NumberRight]  # by account
# What a table is compiled of: a key of digits, and a value that JSON can hold; equal values are stored once.
Rows = Iterable[tuple[str, tuple[Any, ...]]]


class Header(msgspec.Struct, frozen=True):
    """What was compiled, and what is where.

    ``revision`` and ``fingerprint`` name the last change in it; forms are those of the blocks, the longest prefix
    first; ``sections`` are start and length in octets by name.
    """

    revision: int
    fingerprint: str
    counts: dict[str, int]
    number_forms: list[Form]
    listed_forms: list[Form]
    called_forms: list[Form]
    sections: dict[str, tuple[int, int]]


class Contents(NamedTuple):
    """Everything that is compiled; ``counts`` are upper bounds of how many rows each table has."""

    revision: int
    fingerprint: str
    counts: dict[str, int]
    number_forms: list[Form]
    listed_forms: list[Form]
    tables: dict[str, Rows]
    called_forms: Sequence[Form] = ()


class Table:
    """One table: the value of a key, decoded when it is first asked for; the latest ones are kept."""

    __slots__ = ("_blob", "_decode", "_decoded", "_index", "_offsets")

    def __init__(self, parts: Mapping[str, memoryview], decode: Callable[[Any], Any]) -> None:
        self._index = NumberIndex(parts["keys"].cast("Q"), parts["values"].cast("I"))
        self._offsets = parts["offsets"].cast("Q")
        self._blob = parts["blob"]
        self._decode = decode
        self._decoded: dict[int, Any] = {}

    def find(self, key: str) -> Any:
        """The value of a key, None when it is not there. Do not change it: keys share values."""
        number = self._index.find(key)
        if number is None:
            return None
        value = self._decoded.get(number)
        if value is None:
            if len(self._decoded) >= _REMEMBERED:
                self._decoded.clear()
            octets = self._blob[self._offsets[number] : self._offsets[number + 1]]
            value = self._decoded[number] = self._decode(msgspec.json.decode(octets))
        return value


class Compiled:
    """Reads a compiled block. Raises RegistryError when it is of another version, DamagedFile when it is none."""

    def __init__(self, block: bytes | memoryview) -> None:
        view = memoryview(block).cast("B")
        header = _read_header(view)
        self.revision = header.revision
        self.fingerprint = header.fingerprint
        self.counts = header.counts
        self.number_forms = header.number_forms
        self.listed_forms = header.listed_forms
        self.called_forms = header.called_forms
        tables = {
            name: Table(
                {part: _section(view, header, f"{name}.{part}") for part in _PARTS},
                _decoder(name),
            )
            for name in _TABLES
        }
        (
            self._numbers, self._number_blocks, self._emergency, self._listed, self._listed_blocks, self._called,
            self._called_blocks,
        ) = tables.values()  # fmt: skip

    def rights(self, tn: TN) -> Rights | None:
        """Who may use exactly this number; None when nobody may."""
        found: Rights | None = self._numbers.find(tn)
        return found

    def block_rights(self, prefix: str, length: int) -> Rights | None:
        """Who may use the block of all numbers of this length with this prefix."""
        found: Rights | None = self._number_blocks.find(block_key(prefix, length))
        return found

    def emergency(self, tn: TN) -> EmergencyRegistration | None:
        """The emergency registration of a number."""
        found = self._emergency.find(tn)
        return None if found is None else EmergencyRegistration(tn, *found)

    def listed(self, tn: TN) -> ListEntry | None:
        """The do-not-originate entry of exactly this number."""
        found = self._listed.find(tn)
        return None if found is None else ListEntry(tn, *found)

    def listed_block(self, prefix: str, length: int) -> ListEntry | None:
        """The do-not-originate entry of a block."""
        found = self._listed_blocks.find(block_key(prefix, length))
        return None if found is None else ListEntry(block_pattern(prefix, length), *found)

    def called(self, tn: TN) -> Listings | None:
        """What the do-not-call lists say of calls to exactly this number."""
        found: Listings | None = self._called.find(tn)
        return found

    def called_block(self, prefix: str, length: int) -> Listings | None:
        """What they say of a block."""
        found: Listings | None = self._called_blocks.find(block_key(prefix, length))
        return found


def compile_block(contents: Contents) -> list[Octets]:
    """The block, in pieces to be written one after the other. Raises ValueError for a number that is none."""
    sections: dict[str, Octets] = {}
    for name in _TABLES:
        sections |= _compile_table(name, contents.tables.get(name, ()), contents.counts.get(name, 0))
    places: dict[str, tuple[int, int]] = {}
    at = 0
    for name, octets in sections.items():
        length = len(memoryview(octets).cast("B"))
        places[name] = (at, length)
        at += length + _padding(length)
    header = msgspec.json.encode(
        Header(
            contents.revision,
            contents.fingerprint,
            contents.counts,
            contents.number_forms,
            contents.listed_forms,
            list(contents.called_forms),
            places,
        )
    )
    header += b" " * _padding(len(header))
    pieces: list[Octets] = [header]
    for octets in sections.values():
        pieces += [octets, bytes(_padding(len(octets)))]
    size = len(header).to_bytes(8, "little")
    total = zlib.crc32(size)
    for piece in pieces:
        total = zlib.crc32(piece, total)
    return [MAGIC, size, total.to_bytes(8, "little"), *pieces]


def _compile_table(name: str, rows: Rows, count: int) -> dict[str, Octets]:
    pool: dict[tuple[Any, ...], int] = {}
    slots = build_slots(((key, pool.setdefault(value, len(pool))) for key, value in rows), count)
    blob = bytearray()
    offsets = array("Q", (0,))
    for value in pool:
        blob += msgspec.json.encode(value)
        offsets.append(len(blob))
    keys, values, ends = (memoryview(numbers).cast("B") for numbers in (*slots, offsets))
    return {f"{name}.keys": keys, f"{name}.values": values, f"{name}.offsets": ends, f"{name}.blob": blob}


def _decoder(table: str) -> Callable[[Any], Any]:
    """How a value of a table is read."""
    if table.startswith("number"):
        return _rights
    return listings_of if table.startswith("called") else tuple


def _rights(rows: list[list[Any]]) -> Rights:
    return {account: NumberRight(account, RightKind(kind), *rest) for account, kind, *rest in rows}


def _read_header(view: memoryview) -> Header:
    if bytes(view[: len(MAGIC)]) != MAGIC:
        if bytes(view[: len(_ANY_VERSION)]) == _ANY_VERSION:
            raise RegistryError("is not a compiled directory of this version")
        raise DamagedFile("is no compiled directory")
    total = zlib.crc32(view[_START:], zlib.crc32(view[len(MAGIC) : len(MAGIC) + 8]))
    if len(view) < _START or total != _number(view, 1):
        raise DamagedFile("is a damaged directory")
    return msgspec.json.decode(view[_START : _START + _number(view, 0)], type=Header)


def _number(view: memoryview, place: int) -> int:
    """One of the two numbers behind ``MAGIC``."""
    at = len(MAGIC) + 8 * place
    return int.from_bytes(view[at : at + 8], "little")


def _section(view: memoryview, header: Header, name: str) -> memoryview:
    start = _START + _number(view, 0)
    at, length = header.sections[name]
    return view[start + at : start + at + length]


def _padding(length: int) -> int:
    return -length % _ALIGNMENT

"""What a file changes in the registry, found before anything is stored.

A row that is in the registry already keeps there what the file says nothing of: a list of names without a ``state``
column suspends nobody and activates nobody. A row that stands there as the file has it is not written at all.

A file may have a million rows, so each is held once: what stands in the place of a changed one is read again when it is
written, a batch at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import ColumnElement, inspect, select
from sqlalchemy.orm import Session

from sipguard.registry.csv_file import Columns, RowProblem
from sipguard.registry.database import BATCH
from sipguard.registry.schema import Table

Entry = TypeVar("Entry", bound=tuple[Any, ...])
Numbered = tuple[int, Entry]  # a line and the entry it holds
Read = tuple[int, Entry, tuple[str, ...]]  # and the fields of it that the file says nothing of


class Format(Protocol[Entry]):
    """One kind of file: its columns, how a row becomes an entry, what entries may not do, how they are stored.

    ``fields`` are those of an entry and of the ``table``, ``make`` makes an entry of their values; ``never_empty`` are
    the columns in which an empty cell says nothing. A table with a column ``imported`` keeps there which import a row
    came with; in one without it every new row has an entry in the audit.
    """

    noun: str
    columns: Columns
    table: type[Table]
    fields: tuple[str, ...]
    make: Callable[[Iterable[Any]], Entry]
    never_empty: tuple[str, ...] = ()

    def entry(self, values: dict[str, str]) -> Entry:
        """The entry of one row. Raises ValueError."""

    def settled(self, entry: Entry, _before: Entry | None) -> Entry:
        """The entry as it will be stored, given the one that is there."""
        return entry

    def problems(self, session: Session, entries: Sequence[Numbered[Entry]]) -> Iterator[RowProblem]:
        """What the rows together, or against the registry, do wrong."""

    def warnings(self, _entries: Sequence[Numbered[Entry]]) -> Iterator[RowProblem]:
        """What an operator should know of rows that are stored all the same: nothing."""
        return iter(())

    def in_order(self, entries: list[Entry]) -> list[Entry]:
        """The entries in the order they are to be stored: as they stand in the file."""
        return entries

    def replaced(self) -> ColumnElement[bool] | None:
        """Which rows of the table the file is the whole of; None: it takes nothing away."""
        return None

    def store(self, session: Session, entries: Sequence[Entry], imported: int | None) -> None:
        """Add or replace entries; ``imported`` is the audit entry of the import that new ones come with."""


class Held(NamedTuple, Generic[Entry]):
    """A row of the registry, and the import it came with."""

    entry: Entry
    imported: int | None


class Plan(Generic[Entry]):
    """What is to be done; ``entries`` are all of the file as they will be."""

    __slots__ = ("changed", "entries", "new", "removed")

    def __init__(self) -> None:
        self.entries: list[Numbered[Entry]] = []
        self.new: list[Entry] = []
        self.changed: list[Entry] = []
        self.removed: list[Held[Entry]] = []


def key_of(form: Format[Entry]) -> Callable[[Entry], Any]:
    """What gives the primary key of an entry."""
    return itemgetter(*(form.fields.index(column.name) for column in inspect(form.table).primary_key))


def compare(session: Session, form: Format[Entry], rows: list[Read[Entry]]) -> Plan[Entry]:
    """Hold the rows of a file against what is stored. The list is empty then: each of them is in the plan."""
    plan: Plan[Entry] = Plan()
    key = key_of(form)
    for batch in _taken(rows):
        held = held_rows(session, form, [entry for _, entry, _ in batch])
        for line, said, unsaid in batch:
            before = held.get(key(said)) if held else None
            if before is None:
                entry = form.settled(said, None)
                plan.new.append(entry)
            else:
                entry = form.settled(_completed(form, said, before.entry, unsaid), before.entry)
                if entry != before.entry:
                    plan.changed.append(entry)
            plan.entries.append((line, entry))
    chosen = form.replaced()
    if chosen is not None:
        kept = {key(entry) for _, entry in plan.entries}
        plan.removed = [row for row in _read(session, form, chosen) if key(row.entry) not in kept]
    return plan


def batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Some at a time."""
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _taken(rows: list[Read[Entry]]) -> Iterator[list[Read[Entry]]]:
    """Some at a time, from the first to the last, taken out of the list."""
    rows.reverse()
    while rows:
        batch = rows[-BATCH:]
        del rows[-BATCH:]
        batch.reverse()
        yield batch


def refers(form: Format[Entry]) -> bool:
    """Whether the table keeps which import a row came with."""
    return "imported" in form.table.__table__.c


def _completed(form: Format[Entry], said: Entry, before: Entry, unsaid: tuple[str, ...]) -> Entry:
    if not unsaid:
        return said
    pairs = zip(form.fields, said, before, strict=True)
    return form.make(stood if name in unsaid else value for name, value, stood in pairs)


def held_rows(session: Session, form: Format[Entry], entries: Sequence[Entry]) -> dict[Any, Held[Entry]]:
    """By key, the rows that have the first part of a key in common with one of these: few more than those asked for."""
    key = key_of(form)
    first = inspect(form.table).primary_key[0]
    place = form.fields.index(first.name)
    values = [entry[place] for entry in entries]
    if refers(form):  # numbers, which all stores sort alike; mostly they come in order, and where none is yet
        among = select(first).where(first.between(min(values), max(values))).limit(1)
        if session.execute(among).first() is None:
            return {}
    found = _read(session, form, first.in_(values))
    return {key(row.entry): row for row in found}


def _read(session: Session, form: Format[Entry], chosen: ColumnElement[bool]) -> Iterator[Held[Entry]]:
    columns = form.table.__table__.c
    wanted = [columns[name] for name in form.fields]
    if not refers(form):
        for row in session.execute(select(*wanted).where(chosen)):
            yield Held(form.make(row), None)
        return
    for *values, imported in session.execute(select(*wanted, columns.imported).where(chosen)):
        yield Held(form.make(values), imported)

"""CSV imports: every row is read and judged first, and either the whole file is stored or nothing of it.

A bad file costs one run: all its problems come back together, each with its line. Rows already in the registry are
replaced, so that importing a file twice is the same as importing it once.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy.orm import Session

from sipguard.registry.csv_file import Columns, Row, RowProblem, read_rows
from sipguard.registry.registry import Registry

_Entry = TypeVar("_Entry")
_MOST_WARNINGS = 1000
_BATCH = 1000  # rows per progress report and per statement
Progress = Callable[[int], None]
Numbered = tuple[int, _Entry]  # a line and the entry it holds


class Format(Protocol[_Entry]):
    """One kind of file: its columns, how a row becomes an entry, what entries may not do, how they are stored."""

    noun: str
    columns: Columns

    def entry(self, values: dict[str, str]) -> _Entry:
        """The entry of one row. Raises ValueError."""

    def problems(self, session: Session, entries: Sequence[Numbered[_Entry]]) -> Iterator[RowProblem]:
        """What the rows together, or against the registry, do wrong."""

    def warnings(self, entries: Sequence[Numbered[_Entry]]) -> Iterator[RowProblem]:
        """What an operator should know of rows that are stored all the same: nothing."""
        return iter(())

    def in_order(self, entries: list[_Entry]) -> list[_Entry]:
        """The entries in the order they are to be stored: as they stand in the file."""
        return entries

    def begin(self, session: Session) -> None:
        """What is to be done before the first entry is stored: nothing."""
        return

    def store(self, session: Session, entries: Sequence[_Entry]) -> None:
        """Add or replace entries."""


class ImportReport(NamedTuple):
    """How an import ended: how many rows were read, what is wrong, whether they are stored.

    ``warnings`` are about rows that are good, ``omitted`` is how many more of them there would be.
    """

    rows: int
    problems: tuple[RowProblem, ...]
    stored: bool
    warnings: tuple[RowProblem, ...] = ()
    omitted: int = 0


class Import(Generic[_Entry]):
    """One file of one format on its way into the registry; ``progress`` is told of rows done, in two passes."""

    def __init__(self, registry: Registry, form: Format[_Entry], progress: Progress = lambda _: None) -> None:
        self._registry = registry
        self._form = form
        self._progress = progress

    def run(self, path: Path, *, validate_only: bool = False) -> ImportReport:
        """Read, judge and (unless ``validate_only``) store the file. Raises RegistryError when it cannot be read."""
        entries, problems = self._read(path)
        with self._registry.database.writing() as session:
            problems += self._form.problems(session, entries)
            stored = not problems and not validate_only
            if stored:
                self._store(session, [entry for _, entry in entries])
                after = {"rows": len(entries), "sha256": _digest(path)}
                self._registry.database.audit(session, f"{self._form.noun}.import", path.name, None, after)
        warnings = self._form.warnings(entries)
        told = tuple(islice(warnings, _MOST_WARNINGS))
        return ImportReport(len(entries), tuple(sorted(problems)), stored, told, sum(1 for _ in warnings))

    def _read(self, path: Path) -> tuple[list[Numbered[_Entry]], list[RowProblem]]:
        entries: list[Numbered[_Entry]] = []
        problems: list[RowProblem] = []
        for count, row in enumerate(read_rows(path, self._form.columns), 1):
            if isinstance(row, Row):
                try:
                    entries.append((row.line, self._form.entry(row.values)))
                except ValueError as error:
                    problems.append(RowProblem(row.line, str(error)))
            else:
                problems.append(row)
            if count % _BATCH == 0:
                self._progress(_BATCH)
        return entries, problems

    def _store(self, session: Session, entries: list[_Entry]) -> None:
        self._form.begin(session)
        remaining = iter(self._form.in_order(entries))
        while batch := list(islice(remaining, _BATCH)):
            self._form.store(session, batch)
            self._progress(len(batch))


def _digest(path: Path) -> str:
    """Which file it was: what stands in a million rows is not written into the audit."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def repeated(keys: Sequence[tuple[int, object]], text: Callable[[object], str]) -> Iterator[RowProblem]:
    """The rows whose key an earlier row has already."""
    first: dict[object, int] = {}
    for line, key in keys:
        if first.setdefault(key, line) != line:
            yield RowProblem(line, f"{text(key)} is in line {first[key]} already")

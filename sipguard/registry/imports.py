"""CSV imports: every row is read and judged first, and either the whole file is stored or nothing of it.

A bad file costs one run: all its problems come back together, each with its line. Rows already in the registry are
replaced, but for what the file says nothing of (``import_plan``), so that importing a file twice is the same as once.

The audit has one entry for the file, with its digest, and one for each row that was changed or removed, with what stood
there. New rows of large tables do not have one each: they refer to the file's (``imported``), and ``audit_trail`` reads
it as if they had.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, NamedTuple

from sqlalchemy import delete, inspect
from sqlalchemy.orm import Session

from sipguard.registry.csv_file import Row, RowProblem, read_rows
from sipguard.registry.database import BATCH, Change
from sipguard.registry.import_plan import (
    Entry,
    Format,
    Held,
    Plan,
    Read,
    batches,
    compare,
    held_rows,
    key_of,
    refers,
)
from sipguard.registry.registry import Registry

_MOST_WARNINGS = 1000
Progress = Callable[[int], None]


class ImportReport(NamedTuple):
    """How an import ended: how many rows were read, what is wrong, whether they are stored.

    ``new``, ``changed`` and ``removed`` are what it did to the registry, or would have done. ``warnings`` are about
    rows that are good, ``omitted`` is how many more of them there would be.
    """

    rows: int
    problems: tuple[RowProblem, ...]
    stored: bool
    new: int
    changed: int
    removed: int
    warnings: tuple[RowProblem, ...] = ()
    omitted: int = 0


class Import(Generic[Entry]):
    """One file of one format on its way into the registry; ``progress`` is told of rows done, in two passes."""

    def __init__(self, registry: Registry, form: Format[Entry], progress: Progress = lambda _: None) -> None:
        self._registry = registry
        self._form = form
        self._progress = progress
        self._digest = hashlib.sha256()  # which file it was: what stands in a million rows is not in the audit

    def run(self, path: Path, *, validate_only: bool = False) -> ImportReport:
        """Read, judge and (unless ``validate_only``) store the file. Raises RegistryError when it cannot be read."""
        rows, problems = self._read(path)
        count = len(rows)
        with self._registry.database.writing() as session:
            plan = compare(session, self._form, rows)
            problems += self._form.problems(session, plan.entries)
            if plan.removed and not count and not problems:  # a download that failed, more likely than not
                problems.append(
                    RowProblem(1, f"there are no rows below it, and all {len(plan.removed)} entries would go")
                )
            stored = not problems and not validate_only
            if stored:
                self._store(session, plan, path)
        warnings = self._form.warnings(plan.entries)
        told = tuple(islice(warnings, _MOST_WARNINGS))
        counts = len(plan.new), len(plan.changed), len(plan.removed)
        return ImportReport(count, tuple(sorted(problems)), stored, *counts, told, sum(1 for _ in warnings))

    def _read(self, path: Path) -> tuple[list[Read[Entry]], list[RowProblem]]:
        rows: list[Read[Entry]] = []
        problems: list[RowProblem] = []
        for count, row in enumerate(read_rows(path, self._form.columns, self._digest), 1):
            if isinstance(row, Row):
                try:
                    rows.append((row.line, self._form.entry(row.values), self._unsaid(row)))
                except ValueError as error:
                    problems.append(RowProblem(row.line, str(error)))
            else:
                problems.append(row)
            if count % BATCH == 0:
                self._progress(BATCH)
        return rows, problems

    def _unsaid(self, row: Row) -> tuple[str, ...]:
        """The columns a row says nothing of."""
        if not self._form.never_empty:
            return row.absent
        return row.absent + tuple(
            name for name in self._form.never_empty if not row.values[name] and name not in row.absent
        )

    def _store(self, session: Session, plan: Plan[Entry], path: Path) -> None:
        form, database = self._form, self._registry.database
        after = {
            "rows": len(plan.entries), "new": len(plan.new), "changed": len(plan.changed), "removed": len(plan.removed),
            "sha256": self._digest.hexdigest(),
        }  # fmt: skip
        what = f"{form.noun}.import"
        number = database.audit(session, what, path.name, None, after)
        self._remove(session, plan.removed)
        unchanged = len(plan.entries) - len(plan.changed) - len(plan.new)
        if unchanged:
            self._progress(unchanged)
        for batch in batches(form.in_order(plan.changed)):
            changes = list(self._changes(batch, held_rows(session, form, batch)))
            form.store(session, batch, None)
            database.audit_rows(session, what, changes)
            self._progress(len(batch))
        for batch in batches(form.in_order(plan.new)):
            form.store(session, batch, number)
            if not refers(form):
                database.audit_rows(session, what, [(str(entry[0]), None, self._named(entry)) for entry in batch])
            self._progress(len(batch))

    def _remove(self, session: Session, rows: Sequence[Held[Entry]]) -> None:
        """Take off what a file that is the whole of something does not have."""
        chosen = self._form.replaced()
        if chosen is None:
            return
        first = inspect(self._form.table).primary_key[0]
        place = self._form.fields.index(first.name)
        for batch in batches(rows):
            gone = first.in_([row.entry[place] for row in batch])
            session.execute(delete(self._form.table).where(chosen, gone))
            removed = [(str(row.entry[0]), self._held(row), None) for row in batch]
            self._registry.database.audit_rows(session, f"{self._form.noun}.import", removed)

    def _changes(self, entries: Sequence[Entry], stood: Mapping[Any, Held[Entry]]) -> Iterator[Change]:
        """What is to be audited of rows that are changed: the key, and the values that are others."""
        key = key_of(self._form)
        keys = {column.name for column in inspect(self._form.table).primary_key}
        for entry in entries:
            before, after = self._held(stood[key(entry)]), self._named(entry)
            shown = [name for name in after if name in keys or before[name] != after[name]]
            kept = [name for name in before if name in shown or name == "imported"]
            yield str(entry[0]), {name: before[name] for name in kept}, {name: after[name] for name in shown}

    def _named(self, entry: Entry) -> dict[str, Any]:
        return dict(zip(self._form.fields, entry, strict=True))

    def _held(self, row: Held[Entry]) -> dict[str, Any]:
        """What stood there, and which import it came with."""
        values = self._named(row.entry)
        return values if row.imported is None else values | {"imported": row.imported}


def repeated(keys: Iterable[tuple[int, object]], text: Callable[[object], str]) -> Iterator[RowProblem]:
    """The rows whose key an earlier row has already."""
    first: dict[object, int] = {}
    for line, key in keys:
        if first.setdefault(key, line) != line:
            yield RowProblem(line, f"{text(key)} is in line {first[key]} already")

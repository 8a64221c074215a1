"""CSV imports: every row is read and judged first, and either the whole file is stored or nothing of it.

A bad file costs one run: all its problems come back together, each with its line. Rows already in the registry are
replaced, but for what the file says nothing of (``import_plan``), so that importing a file twice is the same as once.

The audit has one entry for the file, with its digest, and one for each row that was changed or removed, with what stood
there. New rows of large tables do not have one each: they refer to the file's (``imported``), and ``audit_trail`` reads
it as if they had.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, NamedTuple

from sqlalchemy import delete, inspect
from sqlalchemy.orm import Session

from sipguard.registry.csv_file import Row, RowProblem, read_rows
from sipguard.registry.import_plan import BATCH, Entry, Format, Held, Plan, Read, batches, compare, refers
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

    def run(self, path: Path, *, validate_only: bool = False) -> ImportReport:
        """Read, judge and (unless ``validate_only``) store the file. Raises RegistryError when it cannot be read."""
        rows, problems = self._read(path)
        with self._registry.database.writing() as session:
            plan = compare(session, self._form, rows)
            problems += self._form.problems(session, plan.entries)
            if plan.removed and not rows:  # a download that failed, more likely than not
                problems.append(
                    RowProblem(1, f"there are no rows below it, and all {len(plan.removed)} entries would go")
                )
            stored = not problems and not validate_only
            if stored:
                self._store(session, plan, path)
        warnings = self._form.warnings(plan.entries)
        told = tuple(islice(warnings, _MOST_WARNINGS))
        counts = len(plan.new), len(plan.changed), len(plan.removed)
        return ImportReport(len(rows), tuple(sorted(problems)), stored, *counts, told, sum(1 for _ in warnings))

    def _read(self, path: Path) -> tuple[list[Read[Entry]], list[RowProblem]]:
        rows: list[Read[Entry]] = []
        problems: list[RowProblem] = []
        for count, row in enumerate(read_rows(path, self._form.columns), 1):
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
            "sha256": _digest(path),
        }  # fmt: skip
        what = f"{form.noun}.import"
        number = database.audit(session, what, path.name, None, after)
        self._remove(session, plan.removed)
        unchanged = len(plan.entries) - len(plan.changed) - len(plan.new)
        if unchanged:
            self._progress(unchanged)
        for entries, imported in ((plan.changed_entries(), None), (plan.new, number)):
            for batch in batches(form.in_order(entries)):
                form.store(session, batch, imported)
                self._progress(len(batch))
        for batch in batches(self._audited(plan)):
            database.audit_rows(session, what, batch)

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

    def _audited(self, plan: Plan[Entry]) -> Iterator[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
        """The rows that have an entry each: what it is of, what stood there, what stands there now."""
        fields = self._form.fields
        for held in plan.removed:
            yield str(held.entry[0]), _values(fields, held), None
        keys = {column.name for column in inspect(self._form.table).primary_key}
        for held, entry in plan.changed:
            pairs = zip(fields, held.entry, entry, strict=True)
            shown = tuple(name for name, old, new in pairs if name in keys or old != new)
            before, after = _values(fields, held), dict(zip(fields, entry, strict=True))
            before = {name: value for name, value in before.items() if name in shown or name == "imported"}
            yield str(entry[0]), before, {name: after[name] for name in shown}
        for entry in () if refers(self._form) else plan.new:
            yield str(entry[0]), None, dict(zip(fields, entry, strict=True))


def _values(fields: tuple[str, ...], held: Held[Entry]) -> dict[str, Any]:
    """What stood there, and which import it came with."""
    values = dict(zip(fields, held.entry, strict=True))
    return values if held.imported is None else values | {"imported": held.imported}


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

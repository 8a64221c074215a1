"""How commands print: a table for people, tab-separated values for a pipe, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

Record = Mapping[str, object]


def show(records: Sequence[Record], as_json: bool, nothing: str = "nothing to show") -> None:
    """Print records that all have the same keys, which are the columns."""
    if as_json:
        print(json.dumps(list(records), ensure_ascii=False, indent=1))
    elif not records:
        say(nothing)
    elif sys.stdout.isatty():
        _table(records)
    else:
        for line in (list(records[0]), *(map(_cell, record.values()) for record in records)):
            print("\t".join(line))


def done(message: str, record: Record, as_json: bool) -> None:
    """Confirm a change: a sentence for people, the record for programs."""
    if as_json:
        print(json.dumps(record, ensure_ascii=False))
    else:
        say(message)


def say(message: str) -> None:
    """A remark to the user, beside the data."""
    print(message, file=sys.stderr)


def _table(records: Sequence[Record]) -> None:
    """Columns in which nothing stands are left out: a terminal is narrow."""
    cells = [{name: _cell(value) for name, value in record.items()} for record in records]
    names = [name for name in records[0] if any(row[name] for row in cells)]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in cells:
        table.add_row(*(Text(row[name]) for name in names))
    Console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | frozenset):
        return " ".join(sorted(map(str, value)) if isinstance(value, frozenset) else map(str, value))
    return str(value)

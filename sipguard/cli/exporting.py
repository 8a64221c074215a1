"""``export FILE``, the same for every noun: what is written can be imported again."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sipguard.cli.output import say
from sipguard.errors import RegistryError
from sipguard.registry.csv_file import Columns


def export_file(columns: Columns, rows: Iterable[Mapping[str, object]], path: Path) -> None:
    """Write rows as CSV to a file, or to standard output for ``-``; what is None becomes an empty cell."""
    names = columns.required + columns.optional
    count = 0
    with _opened(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow("" if row[name] is None else row[name] for name in names)
            count += 1
    say(f"{count} rows written")


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        if str(path) == "-":
            yield sys.stdout
            sys.stdout.flush()
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except BrokenPipeError:  # whoever reads it has had enough
        raise
    except OSError as error:
        raise RegistryError(f"{path} cannot be written: {error.strerror}") from None

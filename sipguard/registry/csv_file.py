"""Reading a CSV file row by row: the header decides which column is which, every row knows its line."""

import csv
import re
from collections.abc import Iterator
from io import BufferedReader, FileIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sipguard.config.suggestion import suggestion
from sipguard.errors import RegistryError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # what no text has, and not every store takes


class Columns(NamedTuple):
    """Which columns a file must have, and which it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


class Row(NamedTuple):
    """One row: its line in the file (from 1) and its values by column, without surrounding space, "" when absent.

    ``absent`` are the columns that the file does not have.
    """

    line: int
    values: dict[str, str]
    absent: tuple[str, ...] = ()


class RowProblem(NamedTuple):
    """What is wrong with a row, and the line it is in."""

    line: int
    message: str


class Digest(Protocol):
    """What takes octets, like ``hashlib.sha256()``."""

    def update(self, octets: bytes, /) -> None:
        """Take some more."""


class _Read(FileIO):
    """A file of which everything that is read goes into a digest, so that no other octets are judged than digested."""

    def __init__(self, path: Path, digest: Digest) -> None:
        super().__init__(path)
        self._digest = digest

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read some octets."""
        count = super().readinto(buffer) or 0
        self._digest.update(bytes(memoryview(buffer)[:count]))
        return count


def read_rows(path: Path, columns: Columns, digest: Digest) -> Iterator[Row | RowProblem]:
    """The rows of a file; a row with the wrong number of values, or control characters, is a problem.

    The octets go into ``digest`` as they are read, once: the file may be a pipe. Raises RegistryError when it cannot be
    read or its header is wrong.
    """
    try:
        with TextIOWrapper(BufferedReader(_Read(path, digest)), encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = [name.strip().lower() for name in next(reader, [])]
            _check_header(path, names, columns)
            absent = tuple(name for name in columns.optional if name not in names)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(names):
                    yield RowProblem(reader.line_num, f"has {len(cells)} values, the header has {len(names)} columns")
                    continue
                if _CONTROLS.search("".join(cells)):
                    yield RowProblem(reader.line_num, "has a control character in it")
                    continue
                values = dict.fromkeys(columns.optional, "")
                values.update(zip(names, (cell.strip() for cell in cells), strict=True))
                yield Row(reader.line_num, values, absent)
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RegistryError(f"{path} is not UTF-8 text") from None
    except csv.Error as error:
        raise RegistryError(f"{path} line {reader.line_num}: {error}") from None


def _check_header(path: Path, names: list[str], columns: Columns) -> None:
    known = columns.required + columns.optional
    problems = [f'no column "{name}"' for name in columns.required if name not in names]
    problems += [f'unknown column "{name}"{suggestion(name, known)}' for name in names if name not in known]
    problems += [f'column "{name}" twice' for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise RegistryError(f"{path} line 1: {'; '.join(problems)}; the columns are {', '.join(known)}")

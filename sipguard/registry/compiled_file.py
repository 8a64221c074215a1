"""The compiled file: what a node maps instead of reading millions of rows, in step with the registry or made anew.

``python -m sipguard.registry.compiled_file FILE`` makes it in a process of its own, with the URL, which may hold a
password that nobody shall see in a list of processes, as its standard input: ten million rows keep one busy for half
a minute, and a node that carries calls must not be that one.
"""

import contextlib
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from sipguard.errors import DamagedFile, RegistryError
from sipguard.policy.compiled import Compiled
from sipguard.policy.number_book import NumberBook
from sipguard.registry.changes import read_changes, touched_since
from sipguard.registry.compilation import compile_registry, fingerprint
from sipguard.registry.database import Database

Damaged = Callable[[str], None]


def open_book(connection: Connection, path: Path | None, damaged: Damaged) -> NumberBook:
    """What the registry says of numbers: the compiled file and what changed since. Raises RegistryError.

    A file that is not there, is of another registry or is too old is made anew; without a path a block in memory is.
    One whose octets are not those that were written is, too; ``damaged`` is told.
    """
    if path is None:
        return NumberBook(Compiled(b"".join(compile_registry(connection))))
    kept = kept_book(connection, path, damaged)
    if kept is not None:
        return kept
    write_compiled(connection, path)
    return NumberBook(map_compiled(path))


def kept_book(connection: Connection, path: Path, damaged: Damaged) -> NumberBook | None:
    """The compiled file as it is and what changed since; None when it has to be made anew."""
    try:
        compiled = map_compiled(path)
    except DamagedFile as error:
        damaged(str(error))
        return None
    except RegistryError:  # not there, or of another version
        return None
    touched = touched_since(connection, compiled.revision)
    if not touched.wholesale and compiled.fingerprint == fingerprint(connection, compiled.revision):
        return NumberBook(compiled, read_changes(connection, touched))
    return None


def compile_apart(url: str, path: Path) -> None:
    """Make the file anew in another process, and wait for it. Raises RegistryError."""
    command = [sys.executable, "-m", __name__, str(path)]  # this very module, without a shell: hence the noqa
    done = subprocess.run(command, input=url, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise RegistryError(done.stderr.strip().rpartition("\n")[2] or f"compiling {path} ended with {done.returncode}")


def write_compiled(connection: Connection, path: Path) -> None:
    """Compile into a file that is replaced as a whole. Raises RegistryError."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in compile_registry(connection):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())  # after a power cut the name must not stand for holes
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise RegistryError(f"{path} cannot be written: {error.strerror}") from None


def map_compiled(path: Path) -> Compiled:
    """Map a compiled file; processes that map it share its memory. Raises RegistryError."""
    try:
        with path.open("rb") as file:
            block = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error}") from None
    except ValueError:
        raise DamagedFile(f"{path} is empty") from None
    try:
        return Compiled(memoryview(block))
    except RegistryError as error:
        raise type(error)(f"{path} {error}") from None
    except (TypeError, ValueError, KeyError):  # a place or a name in the header that cannot be
        raise DamagedFile(f"{path} is a damaged directory") from None


def main() -> int:
    """Compile, as a process of its own. Exit code 1 and one line on standard error when it fails."""
    url, path = sys.stdin.read(), sys.argv[1]
    try:
        with Database(url, "compilation", 5.0).reading() as connection:
            write_compiled(connection, Path(path))
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

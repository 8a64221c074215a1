"""Files that hold secrets: what only this node may know is readable by its owner alone, or not used at all."""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from sipguard.errors import StartupError

SECRET_OCTETS = 32


def read_secret_file(path: Path) -> bytes:
    """The octets of a file that nobody else can read. Raises StartupError."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise StartupError(f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")
            return file.read()
    except OSError as error:
        raise StartupError(f"{path} cannot be read: {error.strerror}") from None


def read_password(path: Path) -> str:
    """The first line of a file that nobody else can read. Raises StartupError."""
    try:
        word = read_secret_file(path).decode().split("\n", 1)[0].rstrip("\r")
    except UnicodeDecodeError:
        raise StartupError(f"{path} is not UTF-8 text") from None
    if not word:
        raise StartupError(f"{path} holds no password in its first line")
    return word


def read_public_file(path: Path) -> bytes:
    """The octets of a file. Raises StartupError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"{path} cannot be read: {error.strerror}") from None


def persistent_secret(path: Path) -> bytes:
    """Thirty-two random octets, made at the first call and the same ever after. Raises StartupError."""
    if not path.exists():
        _create(path)
    secret = read_secret_file(path)
    if len(secret) != SECRET_OCTETS:
        raise StartupError(f"{path} is damaged; remove it to have a new one made")
    return secret


def _create(path: Path) -> None:
    """Write a whole file under another name, then link it: no reader ever sees half a secret, the first writer wins."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(SECRET_OCTETS))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        except FileExistsError:
            return
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}") from None

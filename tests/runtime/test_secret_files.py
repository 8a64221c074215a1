"""What only this node may know."""

from pathlib import Path

import pytest

from sipguard.errors import StartupError
from sipguard.runtime.secret_files import persistent_secret, read_public_file, read_secret_file


def test_secret_persists(tmp_path: Path) -> None:
    """A secret is made once, is random, and is readable by its owner alone."""
    first = persistent_secret(tmp_path / "a.secret")
    assert len(first) == 32
    assert persistent_secret(tmp_path / "a.secret") == first
    assert persistent_secret(tmp_path / "b.secret") != first
    assert (tmp_path / "a.secret").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"a.secret", "b.secret"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_others_can_read(tmp_path: Path, mode: int) -> None:
    """A secret that others can read is refused, with the command that puts it right."""
    path = tmp_path / "leaf.key"
    path.write_text("key")
    path.chmod(mode)
    with pytest.raises(StartupError, match=f"mode {mode:04o}.; run: chmod 600 {path}"):
        read_secret_file(path)
    path.chmod(0o400)
    assert read_secret_file(path) == b"key"


def test_unusable_files(tmp_path: Path) -> None:
    """A missing, damaged or unwritable file is one clear line."""
    with pytest.raises(StartupError, match="cannot be read: No such file"):
        read_secret_file(tmp_path / "missing")
    with pytest.raises(StartupError, match="cannot be read: Is a directory"):
        read_public_file(tmp_path)
    (tmp_path / "short").write_bytes(b"x")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(StartupError, match="is damaged"):
        persistent_secret(tmp_path / "short")
    with pytest.raises(StartupError, match="cannot be written"):
        persistent_secret(tmp_path / "missing" / "a.secret")

"""What a person at a terminal sees: tables, and a progress bar for a long import."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.kit import CONFIGURATION

pytestmark = pytest.mark.live


def terminal(directory: Path, *arguments: str) -> str:
    """Run a command on a terminal of its own; what appeared there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sipguard", *arguments], cwd=directory, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # the terminal's other end is closed: the process has ended
        pass
    finally:
        os.close(ours)
        if process.wait(timeout=30) != 0:
            shown += b" FAILED"
    return shown.decode()


def test_table(tmp_path: Path) -> None:
    """Records are a table with one column per key, not tab-separated values."""
    (tmp_path / "sipguard.toml").write_text(CONFIGURATION)
    terminal(tmp_path, "account", "add", "acme")
    shown = terminal(tmp_path, "account", "list")
    assert "state in force" in " ".join(shown.split())
    assert "acme" in shown
    assert "\t" not in shown


def test_progress_bar(tmp_path: Path) -> None:
    """A long file shows how far it has come, and then how it ended."""
    (tmp_path / "sipguard.toml").write_text(CONFIGURATION)
    rows = (f"800{number:07},block,a source with a long name of its own\n" for number in range(20_000))
    (tmp_path / "dno.csv").write_text("pattern,action,source\n" + "".join(rows))
    shown = terminal(tmp_path, "list", "import", "dno.csv")
    assert "/40001" in shown or "/40002" in shown
    assert "20000 rows stored" in shown
    assert "FAILED" not in shown

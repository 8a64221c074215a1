"""The command line as a whole, also as a real process."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sipguard import __version__
from sipguard.cli.main import app
from tests.cli.kit import CONFIGURATION

WIDE = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}


def commands() -> list[list[str]]:
    """Every command there is, as its words."""
    words = []
    for group in app.registered_groups:
        assert isinstance(group.typer_instance, typer.Typer)
        name = str(group.typer_instance.info.name)
        words += [[name, str(command.name or command.callback.__name__)]  # type: ignore[union-attr]
                  for command in group.typer_instance.registered_commands]  # fmt: skip
    return words + [[str(command.name)] for command in app.registered_commands]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_help_has_an_example(words: list[str]) -> None:
    """The help of every command, or of its noun, shows a line to try."""
    helps = [CliRunner().invoke(app, [*words[:count], "--help"], env=WIDE) for count in range(1, len(words) + 1)]
    assert [result.exit_code for result in helps] == [0] * len(words)
    assert f"Example: sipguard {words[0]}" in " ".join(" ".join(result.output.split()) for result in helps)


def test_help() -> None:
    """The first help names every noun and how to start."""
    result = CliRunner().invoke(app, ["--help"], env=WIDE)
    for noun in ("run", "check", "explain", "account", "number", "trunk", "emergency", "list", "policy", "log"):
        assert f" {noun} " in result.output
    assert "sipguard check --config sipguard.toml" in result.output


def test_version() -> None:
    """The version is printed alone."""
    assert CliRunner().invoke(app, ["--version"]).output == f"sipguard {__version__}\n"


@pytest.mark.live
def test_as_a_process(tmp_path: Path) -> None:
    """A real process: data on standard output, one line on standard error, the exit code, never a traceback."""
    (tmp_path / "sipguard.toml").write_text(CONFIGURATION)

    def sipguard(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sipguard", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)

    refused = sipguard("check")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == 'sipguard: trunk.acme-pbx.account: the registry has no account "acme"\n'
    assert sipguard("account", "add", "acme").returncode == 0
    again = sipguard("account", "add", "acme")
    assert (again.returncode, again.stderr) == (1, 'sipguard: account "acme" exists already\n')
    assert sipguard("check").stdout.startswith("configuration ok\n")
    assert (tmp_path / "var" / "registry.db").exists()


@pytest.mark.live
def test_unreadable_database(tmp_path: Path) -> None:
    """A registry that is no database is one clear line and exit code 2 at start."""
    (tmp_path / "sipguard.toml").write_text(CONFIGURATION)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "registry.db").write_bytes(b"garbage" * 1000)
    for command, code in (("run", 2), ("check", 2)):
        words = [sys.executable, "-m", "sipguard", command]
        result = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert result.returncode == code
        assert result.stderr == "sipguard: registry.url: registry var/registry.db: file is not a database\n"


@pytest.mark.live
def test_full_disk(tmp_path: Path) -> None:
    """Standard output that takes nothing is one clear line and exit code 1."""
    (tmp_path / "sipguard.toml").write_text(CONFIGURATION)
    words = [sys.executable, "-m", "sipguard", "policy", "show"]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    assert (result.returncode, result.stderr) == (1, "sipguard: No space left on device\n")

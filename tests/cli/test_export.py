"""``export``, ``search`` and ``audit``: what went in comes out."""

import os
from contextlib import redirect_stdout
from errno import ENOSPC
from io import StringIO
from pathlib import Path

import pytest

from sipguard.cli.exporting import export_file
from sipguard.errors import RegistryError
from sipguard.registry.csv_file import Columns
from tests.cli.kit import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A registry with something of everything in it."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    shell.run("number", "add", "+14155550100", "--account", "acme")
    shell.run("number", "add", "+1415556XXXX", "--account", "acme", "--kind", "verified", "--expires", "2030-01-31")
    shell.run("emergency", "add", "+14155550100", "--account", "acme", "--location", "1 Main St, Springfield")
    shell.run("list", "add", "+999XXXXXXX", "--source", "ITG")
    return shell


@pytest.mark.parametrize("noun", ["account", "number", "emergency", "list"])
def test_what_is_exported_can_be_imported(shell: Shell, tmp_path: Path, noun: str) -> None:
    """An export is a file that import takes, and that changes nothing."""
    file = tmp_path / "export.csv"
    before = shell.data(noun, "list")
    assert before
    assert shell.run(noun, "export", str(file)).code == 0
    assert shell.run(noun, "import", str(file)).code == 0
    assert shell.data(noun, "list") == before
    assert shell.run(noun, "export", "-").out == file.read_text()


def test_a_file_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    """One line says which file and why."""
    outcome = shell.run("number", "export", str(tmp_path / "nowhere" / "x.csv"))
    assert (outcome.code, outcome.out) == (1, "")
    assert "x.csv cannot be written: No such file or directory" in outcome.err


def test_numbers_are_searched(shell: Shell) -> None:
    """A search says who may present what begins so."""
    found = shell.data("number", "search", "+1 (415) 5560")
    assert [(entry["number"], entry["account"], entry["kind"]) for entry in found] == [
        ("+1415556XXXX", "acme", "verified")
    ]
    assert "no number begins with +44" in shell.run("number", "search", "+44").err
    assert shell.run("number", "search", "many").code == 2


@pytest.mark.parametrize("number", ["+14XXXXXXXXXX", "+1415556XXX", "+1XXXXXXXXXX", "X"])
def test_a_block_that_is_none(shell: Shell, number: str) -> None:
    """A block too large, or of numbers that have not that many digits, is an error of usage."""
    assert shell.run("number", "add", number, "--account", "acme").code == 2


def test_the_audit_is_shown(shell: Shell) -> None:
    """Who changed what, the latest first, with what was before; asked by thing and time."""
    shell.run("account", "suspend", "acme")
    [change] = shell.data("audit", "--subject", "acme", "--what", "account.set", "--since", "1h")
    assert (change["before"], change["after"]) == ({"state": "active"}, {"state": "suspended", "reason": None})
    assert "state=suspended" in shell.run("audit").out
    assert shell.run("audit", "--who", "nobody").err == "no such change\n"
    assert shell.run("audit", "--since", "yesterday").code == 2
    assert [entry["subject"] for entry in shell.data("audit", "--subject", "+14155550100", "--what", "number")] == [
        "14155550100"
    ]


def test_standard_output_that_is_full() -> None:
    """Standard output that takes no more is one line too, and an exit code."""

    class Full(StringIO):
        def flush(self) -> None:
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    with pytest.raises(RegistryError, match="- cannot be written: No space left"), redirect_stdout(Full()):
        export_file(Columns(("number",)), [{"number": "+14155550100"}], Path("-"))


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "--limit", "9" * 30),
        ("audit", "--who", "\udcff"),
        ("emergency", "add", "+14155550101", "--account", "acme", "--location", "\udcff"),
    ],
)
def test_values_no_store_can_hold(shell: Shell, command: tuple[str, ...]) -> None:
    """Octets that are no text and numbers of thirty digits are one line, not a traceback."""
    outcome = shell.run(*command)
    assert (outcome.code, outcome.out) == (1, "")
    assert "a value is not UTF-8 text, or too large a number" in outcome.err


def test_more_is_said_only_when_there_is_more(shell: Shell) -> None:
    """A list that ends at the limit does not say that it goes on."""
    assert "there are more than 1;" in shell.run("number", "list", "--limit", "1").err
    assert shell.run("number", "list", "--limit", "2").err == ""

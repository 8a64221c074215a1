"""The documents: what they link to is there, and the commands they show exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from sipguard.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path for where in (".", "docs", "docs/adr", "certs") for path in (ROOT / where).glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    """A link to a file of this project names one that exists."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_command_the_readme_shows_exists() -> None:
    """``sipguard NOUN VERB`` in the README is a command of the program."""
    command = get_command(app)
    shown = re.findall(r"^    (?:\S*/)?sipguard ([a-z]+)(?: ([a-z]+))?", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert shown
    for noun, verb in shown:
        found = command.commands.get(noun)  # type: ignore[attr-defined]
        assert found is not None, noun
        if verb and hasattr(found, "commands"):
            assert verb in found.commands, (noun, verb)

"""The generated document."""

from pathlib import Path

from sipguard.transaction.diagram import document

DOCUMENT = Path(__file__).parents[2] / "docs" / "state-machines.md"


def test_the_checked_in_diagrams_are_the_tables() -> None:
    """docs/state-machines.md is what ``python -m sipguard.transaction.diagram`` prints."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()

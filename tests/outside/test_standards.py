"""The table of requirements: what tests claim exists, and the page is made of the list and the claims."""

import csv
import re
from collections import Counter

import pytest

from tests.standards import IDENTIFIER, ROOT, Requirement, claims, document, requirements


def test_every_claim_names_a_requirement_that_exists(request: pytest.FixtureRequest) -> None:
    """A ``clause`` marker with a requirement's identifier names one of the list: no test proves a typing error."""
    known = {entry.id for entry in requirements()}
    unknown = {f"{item.nodeid}: {text}" for text, item in claims(request.session.items) if text not in known}
    assert not unknown


def test_identifiers_are_written_as_in_the_list(request: pytest.FixtureRequest) -> None:
    """What looks like an identifier is one: ``VS12`` or ``vs-12`` would be claimed in vain."""
    for item in request.session.items:
        for marker in item.iter_markers("clause"):
            for text in marker.args:
                if re.match(r"[A-Za-z]{2,3}-?[0-9]+\Z", text):
                    assert IDENTIFIER.match(text), (item.nodeid, text)


def test_the_list_is_whole() -> None:
    """369 requirements and 14 traps, each once, each with level, clause and gist."""
    listed = requirements()
    assert len({entry.id for entry in listed}) == len(listed)
    assert Counter(entry.level for entry in listed) == {"MUST": 316, "SHOULD": 50, "MAY": 3, "TRAP": 14}
    assert all(entry.clause and entry.gist for entry in listed)
    with (ROOT / "docs" / "requirements.csv").open(newline="") as file:
        assert {len(row) for row in csv.reader(file)} == {5}


def test_the_page_lists_every_requirement() -> None:
    """docs/standards.md has a row for each requirement of the list."""
    page = (ROOT / "docs" / "standards.md").read_text()
    assert re.findall(r"^\| ([A-Z]{2,3}-[0-9]+) \|", page, re.MULTILINE) == [entry.id for entry in requirements()]


def test_a_row_says_whether_and_by_what_it_is_tested() -> None:
    """Tested with up to four names, not yet with the reason where one is known; counts by level and group."""
    listed = [
        Requirement("MSG-01", "MUST", "RFC 1 2", "a", ""),
        Requirement("MSG-02", "MUST", "RFC 1 3", "b", "no time"),
        Requirement("MSG-03", "MAY", "RFC 1 4", "c", ""),
        Requirement("PIT-1", "TRAP", "RFC 1 5", "d", ""),
    ]
    page = document(listed, {"MSG-01": [f"x.py::test_{number}" for number in range(6)]})
    named = ", ".join(f"`x.py::test_{number}`" for number in range(4))
    assert f"| MSG-01 | MUST | RFC 1 2 | a | tested | {named}, and 2 more |" in page
    assert "| MSG-02 | MUST | RFC 1 3 | b | not yet: no time |  |" in page
    assert "| MSG-03 | MAY | RFC 1 4 | c | not yet |  |" in page
    assert "| **all** | **1 of 2** |  | **0 of 1** | **1 of 3** |" in page
    assert "Traps that are tests: 0 of 1." in page

"""The published table of rules."""

from pathlib import Path

import pytest

from sipguard.policy.rules import RULES, TABLE, Family, Mode
from sipguard.policy.table import rules_table

SUGGESTED = ("destination.velocity",)  # deterministic, by default figures that are ours
DOCUMENT = Path(__file__).parents[2] / "docs" / "policy.md"


def test_the_document_shows_the_table_in_force():
    """docs/policy.md holds the very table that the program runs on."""
    text = DOCUMENT.read_text(encoding="utf-8")
    published = text.partition("<!-- rules: begin -->\n")[2].partition("<!-- rules: end -->")[0]
    assert published == rules_table(), (
        "replace the table in docs/policy.md by the output of python -m sipguard.policy.table"
    )


def test_every_rule_has_a_row():
    """No rule is missing and none has two rows."""
    table = rules_table()
    assert len(RULES) == len(TABLE)
    for name in RULES:
        assert table.count(f"| `{name}` |") == 1


# Facts whose source may be wrong: numbering plans are older than the newest range, carriers show short codes, a number
# tells its place badly and not what a call to it is about. A name that shows another number never leaves, whether its
# call does or not.
DOUBTFUL = (
    "caller-id.display-number",
    "destination.hours",
    "destination.repeated",
    "network-caller.emergency",
    "network-caller.premium",
    "network-caller.invalid",
    "network-caller.unallocated",
)


@pytest.mark.clause("BLK-01")
def test_only_analytics_answer_603():
    """603 is the analytics family's answer and nobody else's; statistics, doubtful facts and figures of ours report."""
    for rule in TABLE:
        assert (rule.code == 603) == (rule.family is Family.ANALYTICS)
        assert (rule.mode is Mode.REPORT) == (rule.family is Family.ANALYTICS or rule.name in DOUBTFUL + SUGGESTED)

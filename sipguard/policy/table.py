"""The published table of rules as text: ``docs/policy.md`` shows it, and ``python -m sipguard.policy.table`` prints it.

The document and the program cannot drift apart: a test compares the two.
"""

from sipguard.policy.rules import TABLE


def rules_table() -> str:
    """Every rule in the order of the table, as a Markdown table."""
    rows = [f"| `{rule.name}` | {rule.family} | {rule.answer} | {rule.mode} | {rule.meaning} |" for rule in TABLE]
    head = ("| rule | family | answer | default mode | when |", "|---|---|---|---|---|")
    return "\n".join((*head, *rows)) + "\n"


if __name__ == "__main__":
    print(rules_table(), end="")

"""Where a rule does something else than its mode says: exceptions for accounts, trunks and numbers.

The most specific exception counts: one for the calling number, then one for the trunk, then one for the number's end
user, or the nearest account above it, up to the operator. A thing on the allow-list has the exception ``off``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sipguard.policy.rules import Mode


@dataclass(frozen=True, slots=True)
class Scope:
    """The exceptions of one rule, by name; numbers are canonical."""

    numbers: Mapping[str, Mode] = field(default_factory=dict)
    trunks: Mapping[str, Mode] = field(default_factory=dict)
    accounts: Mapping[str, Mode] = field(default_factory=dict)

    def mode(self, number: str | None, trunk: str, path: Iterable[str]) -> Mode | None:
        """The exception for a call, None when there is none. ``path`` is from the top of the tree to its end user."""
        found = self.numbers.get(number) if number is not None else None
        found = found or self.trunks.get(trunk)
        if found is None and self.accounts:
            for name in path:
                found = self.accounts.get(name, found)
        return found

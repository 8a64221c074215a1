"""What a number somebody calls from must not be: an emergency number, a premium number, one that nobody can have.

A country's plan is one pattern over the digits behind its calling code, and the lengths its numbers have. A number is
*invalid* when no plan has room for it, whatever is assigned one day, and *unallocated* when its range is assigned to
nobody as far as the plans know. They may be older than the newest range: ``allocated`` names prefixes that are in use
all the same. Without plans no number is judged by them.

Patterns are compiled when the first number of their country calls. Judging a number costs about a microsecond, a number
that called not long ago a tenth of it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sipguard.policy.emergency_numbers import EVERYWHERE, Overrides, recognised
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.stir.telephone_number import TN, DialPlan

EMERGENCY, PREMIUM, INVALID, UNALLOCATED = "emergency", "premium", "invalid", "unallocated"
FAULTS = {
    EMERGENCY: "is an emergency number",
    PREMIUM: "is a premium number",
    INVALID: "is in no numbering plan",
    UNALLOCATED: "is in a range that is assigned to nobody",
}
_LONGEST_CODE = 3
_REMEMBERED = 65_536  # numbers
_LONGEST_EMERGENCY = 9  # digits, with whatever may be dialled before it


class NumberingPlan(NamedTuple):
    """The numbers behind a calling code: how many digits they may have, and a pattern of those that are assigned."""

    lengths: frozenset[int]
    pattern: str


class CallerNumbers:
    """Judges the numbers of callers. ``plans`` are by calling code, ``allocated`` are prefixes without ``+``."""

    __slots__ = ("_allocated", "_emergency", "_judged", "_patterns", "_plans", "_premium")

    def __init__(
        self,
        plans: Mapping[str, NumberingPlan] | None = None,
        allocated: Iterable[str] = (),
        premium: PremiumNumbers | None = None,
        emergency: Overrides | None = None,
    ) -> None:
        self._plans = plans or {}
        self._allocated = tuple(allocated)
        self._premium = premium or PremiumNumbers()
        self._emergency = emergency or {}
        self._judged: dict[TN, str] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}

    def fault(self, tn: TN, plan: DialPlan) -> str:
        """Which of ``FAULTS`` speaks against a canonical number on a trunk with this dial plan; empty: none does."""
        judged = self._judged.get(tn)
        if judged is not None:
            return judged
        if len(tn) <= _LONGEST_EMERGENCY and (tn in EVERYWHERE or recognised(tn, plan, self._emergency) is not None):
            return EMERGENCY
        if self._premium.prefix_of(tn) is not None:
            fault = PREMIUM
        else:
            fault = self._unassigned(tn) if self._plans else ""
        if len(tn) > _LONGEST_EMERGENCY:  # the same on every trunk
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[tn] = fault
        return fault

    def block_fault(self, prefix: str, length: int, plan: DialPlan) -> str:
        """What speaks against every number of a block; empty when there may be one without fault in it."""
        fault = ""
        for digit in "2345678901":
            fault = self.fault(TN(prefix + digit * (length - len(prefix))), plan)
            if not fault:
                break
        return fault

    def _unassigned(self, tn: TN) -> str:
        for length in range(1, _LONGEST_CODE + 1):
            code = tn[:length]
            plan = self._plans.get(code)
            if plan is None:
                continue
            pattern = self._patterns.get(code)
            if pattern is None:
                pattern = self._patterns[code] = re.compile(plan.pattern)
            if pattern.fullmatch(tn, length) is not None:
                return ""
            if len(tn) - length not in plan.lengths or not tn.isdecimal():
                return INVALID
            return "" if self._allocated and tn.startswith(self._allocated) else UNALLOCATED
        return INVALID

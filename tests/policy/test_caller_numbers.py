"""Which numbers nobody calls from, and why."""

import pytest

from sipguard.policy.caller_numbers import FAULTS, CallerNumbers, NumberingPlan
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.rules import RULES
from tests.policy.kit import AMERICA, BRITAIN, GERMANY

PLANS = {
    "1": NumberingPlan(frozenset((10,)), "(?:415|212)[2-9][0-9]{6}"),
    "39": NumberingPlan(frozenset((9, 10)), "06[0-9]{7,8}"),
}
CALLERS = CallerNumbers(PLANS, ("1942",), PremiumNumbers(("1976",)), {"US": ("211",)})


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("14155550100", ""),
        ("390612345678", ""),
        ("911", "emergency"), ("112", "emergency"), ("1911", "emergency"), ("9911", "emergency"), ("211", "emergency"),
        ("19005550100", "premium"), ("19765550100", "premium"), ("881612345678", "premium"),
        ("1415555010", "invalid"), ("141555501000", "invalid"), ("42", "invalid"), ("100", "invalid"),
        ("*67", "invalid"), ("9995550100123", "invalid"), ("", "invalid"), ("1", "invalid"), ("39", "invalid"),
        ("19995550100", "unallocated"), ("14151550100", "unallocated"), ("39123456789", "unallocated"),
        ("19425550100", ""),
    ],
)  # fmt: skip
def test_what_speaks_against_a_number(number: str, fault: str) -> None:
    """Emergency numbers however they are written, premium ones, what no plan has room for, what nobody was assigned."""
    assert CALLERS.fault(number, AMERICA) == fault


@pytest.mark.parametrize(("plan", "fault"), [(GERMANY, "emergency"), (AMERICA, "invalid"), (BRITAIN, "invalid")])
def test_an_emergency_number_is_one_of_the_trunks_country(plan, fault) -> None:
    """110 is one in Germany; elsewhere it is only no number."""
    assert CALLERS.fault("110", plan) == fault


def test_a_prefix_in_use_makes_no_number_longer() -> None:
    """A range that is declared to be assigned keeps the lengths of its country."""
    assert CALLERS.fault("1942555010", AMERICA) == "invalid"


def test_without_plans_no_range_is_judged() -> None:
    """Emergency and premium numbers are known all the same."""
    callers = CallerNumbers()
    assert [callers.fault(number, AMERICA) for number in ("19995550100", "42", "911", "19005550100")] == [
        "", "", "emergency", "premium",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prefix", "length", "fault"),
    [
        ("1415555", 11, ""),
        ("1415", 11, ""),
        ("1999", 11, "unallocated"),
        ("1900", 11, "premium"),
        ("1415555", 10, "invalid"),
    ],
)
def test_a_block_is_as_good_as_the_best_of_its_numbers(prefix: str, length: int, fault: str) -> None:
    """A whole area code holds exchanges that are nobody's; it may be owned all the same."""
    assert CALLERS.block_fault(prefix, length, AMERICA) == fault


def test_what_was_judged_is_forgotten_in_time() -> None:
    """However many numbers call, the memory of what was said of them is bounded; what is said stays the same."""
    callers = CallerNumbers(PLANS)
    for number in range(70_000):
        assert callers.fault(f"1415555{number:05d}"[:11], AMERICA) == ""
        callers.fault(f"1212{number + 2_000_000}", AMERICA)
    assert len(callers._judged) <= 65_536
    assert callers.fault("14155550100", AMERICA) == callers.fault("14155550100", AMERICA) == ""


def test_every_fault_is_a_rule_on_both_sides() -> None:
    """What can be found can be switched, for customers and for the network."""
    for fault in FAULTS:
        assert {f"caller-id.{fault}", f"network-caller.{fault}"} <= RULES.keys()

"""The caller-number stage: numbers that no right makes good."""

from dataclasses import replace

import pytest

from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.finding import CallerIdentity, Emergency, Forwarded, Refusal
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.right import RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.caller_number import examine
from tests.policy.kit import CUSTOMER, OWNED, call_of, view_of
from tests.policy.test_caller_numbers import PLANS

CALLERS = CallerNumbers(PLANS)
PREMIUM, UNALLOCATED = "19005550100", "19995550100"


def policy(**modes):
    """A policy with plans, and modes by fault."""
    return PolicySettings(caller_numbers=CALLERS, modes={f"caller-id.{fault}": mode for fault, mode in modes.items()})


def identity(effective=OWNED, from_tn=OWNED, asserted=(), replaced=None):
    """Who the caller may be; the registry says it owns the number."""
    return CallerIdentity(effective, from_tn, asserted, RightKind.OWNED, replaced=replaced)


def examined(who, emergency=None, settings=None):
    """What the stage says."""
    call = call_of()
    call.identity, call.emergency = who, emergency
    return examine(call, view_of(policy=settings or policy()))


def rule_of(finding):
    """The rule of a refusal."""
    return finding.rule if isinstance(finding, Refusal) else None


@pytest.mark.clause("policy: caller identity")
@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (OWNED, None), ("911", "caller-id.emergency"), (PREMIUM, "caller-id.premium"),
        ("1415555", "caller-id.invalid"), (UNALLOCATED, "caller-id.unallocated"),
    ],
)  # fmt: skip
def test_a_right_does_not_make_a_number_good(number, rule):
    """The registry gives the account the number, and it is refused for what it is."""
    finding = examined(identity(number, number))
    assert rule_of(finding) == rule
    if rule is not None:
        assert number in finding.detail


@pytest.mark.parametrize(
    "who",
    [identity(from_tn=PREMIUM), identity(asserted=(OWNED, PREMIUM)), identity(PREMIUM, None, (PREMIUM,))],
)
def test_every_number_presented_is_judged(who):
    """In From and in the asserted fields, whichever counts."""
    assert rule_of(examined(who)) == "caller-id.premium"


def test_after_a_replacement_only_the_replacement_counts():
    """What does not leave is not held against the call."""
    assert examined(identity(from_tn="911", asserted=(PREMIUM,), replaced=OWNED)) is None


def test_a_fault_that_is_refused_comes_before_one_that_is_reported():
    """A number that only reports does not hide a worse one behind it."""
    who = identity(from_tn=UNALLOCATED, asserted=(PREMIUM,), effective=UNALLOCATED)
    assert rule_of(examined(who)) == "caller-id.unallocated"
    assert rule_of(examined(who, settings=policy(unallocated=Mode.REPORT))) == "caller-id.premium"
    both = policy(unallocated=Mode.REPORT, premium=Mode.REPORT)
    assert rule_of(examined(who, settings=both)) == "caller-id.unallocated"


def test_without_an_identity_from_is_judged():
    """Where the rule for a missing identity only reports, From leaves as it is."""
    assert examined(None) is None
    call = call_of()
    call._from_tn = PREMIUM
    assert rule_of(examine(call, view_of(policy=policy()))) == "caller-id.premium"


@pytest.mark.parametrize(
    ("number", "forwarded", "rule"),
    [
        (UNALLOCATED, Forwarded(OWNED, Forwarding.TRUST), "network-caller.unallocated"),
        (UNALLOCATED, Forwarded(OWNED, Forwarding.PASSPORT, received=("claims",)), None),
        (PREMIUM, Forwarded(OWNED, Forwarding.PASSPORT, received=("claims",)), "network-caller.premium"),
    ],
)
def test_the_caller_of_a_forwarded_call_is_somebody_else(number, forwarded, rule):
    """The rules for callers from the network hold, and a good signature knows a range better than a plan."""
    assert rule_of(examined(replace(identity(number, number), forwarded=forwarded))) == rule


def test_a_gateway_brings_callers_of_others():
    """Its callers are judged like those from the network."""
    call = call_of(trunk=replace(CUSTOMER, gateway=True))
    call.identity = identity(PREMIUM, PREMIUM)
    assert rule_of(examine(call, view_of(policy=policy()))) == "network-caller.premium"


@pytest.mark.clause("EMG-04")
def test_an_emergency_call_is_not_asked():
    """Whoever calls for help may show whatever there is."""
    assert examined(identity("911", "911"), Emergency("911", None)) is None

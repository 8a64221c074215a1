"""The network-caller stage: what calls from the network show as their caller."""

from dataclasses import replace

import pytest

from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.finding import Callback, Refusal, Verified
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.network_caller import examine
from sipguard.stir.verdict import Reason
from tests.policy.kit import CONVERSATIONAL, LISTED, OWNED, call_of, failed, invite, passed, view_of
from tests.policy.test_caller_numbers import PLANS

UNALLOCATED = "19995550100"
STRANGER = replace(CONVERSATIONAL, trusted=False)


def policy(**modes):
    """A policy with plans, and modes by fault."""
    modes = {f"network-caller.{fault}": mode for fault, mode in modes.items()}
    return PolicySettings(caller_numbers=CallerNumbers(PLANS), modes=modes)


def call_from(user, *headers, trunk=STRANGER, verdict=None, uri=f"sip:+{OWNED}@p"):
    """A call from the network with this user part in From."""
    call = call_of(invite(uri, f"<sip:{user}@carrier>", None, *headers), trunk, None)
    if verdict is not None:
        call.verified = Verified(verdict, call.from_tn, (call.from_tn,))
    return call


def rule_of(call, settings=None):
    """The rule that matches."""
    finding = examine(call, view_of(policy=settings or policy()))
    assert finding is None or isinstance(finding, Refusal)
    return None if finding is None else finding.rule


@pytest.mark.clause("policy: caller identity", "BLK-07")
@pytest.mark.parametrize(
    ("user", "rule"),
    [
        ("+14155550199", None), ("alice", None), ("anonymous", None),
        (f"+{LISTED}", "network-caller.do-not-originate"),
        ("911", "network-caller.emergency"), ("+1911", "network-caller.emergency"),
        ("+19005550100", "network-caller.premium"),
        ("+1415555", "network-caller.invalid"), ("72345", "network-caller.invalid"),
        ("+1415555O100", "network-caller.invalid"),
        ("+19995550100", "network-caller.do-not-originate"),  # 1999XXXXXXX is listed
        ("+14151550100", "network-caller.unallocated"),
    ],
)  # fmt: skip
def test_numbers_no_call_comes_from(user, rule):
    """Listed, emergency, premium, in no plan, assigned to nobody; names and ordinary numbers pass."""
    assert rule_of(call_from(user)) == rule


def test_asserted_numbers_count_where_they_are_believed():
    """A stranger's P-Asserted-Identity is shown to nobody, so nobody is refused for it."""
    row = f"P-Asserted-Identity: <sip:+{LISTED}@carrier>"
    assert rule_of(call_from("+14155550199", row, trunk=CONVERSATIONAL)) == "network-caller.do-not-originate"
    assert rule_of(call_from("+14155550199", row)) is None


def test_from_counts_beside_a_believed_asserted_number():
    """What the customer is shown beside it is looked at too."""
    row = "P-Asserted-Identity: <sip:+14155550199@carrier>"
    assert rule_of(call_from("+19005550100", row, trunk=CONVERSATIONAL)) == "network-caller.premium"


def test_a_rule_that_blocks_comes_before_one_that_reports():
    """A premium number in From does not hide the listed one that is asserted."""
    row = f"P-Asserted-Identity: <sip:+{LISTED}@carrier>"
    call = call_from("+19005550100", row, trunk=CONVERSATIONAL)
    assert rule_of(call) == "network-caller.do-not-originate"
    assert (
        rule_of(call_from("+19005550100", trunk=CONVERSATIONAL), policy(premium=Mode.BLOCK)) == "network-caller.premium"
    )


@pytest.mark.parametrize(
    ("verdict", "rule"), [(passed(), None), (failed(Reason.SIGNATURE), "network-caller.unallocated")]
)
def test_a_good_signature_is_a_better_witness_than_a_plan(verdict, rule):
    """Who signed for the number has it, though the plan is too old to know."""
    assert rule_of(call_from("+14151550100", verdict=verdict)) == rule


def test_a_signature_does_not_take_a_number_off_a_list():
    """What its owner says never calls does not, signed or not."""
    assert rule_of(call_from(f"+{LISTED}", verdict=passed())) == "network-caller.do-not-originate"


@pytest.mark.clause("EMG-10")
def test_a_call_back_from_a_centre_is_not_asked():
    """It may come from 911 itself."""
    call = call_from("911")
    call.callback = Callback("expected")
    assert rule_of(call) is None


@pytest.mark.clause("EMG-04")
def test_a_call_to_an_emergency_number_is_not_refused():
    """Whatever it shows."""
    assert rule_of(call_from(f"+{LISTED}", uri="sip:911@p")) is None


def test_a_number_is_looked_at_without_a_verdict_too():
    """A message is not verified unless it is signed."""
    row = f"P-Asserted-Identity: <sip:+{LISTED}@carrier>"
    request = invite(f"sip:+{OWNED}@p", "<sip:+14155550199@carrier>", None, row, method="MESSAGE")
    assert rule_of(call_of(request, CONVERSATIONAL, None)) == "network-caller.do-not-originate"

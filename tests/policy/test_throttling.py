"""What a throttle lets on, by itself."""

import pytest

from sipguard.policy.finding import Refusal
from sipguard.policy.settings import PolicySettings
from sipguard.policy.throttling import spend, throttle
from sipguard.traffic.limit import CallLimit
from tests.policy.kit import CONVERSATIONAL, OWNED, call_of, invite, view_of

RULE = "stir.signature"
ONE = CallLimit(rate=0.001, burst=1, concurrent=1)
TO_HELP, TO_US = "sip:911@proxy.example", f"sip:+{OWNED}@proxy.example"


def arriving(uri=TO_US, method="INVITE"):
    """A call from the network."""
    return call_of(invite(uri, method=method), trunk=CONVERSATIONAL, account=None)


@pytest.fixture
def view():
    """A view under which one call of the rule goes on."""
    return view_of(policy=PolicySettings(throttles={RULE: ONE}))


def refusal_of(call, view):
    """What the throttle says of a call that the rule matched; one that goes on spends its turn."""
    refused = throttle(Refusal(RULE, "not the signature of the certificate"), call, view)
    if refused is None:
        spend(call, view)
    return refused


def test_the_refusal_says_both_reasons(view):
    """The rule's, and that there are too many of its kind of this trunk."""
    assert refusal_of(arriving(), view) is None
    refused = refusal_of(arriving(), view)
    assert refused == Refusal(
        RULE, "not the signature of the certificate; more than 1 such calls at a time of trunk carrier"
    )


def test_a_rule_that_matches_twice_charges_once(view):
    """A call is not in its own way."""
    call = arriving()
    assert refusal_of(call, view) is None
    assert refusal_of(call, view) is None
    assert len(call.throttled) == 1


def test_a_message_has_a_rate_and_no_place(view):
    """Only INVITEs are up."""
    assert refusal_of(arriving(method="MESSAGE"), view) is None
    assert view.usage._counts == {}
    refused = refusal_of(arriving(method="MESSAGE"), view)
    assert refused is not None
    assert "more than 0.001 such calls a second" in refused.detail


@pytest.mark.clause("EMG-04")
def test_a_call_for_help_is_never_refused_and_takes_nothing(view):
    """Neither when others are too many, nor from them afterwards."""
    assert refusal_of(arriving(TO_HELP), view) is None
    assert view.usage._counts == {}
    assert refusal_of(arriving(), view) is None
    before = dict(view.usage._counts)
    assert refusal_of(arriving(TO_HELP), view) is None
    assert view.usage._counts == before

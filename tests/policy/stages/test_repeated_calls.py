"""The stage that counts calls to the same number."""

from dataclasses import replace

import pytest

from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.repeated_calls import RepeatedCalls
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.repeated_calls import examine
from tests.policy.kit import ACME, CUSTOMER, call_of, invite, view_of

SELLER = replace(ACME, do_not_call=DoNotCall.NATIONAL)
RULE = RepeatedCalls(calls=2, window=3600.0)
NUMBER = "14155550150"


def call(uri=f"sip:+{NUMBER}@p", account=SELLER, method="INVITE"):
    """A call of an account that sells."""
    return call_of(invite(uri, method=method), CUSTOMER, account)


def called(times, rule=RULE):
    """A view in which acme called the number so many times."""
    view = view_of(policy=PolicySettings(repeated=rule))
    for _ in range(times):
        view.usage.repeats.count(("acme", NUMBER), rule.calls, rule.window, 0.0)
    return view


@pytest.mark.clause("policy: destinations")
def test_enough_is_enough():
    """The call after the last that is let go is refused; another number is another matter, an hour later too."""
    assert examine(call(), called(1)) is None
    finding = examine(call(), called(2))
    assert isinstance(finding, Refusal)
    assert (finding.rule, finding.detail) == (
        "destination.repeated", f"account acme called +{NUMBER} 2 times in 1 hours",
    )  # fmt: skip
    assert examine(call("sip:+14155550151@p"), called(2)) is None
    later = call()
    later.arrived = 3600.0
    assert examine(later, called(2)) is None


def test_every_spelling_is_the_same_number():
    """A national number and one with escapes count together."""
    for uri in (f"sip:{NUMBER[1:]}@p", f"tel:+{NUMBER}", f"sip:%2B{NUMBER}@p;user=phone"):
        assert RULE.pair_of(call(uri)) == ("acme", NUMBER)


@pytest.mark.clause("policy: destinations")
def test_what_does_not_count():
    """Calls of accounts that do not sell (unless all are counted), other requests, short codes, calls for help."""
    assert RULE.pair_of(call(account=ACME)) is None
    assert replace(RULE, everybody=True).pair_of(call(account=ACME)) == ("acme", NUMBER)
    assert RULE.pair_of(call(account=None)) is None
    assert RULE.pair_of(call(method="MESSAGE")) is None
    assert RULE.pair_of(call("sip:611@p")) is None
    help_ = call()
    help_.emergency = Emergency("911", None)
    assert RULE.pair_of(help_) is None
    assert examine(help_, called(2)) is None

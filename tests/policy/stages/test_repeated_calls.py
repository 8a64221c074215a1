"""The stage that counts calls to the same number."""

from dataclasses import replace

import pytest

from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.callee import repeat_of
from sipguard.policy.finding import CallerIdentity, Emergency, Refusal
from sipguard.policy.repeated_calls import RepeatedCalls
from sipguard.policy.right import RightKind
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.repeated_calls import examine
from tests.policy.kit import ACME, CUSTOMER, OWNED, call_of, invite, view_of

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
        assert repeat_of(call(uri), called(0)) == ("acme", NUMBER)


@pytest.mark.clause("policy: destinations")
def test_what_does_not_count():
    """Calls of accounts that do not sell (unless all are counted), other requests, short codes, calls for help."""
    view = called(2)
    assert repeat_of(call(account=ACME), view) is None
    assert repeat_of(call(account=ACME), called(0, replace(RULE, everybody=True))) == ("acme", NUMBER)
    for other in (call(account=None), call(method="MESSAGE"), call("sip:611@p")):
        assert repeat_of(other, view) is None
    help_ = call()
    help_.emergency = Emergency("911", None)
    assert repeat_of(help_, view) is None
    assert examine(help_, view) is None


@pytest.mark.clause("policy: destinations")
def test_an_end_user_counts_for_itself():
    """A call that shows an end user's number is the end user's, over the account's trunk too, if that sells."""
    view = called(2)
    view.directory.accounts["acme/sales"] = replace(SELLER, name="acme/sales", path=(*ACME.path, "acme/sales"))
    theirs = call(account=ACME)
    theirs.identity = CallerIdentity(OWNED, OWNED, (), RightKind.OWNED, end_user="acme/sales")
    assert repeat_of(theirs, view) == ("acme/sales", NUMBER)
    theirs.identity = replace(theirs.identity, end_user=None)
    assert repeat_of(theirs, view) is None

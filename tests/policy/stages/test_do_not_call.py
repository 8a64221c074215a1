"""The do-not-call stage."""

from dataclasses import replace

import pytest

from sipguard.policy.account import Account
from sipguard.policy.call_lists import EVERYBODY, DoNotCall, listings_of
from sipguard.policy.finding import CallerIdentity, Emergency, Refusal
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import RightKind
from sipguard.policy.stages.do_not_call import examine
from tests.policy.kit import ACME, CUSTOMER, OWNED, call_of, directory, invite, view_of

SELLER = replace(ACME, do_not_call=DoNotCall.NATIONAL)
LEFT_ALONE, OPTED_OUT, OTHERS, SHORT = "14155550150", "14155550151", "14155550152", "611"
CALLED = {
    LEFT_ALONE: listings_of([(EVERYBODY, "national", "ftc", None)]),
    OPTED_OUT: listings_of([("acme", "opt-out", "", None)]),
    OTHERS: listings_of([("other", "opt-out", "", None)]),
    "1415556XXXX": listings_of([("reseller", "opt-out", "letter", None)]),
    SHORT: listings_of([(EVERYBODY, "national", "", None)]),
}


def view():
    """A view of a registry with do-not-call lists."""
    known = directory()
    known.numbers = NumberBook.of(called=CALLED)
    return view_of(directory=known)


def said(number, account=ACME, seen=None):
    """What is said of a call to a number."""
    finding = examine(call_of(invite(f"sip:{number}@p"), CUSTOMER, account), seen or view())
    assert finding is None or isinstance(finding, Refusal)
    return None if finding is None else (finding.rule, finding.detail)


@pytest.mark.clause("policy: destinations")
def test_who_opted_out_is_called_by_others_only():
    """An opt-out from this account, or from one above it, refuses; one from another account does not."""
    rule = "destination.do-not-call"
    assert said(f"+{OPTED_OUT}") == (rule, f"+{OPTED_OUT} opted out of calls from account acme")
    assert said("4155561234") == (rule, "+14155561234 opted out of calls from account reseller (letter)")
    assert said(f"+{OTHERS}") is None
    assert said("+14155550199") is None


@pytest.mark.clause("policy: destinations")
def test_the_national_list_is_for_those_who_sell():
    """It is held against accounts of the scope national; opt-outs against all but those of the scope off."""
    assert said(f"+{LEFT_ALONE}") is None
    assert said(f"+{LEFT_ALONE}", SELLER) == (
        "destination.do-not-call", f"+{LEFT_ALONE} is on the national do-not-call list (ftc)",
    )  # fmt: skip
    assert said(f"+{OPTED_OUT}", SELLER) is not None
    assert said(f"+{OPTED_OUT}", replace(ACME, do_not_call=DoNotCall.OFF)) is None


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("scope", "number", "refused"),
    [
        (DoNotCall.INTERNAL, OTHERS, True),  # its own list
        (DoNotCall.INTERNAL, OPTED_OUT, True),  # that of the account above it
        (DoNotCall.INTERNAL, LEFT_ALONE, False),
        (DoNotCall.NATIONAL, LEFT_ALONE, True),
        (DoNotCall.OFF, OTHERS, False),
    ],
)
def test_an_end_user_is_known_by_its_number(scope, number, refused):
    """Over the account's trunk too, the lists of the end user whose number calls count, as its own scope says."""
    seen = view()
    seen.directory.accounts["other"] = Account("other", path=("other",), do_not_call=scope)
    call = call_of(invite(f"sip:+{number}@p"), CUSTOMER, ACME)
    call.identity = CallerIdentity(OWNED, OWNED, (), RightKind.OWNED, end_user="other")
    assert (examine(call, seen) is not None) is refused


@pytest.mark.parametrize("uri", [SHORT, "alice", "%zz"])
def test_what_is_no_telephone_is_on_no_list(uri):
    """A service code, a name and what cannot be read are not looked up."""
    assert said(uri, SELLER) is None


@pytest.mark.clause("policy: destinations", "EMG-04")
def test_a_call_for_help_is_not_asked():
    """An emergency call passes, whatever number it goes to."""
    call = call_of(invite(f"sip:+{LEFT_ALONE}@p"), CUSTOMER, SELLER)
    call.emergency = Emergency(LEFT_ALONE, None)
    assert examine(call, view()) is None


def test_without_lists_nothing_is_looked_up(monkeypatch):
    """A registry that has no such list is not asked, and neither is one for a trunk without an account."""
    with_lists = view()
    monkeypatch.setattr(NumberBook, "called", None)  # would fail if it were
    assert said(f"+{LEFT_ALONE}", SELLER, view_of()) is None
    assert said(f"+{LEFT_ALONE}", None, with_lists) is None

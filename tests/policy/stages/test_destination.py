"""The destination stage."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.destination import examine
from tests.policy.kit import ACME, CUSTOMER, FRANCE, call_of, invite, view_of


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+14155550150@p",
        "tel:+14155550150",
        "sip:4155550150@p",
        "sip:%2B14165550100@p;user=phone",
        "sip:611@p",
        "sip:*67@p",
        "sip:988@p",
    ],
)
def test_a_number_passes(uri):
    """Global and national numbers, short codes, service codes and the crisis line can be dialled."""
    assert examine(call_of(invite(uri)), view_of()) is None


@pytest.mark.clause("RFC 3261 21.4.22")
@pytest.mark.parametrize(
    "uri",
    [
        "sip:alice@p", "sip:p", "sip:1@p", "sip:12@p", "sip:+1415555O150@p", "sip:1234567890123456@p",
        "sip:+1234567890123456@p", "tel:4155550150", "mailto:a@p", "urn:service:sos", "sip:%zz@p",
        "sip:%EF%BC%91%EF%BC%92%EF%BC%93@p", "sip:+0123456@p", "sip:**19005551212@p", "sip:*9005551212@p",
        "sip:900*5551212@p", "sip:%23%2319005551212@p", "sip:0%239005551212@p",
    ],
)  # fmt: skip
def test_rubbish_is_an_incomplete_address(uri):
    """A name, too few or too many digits, look-alikes, numbers among marks and what cannot be read: 484."""
    finding = examine(call_of(invite(uri)), view_of(policy=PolicySettings(countries=("*",))))
    assert isinstance(finding, Refusal)
    assert finding.rule == "destination.invalid"


@pytest.mark.clause("EMG-02", "EMG-04")
@pytest.mark.parametrize("uri", ["urn:service:sos", "sip:15@p", "sip:911@p"])
def test_an_emergency_call_is_not_asked(uri):
    """A service URN or a two-digit emergency number is no wrong destination."""
    call = call_of(invite(uri))
    call.emergency = Emergency(uri, None)
    assert examine(call, view_of()) is None


@pytest.mark.clause("policy: evading filters", "policy: destinations")
@pytest.mark.parametrize("user", ["*6719005551212", "*679005551212", "%2331%2319005551212", "*67*9005551212%23"])
@pytest.mark.parametrize("countries", [(), ("*",)])
def test_a_service_code_hides_no_destination(user, countries):
    """A premium number is one behind it too, and a number at home may be called."""
    view = view_of(policy=PolicySettings(countries=countries))
    assert examine(call_of(invite(f"sip:{user}@p")), view).rule == "destination.premium"
    assert examine(call_of(invite(f"sip:{user.replace('900', '415')}@p")), view) is None


def rule_for(number, *, trunk=CUSTOMER, account=ACME, **policy):
    """The rule that refuses a call to a number, if any does."""
    finding = examine(call_of(invite(f"sip:+{number}@p"), trunk, account), view_of(policy=PolicySettings(**policy)))
    return None if finding is None else finding.rule


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("12125550123", None), ("14165550100", None), ("17875550100", None), ("18005550100", None),
        ("18765550100", "destination.country"), ("442079460000", "destination.country"),
        ("21620123456", "destination.country"), ("999123456789", "destination.country"),
    ],
)  # fmt: skip
def test_at_first_an_account_calls_its_own_country_only(number, rule):
    """North America without the islands from a trunk in the United States; nothing beyond."""
    assert rule_for(number) == rule


def test_countries_are_the_accounts_or_else_the_policys():
    """What the account names counts alone; a star is everywhere; the policy speaks for accounts that name nothing."""
    britons = replace(ACME, countries=("GB",))
    assert rule_for("442079460000", account=britons) is None
    assert rule_for("12125550123", account=britons) == "destination.country"
    assert rule_for("442079460000", account=replace(ACME, countries=("*",))) is None
    assert rule_for("442079460000", countries=("GB", "FR")) is None
    assert rule_for("12125550123", countries=("GB", "FR")) == "destination.country"
    assert rule_for("12125550123", account=britons, countries=("US",)) == "destination.country"


def test_the_trunk_says_what_is_home():
    """A trunk in France calls France."""
    trunk = replace(CUSTOMER, dial_plan=FRANCE)
    assert rule_for("33140000000", trunk=trunk) is None
    assert rule_for("12125550123", trunk=trunk) == "destination.country"


@pytest.mark.parametrize("number", ["19005550100", "449098790000", "881612345678", "97912345678", "18005550100"])
def test_premium_numbers_are_blocked_wherever_an_account_may_call(number):
    """Premium ranges of a country, satellites and international premium numbers; a free number is none."""
    rule = rule_for(number, countries=("*",))
    assert rule == (None if number.startswith("1800") else "destination.premium")


def test_an_operator_adds_premium_ranges():
    """A prefix of one's own counts like those of the table."""
    assert rule_for("19765550100", premium=PremiumNumbers(["1976"])) == "destination.premium"
    assert rule_for("19775550100", premium=PremiumNumbers(["1976"])) is None


def test_an_emergency_call_has_no_destination_to_ask_about():
    """No country and no premium range stops an emergency call."""
    call = call_of(invite("sip:+19005550911@p"))
    call.emergency = Emergency("911", None)
    assert examine(call, view_of()) is None

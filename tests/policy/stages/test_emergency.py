"""The emergency stage."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.right import EmergencyRegistration
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.emergency import examine
from sipguard.policy.trunk import TrafficClass
from sipguard.policy.unprovisioned import Unprovisioned
from tests.policy.kit import (
    ACME,
    CONVERSATIONAL,
    CUSTOMER,
    DELEGATED,
    GERMANY,
    NOW,
    OWNED,
    PARENTS,
    VERIFIED,
    call_of,
    directory,
    invite,
    view_of,
)


def emergency_call(caller=OWNED, *headers, uri="sip:911@proxy.example", **parts):
    """A 911 call from a number."""
    return call_of(invite(uri, f"<sip:+{caller}@pbx.example>", None, *headers), **parts)


@pytest.mark.clause("EMG-03", "EMG-04")
@pytest.mark.parametrize("uri", ["sip:911@p", "sip:9911@p", "tel:911", "urn:service:sos", "sip:933@p"])
def test_a_provisioned_caller_gets_its_registration(uri):
    """An emergency call, or a 933 test call, from a registered and paid number has its registration."""
    finding = examine(emergency_call(uri=uri), view_of())
    assert isinstance(finding, Emergency)
    assert finding.registration is not None
    assert finding.registration.tn == OWNED


@pytest.mark.clause("EMG-03")
def test_an_unprovisioned_caller_is_refused_with_an_alert():
    """A number without a registration is refused, and the operator hears about it."""
    finding = examine(emergency_call(DELEGATED), view_of())
    detail = f"+{DELEGATED} is not provisioned for emergency calls to 911"
    assert finding == Refusal("emergency.unprovisioned", detail, alert=True, emergency="911")


@pytest.mark.parametrize(
    "changes", [
        {"status": "pending"}, {"status": "failed"}, {"paid": False}, {"country": "CA"}, {"account": "other"},
        {"activated_at": NOW + 1},
    ],
)  # fmt: skip
def test_a_registration_counts_only_when_complete(changes):
    """A pending, failed or unpaid registration, one in another country or of another account provisions nothing."""
    registration = replace(EmergencyRegistration(OWNED, "acme", "US", "registered", paid=True), **changes)
    finding = examine(emergency_call(), view_of(directory=directory(emergency=(registration,))))
    assert isinstance(finding, Refusal)


def test_a_registration_counts_from_its_activation_on():
    """From the second of its activation on a registration serves, and its call-back number is where help calls back."""
    registration = EmergencyRegistration(
        OWNED, "acme", "US", "registered", paid=True, callback=DELEGATED, activated_at=NOW
    )
    finding = examine(emergency_call(), view_of(directory=directory(emergency=(registration,))))
    assert finding == Emergency("911", registration, callback=DELEGATED)


def test_a_registration_of_the_account_above_counts():
    """A number that the reseller registered serves its customer."""
    registration = EmergencyRegistration(PARENTS, "reseller", "US", "registered", paid=True)
    finding = examine(emergency_call(PARENTS), view_of(directory=directory(emergency=(registration,))))
    assert isinstance(finding, Emergency)


@pytest.mark.clause("EMG-12")
@pytest.mark.parametrize(
    "header",
    [f"P-Asserted-Identity: <sip:+{OWNED}@pbx.example>", f"P-Asserted-Identity: <tel:+{OWNED}>, <sip:+{OWNED}@x>"],
)
def test_the_asserted_number_is_the_caller(header):
    """The asserted number is looked up first, so an anonymous caller with a registered one gets through."""
    request = invite("sip:911@p", "Anonymous <sip:anonymous@anonymous.invalid>", None, header)
    finding = examine(call_of(request), view_of())
    assert isinstance(finding, Emergency)
    assert finding.registration is not None


@pytest.mark.clause("EMG-14")
def test_from_serves_when_the_asserted_number_does_not():
    """An unregistered or unreadable P-Asserted-Identity does not hide a registered From."""
    for header in (f"P-Asserted-Identity: <sip:+{VERIFIED}@x>", "P-Asserted-Identity: <<garbage"):
        assert isinstance(examine(emergency_call(OWNED, header), view_of()), Emergency)


@pytest.mark.parametrize("from_", ["<sip:alice@pbx.example>", "<sip:%zz@pbx.example>"])
@pytest.mark.parametrize("header", ["Subject: help", "P-Asserted-Identity: <sip:alice@x>"])
def test_a_caller_without_any_number_is_unprovisioned(from_, header):
    """Without a number nobody can be called back or located."""
    request = invite("sip:911@p", from_, None, header)
    finding = examine(call_of(request), view_of())
    assert isinstance(finding, Refusal)
    assert "a caller without a number" in finding.detail


@pytest.mark.clause("47 CFR 9.11")
def test_route_lets_an_unprovisioned_call_go():
    """Where the policy or the account says so, an unprovisioned emergency call goes on, without a registration."""
    routed = Emergency("911", None, Unprovisioned.ROUTE, DELEGATED, assigned=True)
    policy = PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE)
    assert examine(emergency_call(DELEGATED), view_of(policy=policy)) == routed
    account = replace(ACME, emergency_unprovisioned=Unprovisioned.ROUTE)
    assert examine(emergency_call(DELEGATED, account=account), view_of()) == routed


def test_the_accounts_choice_beats_the_policys():
    """An account set to reject is refused although the policy routes."""
    account = replace(ACME, emergency_unprovisioned=Unprovisioned.REJECT)
    policy = PolicySettings(
        emergency_unprovisioned=Unprovisioned.ROUTE,
        emergency_unprovisioned_by_country={"US": Unprovisioned.ROUTE_TO_ECRC},
    )
    assert isinstance(examine(emergency_call(DELEGATED, account=account), view_of(policy=policy)), Refusal)


def test_the_countrys_choice_beats_the_policys():
    """The choice for the country whose number was dialled counts before the one for all, and for no other country."""
    policy = PolicySettings(emergency_unprovisioned_by_country={"US": Unprovisioned.ROUTE_TO_ECRC})
    finding = examine(emergency_call(DELEGATED), view_of(policy=policy))
    assert finding == Emergency("911", None, Unprovisioned.ROUTE_TO_ECRC, DELEGATED, assigned=True)
    german = emergency_call(DELEGATED, uri="sip:112@p", trunk=replace(CUSTOMER, dial_plan=GERMANY))
    assert isinstance(examine(german, view_of(policy=policy)), Refusal)


def test_an_announcement_needs_a_trunk():
    """Announce goes to a trunk of that class; without one the call is refused, and hears so."""
    policy = PolicySettings(emergency_unprovisioned=Unprovisioned.ANNOUNCE)
    assert isinstance(examine(emergency_call(DELEGATED), view_of(policy=policy)), Refusal)
    recording = replace(CONVERSATIONAL, name="recording", classes=frozenset((TrafficClass.ANNOUNCEMENT,)))
    view = view_of(policy=policy, directory=directory(trunks=(CUSTOMER, recording)))
    assert examine(emergency_call(DELEGATED), view) == Emergency(
        "911", None, Unprovisioned.ANNOUNCE, DELEGATED, assigned=True
    )


def test_a_test_call_troubles_no_call_centre():
    """933 from a number with nothing registered is refused where 911 would reach a relay centre."""
    policy = PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE_TO_ECRC)
    assert isinstance(examine(emergency_call(DELEGATED, uri="sip:933@p"), view_of(policy=policy)), Refusal)


def test_933_is_a_test():
    """A call to 933 is an emergency call that nobody is in need behind."""
    tested, called = (examine(emergency_call(uri=uri), view_of()) for uri in ("sip:+1933@p", "sip:911@p"))
    assert (tested.test, called.test) == (True, False)
    assert tested.trail() == ("emergency-test", "933", "registered")


def test_a_rule_that_does_not_block_still_makes_it_an_emergency():
    """With the rule in report the call is routed as an emergency, never as an ordinary call."""
    policy = PolicySettings(modes={"emergency.unprovisioned": Mode.REPORT})
    finding = examine(emergency_call(DELEGATED), view_of(policy=policy))
    assert finding == Emergency("911", None, Unprovisioned.ROUTE, DELEGATED, assigned=True)


def test_the_country_is_the_trunks():
    """112 on a trunk with a German dial plan needs a registration in Germany."""
    trunk = replace(CUSTOMER, dial_plan=GERMANY)
    registration = EmergencyRegistration("4930123456", "acme", "DE", "registered", paid=True)
    request = invite("sip:112@p", "<sip:030123456@pbx.example>")
    finding = examine(call_of(request, trunk=trunk), view_of(directory=directory(emergency=(registration,))))
    assert finding == Emergency("112", registration, callback=registration.tn)


@pytest.mark.clause("EMG-03")
def test_the_callers_home_country_counts_too():
    """A German number behind an American trunk reaches 110; who is not registered in Germany does not."""
    registration = EmergencyRegistration(OWNED, "acme", "DE", "registered", paid=True)
    view = view_of(directory=directory(emergency=(registration,)))
    for uri in ("sip:110@p", "sip:9110@p", "tel:110"):
        assert examine(emergency_call(uri=uri), view) == Emergency("110", registration, callback=OWNED)
    assert examine(emergency_call(DELEGATED, uri="sip:110@p"), view) is None
    assert isinstance(examine(emergency_call(), view), Refusal)  # 911: the trunk's country, not the registration's


def test_configured_numbers_are_recognised():
    """A number that the policy adds for the country is an emergency number."""
    policy = PolicySettings(emergency_numbers={"US": ("811",)})
    assert isinstance(examine(emergency_call(uri="sip:811@p"), view_of(policy=policy)), Emergency)


@pytest.mark.parametrize("uri", ["sip:+14155550150@p", "sip:988@p", "sip:alice@p", "mailto:911@p"])
def test_any_other_call_is_none(uri):
    """Ordinary calls, the crisis line among them, are nobody's emergency."""
    assert examine(emergency_call(uri=uri), view_of()) is None


def test_a_request_uri_that_cannot_be_read_is_none():
    """What cannot be read is left to the destination stage."""
    assert examine(call_of(invite("sip:%%911@p")), view_of()) is None


def test_only_an_invite_is_an_emergency_call():
    """A MESSAGE to 911 is no call."""
    assert examine(call_of(invite("sip:911@p", method="MESSAGE")), view_of()) is None


def test_a_trunk_without_account_is_unprovisioned():
    """Nobody has registered anything for a caller without an account."""
    assert isinstance(examine(emergency_call(account=None), view_of()), Refusal)

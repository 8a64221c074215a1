"""The stage that asks for the time where the called number is."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.calling_hours import CallingHours
from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.calling_hours import examine
from tests.policy.kit import ACME, CUSTOMER, call_of, invite, view_of

SELLER = replace(ACME, do_not_call=DoNotCall.NATIONAL)
ZONES = {"12125550123": ("America/New_York",), "819012345678": ("Asia/Tokyo",)}  # 11:00 and 01:00 at kit.NOW


def said(number, account=SELLER, emergency=None, **hours):
    """What is said of a call to a number."""
    policy = PolicySettings(hours=CallingHours(**hours))
    view = replace(view_of(policy=policy), zones=lambda tn: tuple(map(ZoneInfo, ZONES.get(tn, ()))))
    call = call_of(invite(f"sip:{number}@p"), CUSTOMER, account)
    call.emergency = emergency
    finding = examine(call, view)
    assert finding is None or isinstance(finding, Refusal)
    return None if finding is None else (finding.rule, finding.detail)


@pytest.mark.clause("policy: destinations")
def test_who_sells_does_not_call_at_night():
    """The detail says what time it is there; where it is day, and where nothing is known, the call passes."""
    night = "it is 01:00 on Tuesday in Asia/Tokyo, where +819012345678 may be"
    assert said("+819012345678") == ("destination.hours", night)
    assert said("+12125550123") is None
    assert said("+18005550100") is None


@pytest.mark.clause("policy: destinations")
def test_whose_calls_are_held_to_it():
    """Those of accounts that sell; of all, if the operator says so; to the countries named, if any are."""
    assert said("+819012345678", ACME) is None
    assert said("+819012345678", ACME, everybody=True) is not None
    assert said("+819012345678", countries=("US",)) is None
    assert said("+819012345678", countries=("US", "JP")) is not None


@pytest.mark.clause("policy: destinations", "EMG-04")
def test_help_is_called_at_any_time():
    """An emergency call, a short code and a name have no hours."""
    assert said("+819012345678", emergency=Emergency("110", None)) is None
    for user in ("611", "988", "alice", "%zz"):
        assert said(user, everybody=True) is None

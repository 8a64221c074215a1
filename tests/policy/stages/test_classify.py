"""The robo-dial class of a call."""

import pytest

from sipguard.policy.account import AccountState
from sipguard.policy.finding import Classified, Emergency, Refusal
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.classify import examine
from sipguard.policy.trunk import TrafficClass
from tests.policy.kit import call_of, in_state, tagged_book, view_of

TAGS = ("short-calls", "volume")


def classified(mode=None, call=None, traffic=None):
    """What the stage says in a mode about a call of a tagged account."""
    modes = {} if mode is None else {"robodial.tag": mode}
    return examine(call or call_of(), view_of(policy=PolicySettings(modes=modes), traffic=traffic or tagged_book()))


def test_an_account_that_is_not_tagged_is_conversational():
    """Ordinary traffic has no tags, in any mode."""
    for mode in Mode:
        assert classified(mode, traffic=tagged_book("other")) == Classified(TrafficClass.CONVERSATIONAL)


def test_a_tagged_account_is_segregated():
    """Tagged traffic is of the dialer class, with the reasons for the tag; in mode throttle it is held back as well."""
    assert classified(Mode.DIVERT) == Classified(TrafficClass.DIALER, TAGS, 6.0)
    assert classified(Mode.THROTTLE) == Classified(TrafficClass.DIALER, TAGS, 6.0, "robodial.tag")


def test_by_default_a_tag_is_reported_only():
    """Statistics ship in report: the class stays, and the record says what was seen."""
    assert classified() == Classified(TrafficClass.CONVERSATIONAL, ("report", *TAGS), 6.0)


def test_tag_writes_the_tag_down_and_leaves_the_class():
    """In the mode tag the call carries its tags by the conversational route."""
    assert classified(Mode.TAG) == Classified(TrafficClass.CONVERSATIONAL, TAGS, 6.0)


def test_off_ignores_the_tag():
    """A rule that is off says nothing."""
    assert classified(Mode.OFF) == Classified(TrafficClass.CONVERSATIONAL)


@pytest.mark.clause("ATIS-1000099")
def test_block_refuses_the_call():
    """In the mode block a tagged account's call is refused by the analytics rule, with its reasons."""
    finding = classified(Mode.BLOCK)
    assert isinstance(finding, Refusal)
    assert finding.rule == "robodial.tag"
    assert "short-calls, volume" in finding.detail


@pytest.mark.clause("EMG-04")
@pytest.mark.parametrize("mode", list(Mode))
def test_an_emergency_call_is_of_its_own_class(mode):
    """No tag touches an emergency call."""
    call = call_of()
    call.emergency = Emergency("911", None)
    assert classified(mode, call) == Classified(TrafficClass.EMERGENCY)


def test_a_restricted_account_is_segregated_by_decision():
    """What the operator has restricted leaves by the segregated route even where statistics only report."""
    call = call_of(account=in_state(AccountState.RESTRICTED))
    assert classified(Mode.OFF, call) == Classified(TrafficClass.DIALER, ("account-restricted",), 6.0)
    assert classified(Mode.DIVERT, call) == Classified(TrafficClass.DIALER, ("account-restricted", *TAGS), 6.0)


def test_a_call_without_account_has_no_standing():
    """Nobody's traffic is conversational."""
    assert classified(Mode.DIVERT, call_of(account=None)) == Classified(TrafficClass.CONVERSATIONAL)

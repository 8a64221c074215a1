"""Rules that do something else for some: exceptions, allow-lists, tagging and diverting."""

import pytest

from sipguard.policy.chain import run
from sipguard.policy.decision import FORWARD, Decision
from sipguard.policy.rules import Mode
from sipguard.policy.scope import Scope
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import TrafficClass
from tests.policy.kit import DIALER, FOREIGN, OWNED, call_of, invite, view_of

RULE = "caller-id.not-owned"


@pytest.mark.parametrize(
    ("scope", "mode"),
    [
        (Scope(), None),
        (Scope(numbers={"1": Mode.TAG}, trunks={"pbx": Mode.REPORT}, accounts={"acme": Mode.OFF}), Mode.TAG),
        (Scope(trunks={"pbx": Mode.REPORT}, accounts={"acme": Mode.OFF}), Mode.REPORT),
        (Scope(accounts={"operator": Mode.REPORT, "acme": Mode.OFF}), Mode.OFF),
        (Scope(accounts={"operator": Mode.REPORT}), Mode.REPORT),
        (Scope(numbers={"2": Mode.TAG}, trunks={"x": Mode.TAG}, accounts={"y": Mode.TAG}), None),
    ],
)
def test_the_most_specific_exception_counts(scope, mode):
    """Number before trunk, trunk before account, an account before those above it."""
    assert scope.mode("1", "pbx", ("operator", "acme")) is mode


LEVELS = ("operator", "reseller", "acme", "acme/sales", "pbx", "14155550100")


@pytest.mark.clause("policy: scope")
@pytest.mark.parametrize("nearest", range(len(LEVELS)))
def test_the_nearest_level_wins(nearest):
    """operator > reseller > account > end user > trunk > number: whoever is lower has the last word."""
    here, above = LEVELS[nearest], LEVELS[:nearest]
    modes = dict.fromkeys(above, Mode.REPORT) | {here: Mode.OFF}
    scope = Scope(
        numbers={name: modes[name] for name in LEVELS[5:] if name in modes},
        trunks={name: modes[name] for name in LEVELS[4:5] if name in modes},
        accounts={name: modes[name] for name in LEVELS[:4] if name in modes},
    )
    assert scope.mode("14155550100", "pbx", LEVELS[:4]) is Mode.OFF
    assert scope.mode("1", "other", ("operator2", "other")) is None


@pytest.mark.clause("policy: scope")
@pytest.mark.parametrize("level", ["operator", "reseller", "acme", "acme/sales"])
def test_an_exception_covers_what_is_below(level):
    """A call is under the exceptions of its account's reseller and operator, and of the end user of its number."""
    rule = "destination.country"
    call = call_of(invite("sip:+442079460000@proxy.example", f"<sip:+{OWNED}@pbx.example>"))
    assert run(call, view_of()).rule == rule
    allowed = PolicySettings(scopes={rule: Scope(accounts={level: Mode.OFF})})
    call = call_of(invite("sip:+442079460000@proxy.example", f"<sip:+{OWNED}@pbx.example>"))
    assert run(call, view_of(policy=allowed)) is FORWARD
    assert call.reported == []
    own = PolicySettings(scopes={rule: Scope(accounts={level: Mode.OFF, "acme": Mode.TAG, "acme/sales": Mode.BLOCK})})
    call = call_of(invite("sip:+442079460000@proxy.example", f"<sip:+{OWNED}@pbx.example>"))
    assert run(call, view_of(policy=own)).rule == rule


def forged(policy):
    """What becomes of a call with somebody else's number."""
    call = call_of(invite(from_=f"<sip:+{FOREIGN}@pbx>"))
    return call, run(call, view_of(policy=policy))


def test_an_exception_leaves_the_rule_in_force_for_others():
    """An allowed account passes unrecorded; the rule blocks whoever has no exception."""
    allowed = PolicySettings(scopes={RULE: Scope(accounts={"acme": Mode.OFF})})
    call, decision = forged(allowed)
    assert decision is FORWARD
    assert (call.reported, call.tags) == ([], [])
    _, decision = forged(PolicySettings(scopes={RULE: Scope(accounts={"other": Mode.OFF})}))
    assert isinstance(decision, Decision)
    assert decision.rule == RULE


def test_an_exception_may_be_stricter():
    """A rule that is off can block one number."""
    policy = PolicySettings(modes={RULE: Mode.OFF}, scopes={RULE: Scope(numbers={FOREIGN: Mode.BLOCK})})
    _, decision = forged(policy)
    assert isinstance(decision, Decision)
    assert decision.rule == RULE


@pytest.mark.parametrize(
    ("mode", "traffic_class"), [(Mode.TAG, TrafficClass.CONVERSATIONAL), (Mode.DIVERT, TrafficClass.DIALER)]
)
def test_a_rule_may_only_mark_the_call(mode, traffic_class):
    """In mode tag the call goes its way and is marked; in mode divert it leaves by the segregated route as well."""
    call, decision = forged(PolicySettings(modes={RULE: mode}))
    assert decision is FORWARD
    assert call.tags == [RULE]
    assert call.classified is not None
    assert call.classified.traffic_class is traffic_class
    assert call.routed is not None
    assert (DIALER in call.routed.trunks) is (mode is Mode.DIVERT)

"""Mode throttle: calls that a rule matched go on, no faster and no more at a time than its throttle says."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.rules import Mode
from sipguard.policy.scope import Scope
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.policy.trunk import OnMismatch
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_B, FORGED, changed
from sipguard.traffic.limit import CallLimit
from tests.flows.stage import CERTIFICATE, Stage, refusing
from tests.flows.test_call_limits import EMERGENCY, ONE_A_SECOND, TWO_AT_A_TIME, calls, rules

OWN, LISTED = "caller-id.not-owned", "caller-id.do-not-originate"
FORGING: dict[str, Any] = {"calling": FORGED}
ON_LIST: dict[str, Any] = {"calling": "14155550199"}


def throttled(rule: str, limit: CallLimit, **more: Any) -> PolicySettings:
    """A policy in which one rule is in mode throttle."""
    return PolicySettings(modes={rule: Mode.THROTTLE}, throttles={rule: limit}, **more)


def trails(stage: Stage) -> list[list[Any]]:
    """What the records say of throttles."""
    return [
        entry
        for record in stage.network.records
        if record["event"] == "decision"
        for entry in record["trail"]
        if entry[0] == "throttled"
    ]


@pytest.mark.parametrize("rule", [OWN, LISTED])
@pytest.mark.parametrize("limit", [ONE_A_SECOND, TWO_AT_A_TIME])
def test_two_go_on_and_the_third_hears_the_reason(rule: str, limit: CallLimit) -> None:
    """The refused one has the answer of the rule itself, and the records say who was let on and who was not."""
    stage = Stage(policy=throttled(rule, limit))
    assert calls(stage, 3, **(FORGING if rule == OWN else ON_LIST)) == [200, 200, 403]
    (refused,) = [response for response in stage.pbx.responses if response.code == 403]
    assert f'text="{rule}"' in refused.required("reason")
    assert "such calls" in refused.required("warning")
    assert "of account acme" in refused.required("warning")
    assert rules(stage) == [rule]
    assert trails(stage) == [["throttled", word, rule] for word in ("admitted", "admitted", "refused")]
    decisions = [record for record in stage.network.records if record["event"] == "decision"]
    assert [record.get("tags") for record in decisions] == [[rule], [rule], None]
    assert [record.get("reported") for record in decisions] == [None] * 3
    counters = stage.engine.counters
    assert counters["throttled", "origination", rule, "admitted"] == 2
    assert counters["throttled", "origination", rule, "refused"] == 1
    assert calls(stage, 2, first=3) == [200, 200]  # those that no rule matched are not held back


def test_no_faster_than_the_rate() -> None:
    """Of three calls every two seconds one goes on, for as long as it lasts."""
    stage = Stage(policy=throttled(LISTED, CallLimit(rate=0.5, burst=1)))
    for round_ in range(20):
        assert calls(stage, 3, first=3 * round_, **ON_LIST) == [200, 403, 403]


def test_a_place_is_free_again_when_a_call_is_over() -> None:
    """And nothing is left when all are."""
    stage = Stage(policy=throttled(LISTED, TWO_AT_A_TIME))
    assert calls(stage, 3, **ON_LIST) == [200, 200, 403]
    stage.hang_up()
    assert calls(stage, 2, first=3, **ON_LIST) == [200, 403]
    stage.network.run(22_000.0)
    assert stage.sample.view.usage._counts == {}


def test_all_that_are_read_at_once_share_the_places() -> None:
    """The place is taken by the decision, before its record is written."""
    stage = Stage(policy=throttled(LISTED, TWO_AT_A_TIME))
    stage.network.ledger_answers = False
    calls(stage, 5, **ON_LIST)
    assert stage.sample.view.usage.up(("throttle", f"{LISTED} account acme")) == 2


def test_a_call_that_another_rule_refuses_takes_nothing() -> None:
    """Neither a place nor a turn: the next call of the kind that may go on does."""
    slow = throttled(LISTED, CallLimit(rate=0.001, burst=1, concurrent=1))
    stage = Stage(policy=replace(slow, modes=slow.modes | {"destination.country": Mode.BLOCK}))
    assert calls(stage, 3, called="442079460000", **ON_LIST) == [403] * 3
    assert set(rules(stage)) == {"destination.country"}
    assert stage.sample.view.usage._counts == {}
    assert calls(stage, 2, first=3, **ON_LIST) == [200, 403]


def test_a_refused_call_gives_its_place_back_at_once() -> None:
    """Before the record of its refusal is written, however slow the log is."""
    slow = throttled(LISTED, CallLimit(concurrent=1))
    stage = Stage(policy=replace(slow, modes=slow.modes | {"destination.country": Mode.BLOCK}))
    stage.network.ledger_answers = False
    calls(stage, 1, called="442079460000", **ON_LIST)
    assert stage.sample.view.usage._counts == {}


def test_one_rule_one_account_one_throttle() -> None:
    """What one rule holds back is not counted for another."""
    both = PolicySettings(
        modes=dict.fromkeys((OWN, LISTED), Mode.THROTTLE), limits=CallLimits(throttle=CallLimit(concurrent=1))
    )
    stage = Stage(policy=both)
    assert calls(stage, 2, **ON_LIST) == [200, 403]
    assert calls(stage, 2, first=2, **FORGING) == [200, 403]
    assert stage.sample.view.usage.up(("throttle", f"{OWN} account acme")) == 1


def test_emergency_calls_are_exempt() -> None:
    """What would hold them back is reported, and they take no place."""
    stage = Stage(policy=throttled("caller-id.asserted-not-owned", CallLimit(concurrent=1)))
    asserted = (f"P-Asserted-Identity: <sip:+{FORGED}@{ACME_PBX[0]}>",)
    assert calls(stage, 3, headers=asserted, **EMERGENCY) == [200] * 3
    assert trails(stage) == []
    decisions = [record for record in stage.network.records if record["event"] == "decision"]
    assert [(record["reported"], record.get("tags")) for record in decisions] == [
        (["caller-id.asserted-not-owned"], None)
    ] * 3
    assert stage.sample.view.usage._counts == {}


def test_what_a_trunk_lets_go_on_is_throttled_too() -> None:
    """on_mismatch = "replace" is for mode block; in mode throttle the call goes on as it is, at its pace."""
    trunks = changed("acme-pbx", on_mismatch=OnMismatch.DOWNGRADE)
    stage = Stage(trunks=trunks, policy=throttled(OWN, CallLimit(concurrent=1)))
    assert calls(stage, 2, **FORGING) == [200, 403]


def test_only_who_has_the_exception_is_throttled() -> None:
    """A rule that blocks all others lets one account on at a pace."""
    scope = {LISTED: Scope(accounts={"acme": Mode.THROTTLE})}
    limits = CallLimits(throttle=CallLimit(concurrent=1))
    assert calls(Stage(policy=PolicySettings(scopes=scope, limits=limits)), 2, **ON_LIST) == [200, 403]
    assert calls(Stage(policy=PolicySettings(limits=limits)), 2, **ON_LIST) == [403, 403]


def tagged(policy: PolicySettings) -> Stage:
    """A stage on which acme is tagged as a robo-dialer."""
    stage = Stage(policy=policy)
    tag = {"account": "acme", "points": 8.0, "reasons": ["short-calls"], "features": {}}
    stage.sample.view.traffic.restore([tag])
    return stage


@pytest.mark.clause("ATIS-1000099")
def test_a_robo_dialer_is_segregated_and_held_back() -> None:
    """Two calls by the segregated route, none by the other; the third hears the analytics answer."""
    stage = tagged(throttled("robodial.tag", TWO_AT_A_TIME))
    assert calls(stage, 3) == [200, 200, 603]
    assert len({request.call_id for request in stage.requests_to(CARRIER_B, "INVITE")}) == 2
    assert stage.requests_to(CARRIER_A, "INVITE") == []
    (refused,) = [response for response in stage.pbx.responses if response.code == 603]
    assert "v=analytics1" in refused.required("reason")
    tags = [record.get("tags") for record in stage.network.records if record["event"] == "decision"]
    assert tags == [["robodial.tag", "short-calls"]] * 2 + [["short-calls"]]


def test_calls_from_the_network_are_throttled_by_trunk() -> None:
    """A place is taken before the call waits for a certificate, so those that wait share the places."""
    policy = PolicySettings(
        modes={"limit.rate": Mode.THROTTLE},
        throttles={"limit.rate": CallLimit(concurrent=1)},
        limits=CallLimits(trunk=CallLimit(rate=0.001, burst=1)),
    )
    stage = Stage(policy=policy)
    for number in range(4):
        stage.arrives(call_id=f"in-{number}@sample", headers=(stage.identity(),), seconds=0.1)
    assert CERTIFICATE in stage.network.asked
    assert stage.sample.view.usage.up(("throttle", "limit.rate trunk carrier-a")) == 1
    stage.network.run(60.0)
    assert sorted(code for code in stage.carrier.codes if code >= 200) == [200, 200, 503, 503]
    records = [record for record in stage.network.records if record["event"] == "decision"]
    assert [record.get("tags") for record in records].count(["limit.rate"]) == 1


def test_a_call_given_up_while_it_waits_gives_its_place_back() -> None:
    """A throttled call that ends before it is answered, or is refused by the callee, holds nothing."""
    stage = Stage(policy=throttled(LISTED, CallLimit(concurrent=1)), scripts={"carrier-a": refusing(486)})
    assert calls(stage, 1, **ON_LIST) == [486]
    assert stage.sample.view.usage._counts == {}

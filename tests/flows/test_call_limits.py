"""Limits on calls: each kind by itself, whom they never stop, and that no place is lost."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.destination_settings import DestinationLimit
from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import NumberRight, RightKind
from sipguard.policy.rules import Mode
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.testing.sample import (
    CARRIER_A,
    CARRIER_A_SPARE,
    CARRIER_B,
    OWNED,
    PROXY,
    VERIFIED,
    changed,
    directory,
    invite,
    target,
)
from sipguard.testing.user_agent import Script
from sipguard.traffic.limit import CallLimit
from tests.flows.stage import Stage, refusing, ringing, with_settings

ONE_A_SECOND = CallLimit(rate=1.0, burst=2)
TWO_AT_A_TIME = CallLimit(concurrent=2)
EMERGENCY: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}


def limited(modes: dict[str, Mode] | None = None, **limits: Any) -> PolicySettings:
    """A policy with these limits."""
    return PolicySettings(limits=CallLimits(**limits), modes=modes or {})


def calls(stage: Stage, number: int, first: int = 0, **changes: Any) -> list[int]:
    """So many calls of acme at once, and the final answer of each."""
    before = len(stage.pbx.codes)
    for position in range(first, first + number):
        stage.pbx.start(invite(call_id=f"limited-{position}@sample", **changes))
    stage.network.run(2.0)
    return sorted(code for code in stage.pbx.codes[before:] if code >= 200)


def rules(stage: Stage) -> list[object]:
    """The rules by which calls were refused, as they are on record."""
    return [record["rule"] for record in stage.network.records if record["event"] == "decision" and record.get("rule")]


def up(stage: Stage, kind: str, name: str) -> int:
    """The places that are taken."""
    return stage.sample.view.usage.up((kind, name))


@pytest.mark.parametrize("kind", ["source", "trunk", "account", "number", "egress"])
def test_a_rate_of_each_kind(kind: str) -> None:
    """Two at once, the third is refused with 503 without Retry-After and recorded; a second later one more is taken."""
    stage = Stage(policy=limited(**{kind: ONE_A_SECOND}))
    assert calls(stage, 3) == [200, 200, 503]
    (refused,) = [response for response in stage.pbx.responses if response.code == 503]
    assert not refused.has("retry-after")
    assert 'text="limit.rate"' in refused.required("reason")
    assert rules(stage) == ["limit.rate"]
    assert calls(stage, 1, first=3) == [200]
    assert stage.engine.counters["calls", "origination", "refused", "limit.rate", "503"] == 1


@pytest.mark.parametrize("kind", ["trunk", "account", "number", "egress"])
def test_a_cap_of_each_kind(kind: str) -> None:
    """Two calls are up, the third is refused although all three were read at once; one BYE makes one place free."""
    stage = Stage(policy=limited(**{kind: TWO_AT_A_TIME}))
    assert calls(stage, 3) == [200, 200, 503]
    assert rules(stage) == ["limit.concurrent"]
    stage.hang_up()
    assert calls(stage, 2, first=3) == [200, 503]


def test_all_that_were_read_before_the_first_record_was_written_share_the_places() -> None:
    """The place is taken by the decision, not when the call leaves."""
    stage = Stage(policy=limited(trunk=TWO_AT_A_TIME))
    stage.network.ledger_answers = False
    for position in range(5):
        stage.pbx.start(invite(call_id=f"held-{position}@sample"))
    stage.network.run(0.5)
    assert up(stage, "trunk", "acme-pbx") == 2


@pytest.mark.parametrize("end", ["busy", "cancelled", "ledger", "no-answer"])
def test_a_call_that_comes_to_nothing_gives_its_place_back(end: str) -> None:
    """Refused by the callee, given up by the caller, not recorded, never answered: nothing is held after it."""
    scripts = {"busy": {"carrier-a": refusing(486)}, "cancelled": {"carrier-a": ringing()}}.get(end, {})
    if end == "no-answer":
        scripts = {name: Script(ring_after=None, answer_after=None) for name in ("carrier-a", "carrier-a-spare")}
    stage = Stage(policy=limited(trunk=TWO_AT_A_TIME), scripts=scripts)
    stage.network.ledger_works = end != "ledger"
    stage.call()
    if end == "cancelled":
        assert up(stage, "trunk", "acme-pbx") == 1
        stage.pbx.give_up()
    stage.network.run(200.0)
    assert stage.sample.view.usage._counts == {}


def test_a_lost_bye_does_not_block_for_ever() -> None:
    """The cap is full until the longest a call may last is over, then calls are taken again."""
    stage = Stage(policy=limited(trunk=TWO_AT_A_TIME), settings=with_settings(max_call_duration=3600.0))
    assert calls(stage, 3) == [200, 200, 503]
    stage.network.run(3500.0)
    assert calls(stage, 1, first=3) == [503]
    stage.network.run(200.0)
    assert calls(stage, 3, first=4) == [200, 200, 503]
    assert [log.event for log in stage.network.logs].count("call.expired") == 2


def test_emergency_calls_are_exempt_and_take_nothing() -> None:
    """They pass when everything is full, and leave every place and rate as it was."""
    limit = CallLimit(rate=0.001, burst=1, concurrent=1)
    everything = limited(source=limit, trunk=limit, account=limit, number=limit, egress=limit)
    stage = Stage(policy=everything)
    assert calls(stage, 1, **EMERGENCY) == [200]
    assert calls(stage, 2, first=1) == [200, 503]
    assert calls(stage, 2, first=3, **EMERGENCY) == [200, 200]


def test_other_numbers_have_limits_of_their_own() -> None:
    """A number that has called too often stops no other."""
    stage = Stage(policy=limited(number=ONE_A_SECOND))
    assert calls(stage, 3) == [200, 200, 503]
    assert calls(stage, 2, first=3, calling=VERIFIED) == [200, 200]


def test_a_number_may_have_its_own() -> None:
    """Its right says how many calls at a time, wider or narrower than for every number; how fast stays the same."""
    expected = {1: [200, 503, 503, 503], 3: [200, 200, 200, 503], 0: [200] * 4, None: [200, 200, 503, 503]}
    for own, answers in expected.items():
        rights = [(OWNED, NumberRight("acme", RightKind.OWNED, max_calls=own))]
        known = directory()
        stage = Stage(
            directory=Directory(
                accounts=known.accounts.values(),
                trunks=known.trunks.values(),
                numbers=NumberBook.of(rights=rights, emergency=(), listed=()),
            ),
            policy=limited(number=CallLimit(rate=100.0, burst=4, concurrent=2)),
        )
        assert calls(stage, 4) == answers
    assert calls(stage, 1, first=4) == [503]


def test_what_one_limit_refuses_takes_nothing_of_another() -> None:
    """A call that its trunk may not make is not counted for its account."""
    slow = replace(ONE_A_SECOND, burst=1)
    stage = Stage(policy=limited(trunk=slow, account=CallLimit(rate=0.001, burst=3)))
    for position in range(3):
        assert calls(stage, 5, first=position * 5).count(200) == 1
    assert calls(stage, 1, first=15) == [503]


def test_a_trunk_and_an_account_may_have_their_own() -> None:
    """Theirs win over everybody's, wider or narrower."""
    wide = changed("acme-pbx", limit=CallLimit(rate=100.0))
    assert calls(Stage(trunks=wide, policy=limited(trunk=ONE_A_SECOND)), 5) == [200] * 5
    narrow = changed("acme-pbx", limit=ONE_A_SECOND)
    assert calls(Stage(trunks=narrow), 3) == [200, 200, 503]
    accounts = {"acme": CallLimit(concurrent=4), "other": TWO_AT_A_TIME}
    assert calls(Stage(policy=limited(account=TWO_AT_A_TIME, accounts=accounts)), 5) == [200] * 4 + [503]


def test_a_full_route_is_passed_over() -> None:
    """The next trunk that carries such calls takes the call; when none has room it is refused."""
    trunks = changed("carrier-a", egress_limit=CallLimit(concurrent=1))
    second = replace(trunks[1], name="carrier-c", sources=(), targets=(target(CARRIER_B),))
    stage = Stage(trunks=(*trunks, second), policy=limited())
    assert calls(stage, 3) == [200, 200, 503]
    assert [
        len({request.call_id for request in stage.requests_to(where, "INVITE")}) for where in (CARRIER_A, CARRIER_B)
    ] == [
        1,
        1,
    ]
    assert up(stage, "egress", "carrier-c") == 1


def test_a_call_that_fails_over_takes_its_place_along() -> None:
    """It counts where it is, not where it was tried first."""
    trunks = changed("carrier-a", targets=(target(CARRIER_A),))
    second = replace(trunks[1], name="carrier-c", sources=(), targets=(target(CARRIER_A_SPARE),))
    stage = Stage(trunks=(*trunks, second), scripts={"carrier-a": refusing(503)})
    assert calls(stage, 1) == [200]
    assert (up(stage, "egress", "carrier-a"), up(stage, "egress", "carrier-c")) == (0, 1)


def test_calls_from_the_network_are_limited_and_those_for_an_emergency_are_not() -> None:
    """By their trunk and by the trunk they go to; a call back from a centre passes if its trunk is trusted."""
    stage = Stage(trunks=changed("acme-pbx", egress_limit=CallLimit(concurrent=1)))
    stage.arrives(call_id="in-1@sample")
    stage.arrives(call_id="in-2@sample")
    assert [code for code in stage.carrier.codes if code >= 200] == [200, 503]
    trusted = changed("carrier-a", limit=CallLimit(rate=0.001, burst=1), trusted=True)
    stage = Stage(trunks=trusted)
    for number, headers in enumerate(((), (), ("Priority: psap-callback",))):
        stage.arrives(call_id=f"in-{number}@sample", headers=headers)
    assert [code for code in stage.carrier.codes if code >= 200] == [200, 503, 200]


@pytest.mark.parametrize("rule", ["limit.rate", "limit.concurrent"])
def test_in_report_mode_nobody_is_refused(rule: str) -> None:
    """What would have been refused is in the record and in the counters."""
    both = CallLimit(rate=0.001, burst=2, concurrent=0) if rule == "limit.rate" else TWO_AT_A_TIME
    stage = Stage(policy=limited({rule: Mode.REPORT}, trunk=both, egress=both))
    assert calls(stage, 4) == [200] * 4
    assert stage.engine.counters["reported", "origination", rule] == 4
    assert [record.get("reported") for record in stage.network.records if record["event"] == "decision"][2:] == [
        [rule, rule],
        [rule, rule],
    ]


def test_a_reload_keeps_what_was_used() -> None:
    """Other limits apply to the calls that are up; the first place is free when enough have ended."""
    stage = Stage()
    assert calls(stage, 3) == [200] * 3
    stage.engine.reconfigure(replace(stage.sample.view, policy=limited(trunk=TWO_AT_A_TIME)))
    assert calls(stage, 1, first=3) == [503]


def test_the_log_of_a_flood_is_bounded_and_its_records_are_not() -> None:
    """Sixty lines a minute, every refusal on record."""
    stage = Stage(policy=limited(trunk=CallLimit(rate=0.001, burst=1)))
    assert calls(stage, 100).count(503) == 99
    lines = [log for log in stage.network.logs if log.event == "call.refused"]
    assert len(lines) == 60
    assert len(rules(stage)) == 99


@pytest.mark.parametrize("code", ["988", "411", "*98"])
def test_a_short_code_is_in_no_country(code: str) -> None:
    """988 is not in Iran and 411 not in Switzerland, so no limit on calls there counts them."""
    places = {place: DestinationLimit(CallLimit(rate=0.001, burst=1, concurrent=1)) for place in ("IR", "CH", "+4")}
    stage = Stage(policy=limited(destinations=DestinationTable(places)))
    assert calls(stage, 2, uri=f"sip:{code}@{PROXY[0]}", called=code) == [200, 200]


@pytest.mark.parametrize("kind", ["number", "egress"])
@pytest.mark.parametrize("mode", [Mode.OFF, Mode.REPORT, Mode.TAG, Mode.THROTTLE])
def test_a_limit_that_only_reports_does_not_switch_off_another(mode: Mode, kind: str) -> None:
    """Where more calls are up than would be allowed, there are still no more of them a second than there may be."""
    both = CallLimit(rate=0.001, burst=2, concurrent=1)
    stage = Stage(policy=limited({"limit.concurrent": mode}, **{kind: both}))
    assert calls(stage, 4) == [200, 200, 503, 503]
    assert rules(stage) == ["limit.rate"] * 2


@pytest.mark.parametrize("kind", ["source", "trunk", "account", "number", "egress"])
@pytest.mark.parametrize("user", ["988", "%39-8-8"])
def test_the_crisis_line_is_never_too_much(kind: str, user: str) -> None:
    """Somebody who calls 988 from a busy office gets through."""
    full = CallLimit(rate=0.001, burst=1, concurrent=1)
    stage = Stage(policy=limited(**{kind: full}))
    assert calls(stage, 2) == [200, 503]
    assert calls(stage, 2, first=2, uri=f"sip:{user}@{PROXY[0]}", called="988") == [200, 200]


@pytest.mark.parametrize("reports", ["limit.rate", "limit.concurrent"])
def test_a_route_that_only_reports_takes_what_another_must_not(reports: str) -> None:
    """In whichever order they stand: a call is refused when every route refuses it."""
    limits = {"limit.rate": CallLimit(rate=0.001, burst=1), "limit.concurrent": CallLimit(concurrent=1)}
    (blocks,) = limits.keys() - {reports}
    first = changed("carrier-a", egress_limit=limits[blocks])
    second = replace(first[1], name="carrier-c", sources=(), targets=(target(CARRIER_B),), egress_limit=limits[reports])
    stage = Stage(trunks=(*first, second), policy=limited({reports: Mode.REPORT}))
    assert calls(stage, 4) == [200] * 4
    assert len({request.call_id for request in stage.requests_to(CARRIER_A, "INVITE")}) == 1


def test_what_is_refused_for_its_number_has_had_its_accounts_turn() -> None:
    """The account's rate is asked before anything that costs; the number's behind the rules about numbers."""
    stage = Stage(policy=limited(account=CallLimit(rate=0.001, burst=2), number=CallLimit(rate=0.001, burst=1)))
    assert calls(stage, 2, calling=OWNED) == [200, 503]
    assert calls(stage, 1, first=2, calling=VERIFIED) == [503]

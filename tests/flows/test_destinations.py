"""Where calls go: how fast, with how short a ring, how many at a time and for how long."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.account import Account
from sipguard.policy.destination_settings import (
    Ceiling,
    DestinationLimit,
    DestinationSettings,
    VelocitySettings,
)
from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.heading import Headings, Risk
from sipguard.policy.rules import Mode
from sipguard.policy.scope import Scope
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.testing.sample import CARRIER_A, PROXY, changed, flow_from, invite
from sipguard.traffic.limit import CallLimit
from sipguard.traffic.missed_calls import MissedCallThresholds
from tests.flows.stage import Stage, answer_to, refusing, ringing

VELOCITY, WANGIRI = "destination.velocity", "destination.wangiri"
GUINEA, CUBA = "224712345{:03d}", "5371234{:03d}"
EMERGENCY: dict[str, Any] = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}
ANYWHERE = ("*",)
CEILINGS = {
    Risk.HOME: Ceiling(number=3),
    Risk.ABROAD: Ceiling(number=2, five_minutes=4, hour=6),
    Risk.HIGH: Ceiling(number=1, five_minutes=2, hour=3),
}


def velocity(mode: Mode | None = Mode.BLOCK, scope: Scope | None = None, **accounts: Any) -> PolicySettings:
    """A policy with small figures; Guinea and what begins with +5371 are high-risk."""
    settings = DestinationSettings(
        headings=Headings(DestinationTable({"GN": True, "+5371": True})), velocity=VelocitySettings(CEILINGS, accounts)
    )
    modes = {} if mode is None else {VELOCITY: mode}
    scopes = {} if scope is None else {VELOCITY: scope}
    return PolicySettings(countries=ANYWHERE, destinations=settings, modes=modes, scopes=scopes)


def calls(stage: Stage, to: str, number: int, seconds: float = 2.0, /, **changes: Any) -> list[int]:
    """So many calls of acme at once, the final answers in order; a pattern is another number for each call."""
    before = len(stage.pbx.codes)
    for _ in range(number):
        serial = stage.__dict__["serial"] = stage.__dict__.get("serial", 0) + 1
        values = {"called": to.format(serial), "call_id": f"far-{serial}@sample"} | changes
        stage.pbx.start(invite(**values))
    stage.network.run(seconds)
    return sorted(code for code in stage.pbx.codes[before:] if code >= 200)


def decisions(stage: Stage, key: str) -> list[Any]:
    """This key of every decision record that has it."""
    return [record[key] for record in stage.network.records if record["event"] == "decision" and record.get(key)]


# --- velocity


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("called", "number", "seconds"),
    [
        ("12125550123", 3, 900.0),
        ("447700900123", 2, 900.0),
        ("447700900{:03d}", 4, 300.0),
        ("224712345678", 1, 900.0),
        (GUINEA, 2, 300.0),
        (CUBA, 2, 300.0),
    ],
)
def test_so_many_calls_and_no_more(called: str, number: int, seconds: float) -> None:
    """To one number at home, abroad and at high risk, to one country and one prefix: 403, until the window is over."""
    stage = Stage(policy=velocity())
    assert calls(stage, called, number + 1) == [200] * number + [403]
    (refused,) = [response for response in stage.pbx.responses if response.code == 403]
    assert refused.reason == "Destination Limit Reached"
    assert refused.value("reason") == 'SIP;cause=403;text="destination.velocity"'
    assert "acme" in refused.required("warning")
    assert decisions(stage, "rule") == [VELOCITY]
    stage.network.run(seconds - 60.0 - seconds / 10)  # a bucket before its end, and some
    assert calls(stage, called, 1) == [403]
    stage.network.run(60.0 + seconds / 10)
    assert calls(stage, called, 1) == [200]


def test_an_hour() -> None:
    """Slow enough for the five minutes, too many for the hour."""
    stage = Stage(policy=velocity())
    assert [calls(stage, GUINEA, 1, 400.0) for _ in range(5)] == [[200]] * 3 + [[403]] * 2
    assert "in an hour" in decisions(stage, "detail")[0]
    stage.network.run(3600.0)
    assert calls(stage, GUINEA, 1) == [200]


def test_at_home_countries_are_not_counted() -> None:
    """Canada and the United States are one home; only one number called too often is too much."""
    stage = Stage(policy=velocity())
    assert calls(stage, "14165550{:03d}", 10) == [200] * 10
    assert calls(stage, "12125550{:03d}", 10) == [200] * 10


def test_the_trail_says_where_a_call_went() -> None:
    """As what it was counted."""
    stage = Stage(policy=velocity())
    for called in ("12125550123", "447700900123", "224712345678", "53712345678"):
        calls(stage, called, 1)
    found = [entry for trail in decisions(stage, "trail") for entry in trail if entry[0] == "velocity"]
    assert found == [
        ["velocity", "US", "home"], ["velocity", "GB", "abroad"], ["velocity", "GN", "high-risk"],
        ["velocity", "+5371", "high-risk"],
    ]  # fmt: skip


@pytest.mark.parametrize("mode", [None, Mode.REPORT, Mode.TAG])
def test_in_report_all_go_on(mode: Mode | None) -> None:
    """That is how it ships: the record says what would have happened; in tag it is marked."""
    stage = Stage(policy=velocity(mode))
    assert calls(stage, GUINEA, 4) == [200] * 4
    key = "tags" if mode is Mode.TAG else "reported"
    assert decisions(stage, key) == [[VELOCITY]] * 2
    assert stage.engine.counters.get(("reported", "origination", VELOCITY), 0) == (0 if mode is Mode.TAG else 2)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(accounts={"acme": Mode.OFF}),
        Scope(trunks={"acme-pbx": Mode.REPORT}),
        Scope(numbers={"14155550100": Mode.OFF}),
    ],
)
def test_exceptions(scope: Scope) -> None:
    """An account, a trunk or a number may be past the rule."""
    assert calls(Stage(policy=velocity(scope=scope)), GUINEA, 5) == [200] * 5


def test_an_account_may_have_its_own_figures() -> None:
    """Wider or narrower, for one kind of destination."""
    stage = Stage(policy=velocity(acme={Risk.HIGH: Ceiling(five_minutes=4)}))
    assert calls(stage, GUINEA, 6) == [200] * 4 + [403] * 2
    assert calls(stage, "447700900{:03d}", 6) == [200] * 4 + [403] * 2


def test_who_is_above_speaks_for_those_below() -> None:
    """Figures of a reseller are those of its customers."""
    stage = Stage(policy=velocity(reseller={Risk.HIGH: Ceiling(five_minutes=4)}))
    assert stage.directory is not None
    stage.directory.accounts["acme"] = Account("acme", path=("reseller", "acme"))
    assert calls(stage, GUINEA, 6) == [200] * 4 + [403] * 2


def test_what_other_rules_refuse_does_not_count() -> None:
    """An attempt is a call that was let through; who keeps on trying still gets what it may have."""
    stage = Stage(policy=replace(velocity(), countries=("US",)))
    assert calls(stage, GUINEA, 5) == [403] * 5
    stage.engine.reconfigure(replace(stage.sample.view, policy=velocity()))
    assert calls(stage, GUINEA, 5) == [200] * 2 + [403] * 3
    stage.network.run(300.0)
    assert calls(stage, GUINEA, 2) == [200, 403]  # the third of the hour


def test_all_that_were_read_before_the_first_record_was_written_share_the_figure() -> None:
    """A call counts when it is decided, not when it leaves."""
    stage = Stage(policy=velocity())
    stage.network.ledger_answers = False
    calls(stage, GUINEA, 5)
    assert stage.sample.view.destinations.hour.count(("acme", "GN"), stage.network.now) == 2


def test_what_comes_to_nothing_counts_all_the_same() -> None:
    """Attempts are counted, not conversations."""
    stage = Stage(policy=velocity(), scripts={"carrier-a": refusing(486)})
    assert calls(stage, GUINEA, 3) == [403, 486, 486]


def test_an_invite_that_is_asked_for_credentials_is_no_attempt() -> None:
    """The one that comes with them is."""
    stage = Stage(policy=velocity(), scripts={"carrier-a": refusing(407, ("Proxy-Authenticate", 'Digest realm="x"'))})
    assert calls(stage, "447700900123", 3) == [403, 407, 407]
    assert calls(stage, "447700900123", 2) == [407, 407]
    counts = stage.sample.view.destinations
    assert counts.numbers.count(("acme", "447700900123"), stage.network.now) == 0
    assert counts.hour.count(("acme", "GB"), stage.network.now) == 0


def test_emergency_calls_are_exempt_and_enter_nothing() -> None:
    """They pass whatever the account has called, and are in no statistic."""
    stage = Stage(policy=velocity())
    calls(stage, GUINEA, 5)
    assert calls(stage, "", 5, **EMERGENCY) == [200] * 5
    counts = stage.sample.view.destinations
    assert {key[1][:3] for key in counts.numbers._rows} == {"224"}
    assert set(counts.hour._rows) == {("acme", "GN")}


def test_service_codes_and_messages_are_no_calls() -> None:
    """Short numbers go nowhere, and only an INVITE is an attempt."""
    stage = Stage(policy=velocity())
    assert calls(stage, "", 5, uri=f"sip:611@{PROXY[0]}", called="611") == [200] * 5
    before = len(stage.sample.view.destinations.numbers)
    calls(stage, "224712345678", 5, method="MESSAGE")
    assert len(stage.sample.view.destinations.numbers) == before == 0


def test_a_reload_keeps_what_was_counted() -> None:
    """Other figures apply to the calls that were made."""
    stage = Stage(policy=velocity())
    assert calls(stage, GUINEA, 2) == [200] * 2
    policy = velocity(acme={Risk.HIGH: Ceiling(number=1, five_minutes=3, hour=9)})
    stage.engine.reconfigure(replace(stage.sample.view, policy=policy))
    assert calls(stage, GUINEA, 2) == [200, 403]


def test_calls_from_the_network_are_not_counted() -> None:
    """They have their account at the other end."""
    stage = Stage(policy=velocity())
    for position in range(5):
        stage.arrives(call_id=f"in-{position}@sample")
    assert [code for code in stage.carrier.codes if code >= 200] == [200] * 5
    assert len(stage.sample.view.destinations.numbers) == 0


def test_without_figures_nothing_is_counted() -> None:
    """And no stage says where the call goes."""
    stage = Stage(policy=PolicySettings(countries=ANYWHERE))
    assert calls(stage, GUINEA, 50) == [200] * 50
    counts = stage.sample.view.destinations
    assert (len(counts.numbers), len(counts.five_minutes), len(counts.hour)) == (0, 0, 0)


def test_divert_segregates() -> None:
    """Calls beyond the figure leave by the segregated route."""
    stage = Stage(policy=velocity(Mode.DIVERT))
    assert calls(stage, GUINEA, 3) == [200] * 3
    assert decisions(stage, "routes") == [["carrier-a"], ["carrier-a"], ["carrier-b"]]


# --- wangiri


def wangiri(mode: Mode | None = Mode.BLOCK, scope: Scope | None = None) -> PolicySettings:
    """Five calls with a ring under two seconds to four people, half of all, are too many."""
    return PolicySettings(
        countries=ANYWHERE,
        destinations=DestinationSettings(wangiri=MissedCallThresholds(2.0, 5, 0.5, 4)),
        modes={} if mode is None else {WANGIRI: mode},
        scopes={} if scope is None else {WANGIRI: scope},
        redress_url="https://redress.example",
    )


def rings(stage: Stage, number: int, seconds: float = 1.0, to: str = "12125550{:03d}", **changes: Any) -> None:
    """So many calls of acme, each given up after it rang so long."""
    for _ in range(number):
        calls(stage, to, 1, 0.2 + seconds, **changes)
        stage.pbx.give_up()
        stage.network.run(1.0)


@pytest.mark.clause("policy: destinations", "BLK-01")
def test_calls_that_ring_for_an_instant() -> None:
    """The sixth is refused with 603 and whom to ask; five minutes later calls are taken again."""
    stage = Stage(policy=wangiri(), scripts={"carrier-a": ringing()})
    rings(stage, 5)
    assert calls(stage, "12125559999", 1) == [603]
    refused = stage.pbx.responses[-1]
    assert refused.reason == "Network Blocked"
    assert 'text="v=analytics1;url=https://redress.example' in refused.required("reason")
    assert decisions(stage, "rule") == [WANGIRI]
    assert decisions(stage, "detail") == ["5 of 5 calls rang for an instant, by account acme"]
    stage.network.run(300.0)
    assert calls(stage, "12125559999", 1) == []
    assert stage.pbx.codes[-1] == 180


@pytest.mark.parametrize(
    "innocent",
    [{"number": 4}, {"number": 12, "seconds": 2.5}, {"number": 12, "to": "12125550123"}],
)
def test_what_is_none(innocent: dict[str, Any]) -> None:
    """Four; rings of more than two seconds; one and the same callee."""
    stage = Stage(policy=wangiri(), scripts={"carrier-a": ringing()})
    rings(stage, **innocent)
    assert decisions(stage, "rule") == []


def test_among_other_calls_it_is_none() -> None:
    """Whose calls are mostly answered misdials now and then."""
    stage = Stage(policy=wangiri())
    assert calls(stage, "12125551{:03d}", 8) == [200] * 8
    stage.carrier.script = ringing()
    rings(stage, 6)
    assert decisions(stage, "rule") == []


def test_a_bye_before_the_answer_is_no_way_around() -> None:
    """Who hangs up an early dialog has given up like who cancels."""
    stage = Stage(policy=wangiri(), scripts={"carrier-a": ringing()})
    for _ in range(5):
        calls(stage, "12125550{:03d}", 1, 1.0)
        stage.pbx.start(stage.pbx.in_dialog("BYE"))
        stage.network.run(0.3)
        request = stage.requests_to(CARRIER_A, "INVITE")[-1]
        stage.network.inject(answer_to(request, "487 Request Terminated", "carrier-a"), flow_from(CARRIER_A))
        stage.network.run(0.2)
    assert calls(stage, "12125559999", 1) == [603]


def test_what_never_rang_was_not_missed() -> None:
    """Given up while the carrier was still looking: the callee heard nothing."""
    script = replace(ringing(), ring_after=30.0)
    stage = Stage(policy=wangiri(), scripts={"carrier-a": script})
    rings(stage, 10)
    assert decisions(stage, "rule") == []


def test_a_slow_487_does_not_make_the_ring_longer() -> None:
    """The ring ends with the CANCEL, whenever the carrier confirms it."""
    stage = Stage(policy=wangiri(), scripts={"carrier-a": replace(ringing(), stuck=True)})
    rings(stage, 6)
    stage.network.run(60.0)
    assert stage.sample.view.destinations.missed.judge("acme", stage.policy.destinations.wangiri, stage.network.now)


def test_a_call_that_was_answered_after_all_was_not_missed() -> None:
    """Its 2xx crossed the CANCEL."""
    script = replace(ringing(), stuck=True, answer_after=1.3)
    stage = Stage(policy=wangiri(), scripts={"carrier-a": script})
    rings(stage, 10)
    assert decisions(stage, "rule") == []


def test_wangiri_ships_in_report() -> None:
    """The record says it; the call goes on, and counts."""
    stage = Stage(policy=wangiri(None), scripts={"carrier-a": ringing()})
    rings(stage, 7)
    assert decisions(stage, "reported") == [[WANGIRI]] * 2
    assert decisions(stage, "rule") == []


@pytest.mark.parametrize("scope", [Scope(accounts={"acme": Mode.OFF}), Scope(trunks={"acme-pbx": Mode.REPORT})])
def test_wangiri_exceptions(scope: Scope) -> None:
    """An account or a trunk may be past the rule."""
    stage = Stage(policy=wangiri(scope=scope), scripts={"carrier-a": ringing()})
    rings(stage, 7)
    assert decisions(stage, "rule") == []


def test_wangiri_never_stops_an_emergency_call() -> None:
    """And an emergency call that is given up is none."""
    stage = Stage(policy=wangiri(), scripts={"carrier-a": ringing(), "rescue": ringing()})
    rings(stage, 20, to="", **EMERGENCY)
    assert len(stage.sample.view.destinations.missed._attempts) == 0
    rings(stage, 5)
    calls(stage, "", 1, **EMERGENCY)
    assert stage.pbx.codes[-1] == 180


def test_a_reload_keeps_missed_calls() -> None:
    """Stricter figures apply to the calls that were made."""
    stage = Stage(policy=replace(wangiri(), destinations=DestinationSettings(
        wangiri=MissedCallThresholds(2.0, 50, 0.5, 4))), scripts={"carrier-a": ringing()})  # fmt: skip
    rings(stage, 5)
    stage.engine.reconfigure(replace(stage.sample.view, policy=wangiri()))
    assert calls(stage, "12125559999", 1) == [603]


# --- how many at a time and a second


def limited(modes: dict[str, Mode] | None = None, **limits: Any) -> PolicySettings:
    """A limit on what goes to Guinea's +2247."""
    table = DestinationTable({"+2247": DestinationLimit(**limits), "+224": DestinationLimit(CallLimit(concurrent=1))})
    return PolicySettings(countries=ANYWHERE, limits=CallLimits(destinations=table), modes=modes or {})


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize("kind", ["account", "together"])
def test_a_cap_on_calls_to_a_prefix(kind: str) -> None:
    """The longest prefix counts; one too many is refused with 503, a BYE makes room, other destinations have it."""
    stage = Stage(policy=limited(**{kind: CallLimit(concurrent=2)}))
    assert calls(stage, GUINEA, 3) == [200, 200, 503]
    assert decisions(stage, "rule") == ["limit.concurrent"]
    whose = "account acme" if kind == "account" else "all accounts"
    assert decisions(stage, "detail") == [f"more than 2 calls at a time of {whose} to +2247"]
    assert calls(stage, CUBA, 3) == [200] * 3
    assert calls(stage, "224612345{:03d}", 2) == [200, 503]
    stage.network.run(7 * 3600.0)  # every BYE was lost
    assert stage.sample.view.usage._counts == {}
    assert calls(stage, GUINEA, 3) == [200, 200, 503]
    stage.hang_up()
    assert calls(stage, GUINEA, 2) == [200, 503]


@pytest.mark.parametrize("kind", ["account", "together"])
def test_a_rate_of_calls_to_a_prefix(kind: str) -> None:
    """Two at once and one a second."""
    stage = Stage(policy=limited(**{kind: CallLimit(rate=1.0, burst=2)}))
    assert calls(stage, GUINEA, 4) == [200, 200, 503, 503]
    assert decisions(stage, "rule") == ["limit.rate"] * 2
    assert calls(stage, GUINEA, 1) == [200]


def test_all_accounts_together_share_their_limit() -> None:
    """What one account takes another does not have."""
    trunks = (*changed("acme-pbx"), replace(changed("acme-pbx")[0], name="other-pbx", account="other",
                                            sources=("192.0.2.12",), targets=()))  # fmt: skip
    stage = Stage(trunks=trunks, policy=limited(account=CallLimit(concurrent=2), together=CallLimit(concurrent=3)))
    assert calls(stage, GUINEA, 3) == [200, 200, 503]
    usage = stage.sample.view.usage
    assert usage.up(("destination", "all accounts to +2247")) == 2
    assert usage.up(("destination", "account acme to +2247")) == 2
    usage.hold([("destination", "all accounts to +2247")])
    stage.hang_up()
    assert calls(stage, GUINEA, 2) == [200, 503]
    assert decisions(stage, "detail")[-1] == "more than 3 calls at a time of all accounts to +2247"


def test_limits_on_a_prefix_in_report_off_and_for_emergencies() -> None:
    """All go on in report; an emergency call takes nothing and is not asked."""
    rule = "limit.concurrent"
    stage = Stage(policy=limited({rule: Mode.REPORT}, account=CallLimit(concurrent=1)))
    assert calls(stage, GUINEA, 3) == [200] * 3
    assert decisions(stage, "reported") == [[rule]] * 2
    before = dict(stage.sample.view.usage._counts)
    assert calls(stage, "", 2, **EMERGENCY) == [200] * 2
    assert stage.sample.view.usage._counts == before


def test_a_reload_keeps_the_places_at_a_prefix() -> None:
    """The calls that are up count under the figures that come."""
    stage = Stage(policy=limited(account=CallLimit(concurrent=5)))
    assert calls(stage, GUINEA, 2) == [200] * 2
    stage.engine.reconfigure(replace(stage.sample.view, policy=limited(account=CallLimit(concurrent=2))))
    assert calls(stage, GUINEA, 1) == [503]


def test_whoever_rang_many_people_may_call_the_crisis_line() -> None:
    """988 is no destination that a rule about destinations stops."""
    stage = Stage(policy=wangiri(), scripts={"carrier-a": ringing()})
    rings(stage, 6)
    stage.call(called="12125550999", call_id="after@sample")
    assert stage.pbx.codes[-1] == 603
    stage.call(uri=f"sip:988@{PROXY[0]};user=phone", called="988", call_id="help@sample")
    assert stage.pbx.codes[-1] == 180

"""Hours and repeated calls through the whole proxy."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sipguard.policy.account import Account
from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.directory import Directory
from sipguard.policy.repeated_calls import RepeatedCalls
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.testing.sample import CALLED, CARRIER_A, PROXY, TRUNKS, directory, invite
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, refusing, silent, with_settings

HOURS, REPEATED = "destination.hours", "destination.repeated"
DAWN, DAY = ZoneInfo("America/New_York"), ZoneInfo("Europe/Paris")  # 03:00 and 09:00 at sample.WALL


def selling() -> Directory:
    """The sample operator, whose customer sells by telephone."""
    account = Account("acme", path=("acme",), do_not_call=DoNotCall.NATIONAL)
    return Directory(accounts=[account], trunks=TRUNKS, numbers=directory().numbers)


def staged(zone: ZoneInfo = DAY, most: int = 3, modes: dict[str, Mode] | None = None, **more: Any) -> Stage:
    """A stage where all numbers are in one zone."""
    policy = PolicySettings(modes=modes or {}, repeated=RepeatedCalls(calls=most))
    stage = Stage(directory=selling(), policy=policy, **more)
    stage.sample.view = replace(stage.sample.view, zones=lambda _tn: (zone,))
    stage.engine.reconfigure(stage.sample.view)
    return stage


def calls(stage: Stage, number: int, first: int = 0, **changes: Any) -> list[int]:
    """So many calls, one after the other, and the final answer of each."""
    before = len(stage.pbx.codes)
    for position in range(first, first + number):
        stage.pbx.start(invite(call_id=f"again-{position}@sample", **changes))
        stage.network.run(2.0)
    return [code for code in stage.pbx.codes[before:] if code >= 200]


@pytest.mark.clause("policy: destinations")
def test_before_dawn_who_sells_is_refused() -> None:
    """403 with the time it is there, once the rule blocks; by default the record says what would have been."""
    stage = staged(DAWN, modes={HOURS: Mode.BLOCK})
    stage.call()
    answer = stage.pbx.responses[-1]
    assert answer.start_line == "SIP/2.0 403 Outside Calling Hours"
    assert "it is 03:00 on Friday in America/New_York" in answer.required("warning")
    assert stage.octets_to(CARRIER_A) == []
    reporting = staged(DAWN)
    reporting.call()
    assert reporting.pbx.codes[-1] == 200
    assert reporting.record("decision")["reported"] == [HOURS]
    by_day = staged(DAY, modes={HOURS: Mode.BLOCK})
    by_day.call()
    assert by_day.pbx.codes[-1] == 200


@pytest.mark.clause("policy: destinations")
def test_the_fourth_call_of_a_day_is_one_too_many() -> None:
    """Three calls are let go, answered or not; the fourth gets 403; a day after the first there is room for one."""
    stage = staged(modes={REPEATED: Mode.BLOCK}, scripts={"carrier-a": refusing(486)})
    assert calls(stage, 4) == [486, 486, 486, 403]
    assert stage.pbx.responses[-1].start_line == "SIP/2.0 403 Called Too Often"
    assert calls(stage, 1, first=4, called="12125550199") == [486]
    stage.network.run(86_400.0)
    assert calls(stage, 1, first=5) == [486]


@pytest.mark.clause("policy: destinations")
def test_in_report_mode_every_further_call_is_reported() -> None:
    """The calls go; each that is one too many says so on record."""
    stage = staged(most=1)
    assert calls(stage, 3) == [200, 200, 200]
    decisions = [record for record in stage.network.records if record["event"] == "decision"]
    assert [record.get("reported", []) for record in decisions] == [[], [REPEATED], [REPEATED]]


def test_calls_that_are_read_at_once_share_the_count() -> None:
    """A call counts when it is decided, not when it leaves."""
    stage = staged(most=2, modes={REPEATED: Mode.BLOCK})
    stage.network.ledger_answers = False
    for position in range(5):
        stage.pbx.start(invite(call_id=f"held-{position}@sample"))
    stage.network.run(0.5)
    assert stage.sample.view.usage.repeats.within(("acme", CALLED), 86_400.0, 0.5) == 2


@pytest.mark.parametrize("end", ["cancelled", "ledger"])
def test_a_call_that_never_left_is_taken_back(end: str) -> None:
    """Given up before it was on record, or not recordable: it counts for nothing."""
    stage = staged(modes={REPEATED: Mode.BLOCK}, settings=with_settings(need_timeout=2.0))
    stage.network.ledger_answers = False
    stage.pbx.start(invite())
    stage.network.run(0.5)
    repeats = stage.sample.view.usage.repeats
    assert len(repeats) == 1
    if end == "cancelled":
        stage.pbx.give_up()
    stage.network.run(5.0)
    assert stage.pbx.codes[-1] in (487, 503)
    assert len(repeats) == 0


def test_a_call_that_no_carrier_answered_counts() -> None:
    """It was on its way to the called number."""
    stage = staged(scripts={"carrier-a": silent(), "carrier-a-spare": silent()})
    stage.call(seconds=200.0)
    assert stage.pbx.codes[-1] >= 400
    assert len(stage.sample.view.usage.repeats) == 1


@pytest.mark.clause("policy: destinations", "EMG-04")
def test_help_is_called_at_night_and_as_often_as_it_takes() -> None:
    """Emergency calls are neither held to hours nor counted."""
    stage = staged(DAWN, most=1, modes={HOURS: Mode.BLOCK, REPEATED: Mode.BLOCK})
    emergency = {"uri": f"sip:911@{PROXY[0]};user=phone", "called": "911"}
    assert calls(stage, 3, **emergency) == [200, 200, 200]
    assert len(stage.sample.view.usage.repeats) == 0


@pytest.mark.clause("policy: destinations", "EMG-10")
def test_customers_are_called_at_night() -> None:
    """Calls from the network have no hours: a centre that calls back is one of them."""
    stage = staged(DAWN, most=1, modes={HOURS: Mode.BLOCK, REPEATED: Mode.BLOCK})
    stage.arrives()
    stage.arrives(calling="12125550124")
    assert stage.carrier.codes[-1] == 200


@pytest.mark.parametrize("mode", [Mode.BLOCK, Mode.REPORT])
def test_a_carrier_that_asks_for_credentials_was_not_called(mode: Mode) -> None:
    """The INVITE that brings them is the call; what was asked takes nothing, and no call before it, back."""
    challenge = refusing(407, ("proxy-authenticate", 'Digest realm="carrier", nonce="1"'))
    stage = staged(most=2, modes={REPEATED: mode}, scripts={"carrier-a": challenge})
    assert calls(stage, 4) == [407] * 4
    assert len(stage.sample.view.usage.repeats) == 0
    stage.carrier.script = Script()
    assert calls(stage, 2, first=4) == [200, 200]
    stage.carrier.script = challenge
    calls(stage, 1, first=6)
    last = [record for record in stage.network.records if record["event"] == "decision"][-1]
    assert (last.get("rule"), last.get("reported")) == ((REPEATED, None) if mode is Mode.BLOCK else (None, [REPEATED]))
    stage.carrier.script = Script()
    assert calls(stage, 1, first=7) == [403 if mode is Mode.BLOCK else 200]
    assert stage.sample.view.usage.repeats.within(("acme", CALLED), 86_400.0, 60.0) >= 2

"""The longest a call to some destinations may last."""

from dataclasses import replace
from typing import Any

import pytest

from sipguard.policy.account import AccountState
from sipguard.policy.destination_settings import DestinationSettings
from sipguard.policy.destination_table import DestinationTable
from sipguard.policy.rules import Mode
from sipguard.policy.scope import Scope
from sipguard.policy.settings import PolicySettings
from sipguard.sip.message import Request
from sipguard.testing.sample import CARRIER_A, OWNED, PROXY, VERIFIED, directory, flow_from
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage, answer_to

RULE = "destination.duration"
GUINEA = "224712345678"


def ends(seconds: dict[str, float] | None = None, **more: Any) -> PolicySettings:
    """A policy under which calls to Guinea last ten minutes, those to +2246 longer."""
    table = DestinationTable({"GN": 600.0, "+2246": 3600.0} if seconds is None else seconds)
    return PolicySettings(countries=("*",), destinations=DestinationSettings(max_duration=table), **more)


def byes(agent: UserAgent) -> list[Request]:
    """The BYE requests an agent got, retransmissions aside."""
    return [request for request in agent.requests if request.method == "BYE"]


@pytest.mark.clause("policy: destinations")
def test_both_sides_get_a_bye_when_the_time_is_over() -> None:
    """Not a second before; the customer hears why, the record says by which rule, and nothing is left."""
    stage = Stage(policy=ends())
    stage.call(599.0, called=GUINEA)
    assert (byes(stage.pbx), byes(stage.carrier)) == ([], [])
    stage.network.run(3.0)
    [to_pbx], [to_carrier] = byes(stage.pbx), byes(stage.carrier)
    assert to_pbx.value("reason") == 'SIP;cause=403;text="Call Duration Limit Reached"'
    assert not to_carrier.has("reason")
    end = stage.record("end")
    assert (end["rule"], end["released_by"], end["reason"]) == (RULE, "policy", "Call Duration Limit Reached")
    assert end["duration"] == pytest.approx(600.0, abs=0.1)
    assert [log.fields["rule"] for log in stage.network.logs if log.event == "call.ended"] == [RULE]
    assert stage.engine.active_calls == 0
    stage.settle()
    assert stage.events == ["decision", "answer", "end"]


def test_the_longest_prefix_says_how_long() -> None:
    """A destination may be called longer than its country."""
    stage = Stage(policy=ends())
    stage.call(3500.0, called="224612345678")
    assert byes(stage.carrier) == []
    stage.network.run(200.0)
    assert len(byes(stage.carrier)) == 1


def test_a_restart_gains_no_time_either() -> None:
    """The next process knows since when the call is up, and where it went."""
    stage = Stage(policy=ends())
    stage.call(300.0, called=GUINEA)
    stage.restart()
    stage.network.run(290.0)
    assert byes(stage.carrier) == []
    stage.network.run(15.0)
    assert (len(byes(stage.pbx)), len(byes(stage.carrier))) == (1, 1)
    assert stage.record("end")["duration"] == pytest.approx(600.0, abs=0.1)


def test_a_re_invite_gains_no_time() -> None:
    """The time runs from the first answer on."""
    stage = Stage(policy=ends())
    stage.call(500.0, called=GUINEA)
    stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
    stage.network.run(102.0)
    assert (len(byes(stage.pbx)), len(byes(stage.carrier))) == (1, 1)


def test_a_call_that_ended_before_is_left_alone() -> None:
    """Its timer finds nothing, and holds nothing until then."""
    stage = Stage(policy=ends())
    stage.call(100.0, called=GUINEA)
    stage.hang_up()
    stage.network.run(600.0)
    assert stage.record("end")["released_by"] == "caller"
    assert byes(stage.pbx) == []
    stage.settle()


def test_calls_elsewhere_go_on() -> None:
    """And none is ended where nothing is configured, which is the default."""
    for policy, called in ((ends(), "12125550123"), (ends({}), GUINEA)):
        stage = Stage(policy=policy)
        stage.call(5000.0, called=called)
        assert (byes(stage.carrier), stage.engine.active_calls) == ([], 1)


@pytest.mark.parametrize("mode", [Mode.REPORT, Mode.TAG, Mode.OFF])
def test_in_report_it_is_only_recorded(mode: Mode) -> None:
    """Once, in a record of its own, with the account; what is off says nothing."""
    stage = Stage(policy=ends(modes={RULE: mode}))
    stage.call(2000.0, called=GUINEA)
    assert (byes(stage.carrier), stage.engine.active_calls) == ([], 1)
    reported = [record for record in stage.network.records if record["event"] == "reported"]
    if mode is Mode.OFF:
        assert reported == []
        return
    (record,) = reported
    assert (record["rule"], record["account"], record["detail"]) == (RULE, "acme", "longer than 600 s to GN")
    assert record["id"] == stage.record("decision")["id"]
    assert stage.engine.counters["reported", "origination", RULE] == 1


@pytest.mark.parametrize(
    "scope",
    [
        Scope(accounts={"acme": Mode.OFF}),
        Scope(trunks={"acme-pbx": Mode.REPORT}),
        Scope(numbers={"14155550100": Mode.OFF}),
    ],
)
def test_exceptions(scope: Scope) -> None:
    """An account, a trunk or a number may talk longer."""
    stage = Stage(policy=ends(scopes={RULE: scope}))
    stage.call(2000.0, called=GUINEA)
    assert (byes(stage.carrier), stage.engine.active_calls) == ([], 1)


def test_an_emergency_call_is_never_ended() -> None:
    """However long it lasts, and whatever country is configured."""
    stage = Stage(policy=ends({"US": 60.0, "+9": 60.0}))
    stage.call(2000.0, uri=f"sip:911@{PROXY[0]}", called="911")
    assert "answer" in stage.events
    assert (byes(stage.rescue), byes(stage.pbx), stage.engine.active_calls) == ([], [], 1)


def test_a_call_from_the_network_is_never_ended() -> None:
    """It is not ours to pay for."""
    stage = Stage(policy=ends({"US": 60.0}))
    stage.arrives(2000.0)
    assert (byes(stage.carrier), byes(stage.pbx), stage.engine.active_calls) == ([], [], 1)


def test_the_policy_of_the_moment_counts() -> None:
    """A reload that allows more is waited for, one that takes the limit away ends nothing."""
    stage = Stage(policy=ends())
    stage.call(100.0, called=GUINEA)
    stage.engine.reconfigure(replace(stage.sample.view, policy=ends({"GN": 1000.0})))
    stage.network.run(800.0)
    assert byes(stage.carrier) == []
    stage.network.run(110.0)
    assert len(byes(stage.carrier)) == 1
    assert stage.record("end")["duration"] == pytest.approx(1000.0, abs=1.0)
    other = Stage(policy=ends())
    other.call(100.0, called=GUINEA)
    other.engine.reconfigure(replace(other.sample.view, policy=ends({})))
    other.network.run(5000.0)
    assert byes(other.carrier) == []


def test_an_account_that_is_gone_ends_nothing() -> None:
    """Its calls are nobody's business any more."""
    stage = Stage(policy=ends())
    stage.call(100.0, called=GUINEA)
    without = directory(state=AccountState.ACTIVE)
    without.accounts.clear()
    stage.engine.reconfigure(replace(stage.sample.view, directory=without))
    stage.network.run(1000.0)
    assert byes(stage.carrier) == []


def test_every_dialog_of_a_forked_call_ends_with_the_first_ones_time() -> None:
    """A second answer starts no second time."""
    stage = Stage(policy=ends())
    stage.call(10.0, called=GUINEA)
    request = stage.requests_to(CARRIER_A, "INVITE")[0]
    second = answer_to(request, "200 OK", "second", "Contact: <sip:second@192.0.2.21:5060>")
    stage.network.inject(second, flow_from(CARRIER_A))
    stage.network.run(595.0)
    assert {bye.to.tag for bye in byes(stage.carrier)} == {"carrier-a", "second"}
    assert stage.events.count("end") == 1


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("scope", [Scope(numbers={OWNED: Mode.OFF}), Scope(accounts={"acme/sales": Mode.OFF})])
def test_an_exception_for_whose_number_it_is(scope: Scope, restarted: bool) -> None:
    """The number that counts is the one the call is signed under, wherever it stands, and so does its end user."""
    stage = Stage(policy=ends(scopes={RULE: scope}))
    asserted = (f"P-Asserted-Identity: <sip:+{OWNED}@pbx.example>",)
    stage.call(300.0, called=GUINEA, calling=VERIFIED, headers=asserted)
    if restarted:
        stage.restart()
    stage.network.run(400.0)
    assert byes(stage.carrier) == []
    assert stage.engine.active_calls == 1

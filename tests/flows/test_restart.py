"""A restart in the middle of calls: they go on, with their dialogs, durations and limits, and nothing else does."""

from dataclasses import replace

import pytest

from sipguard.policy.account import AccountState
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_B, PROXY, TRUNKS, Sample, directory, flow_from, invite
from sipguard.traffic.limit import CallLimit
from tests.flows.carrier import with_carrier
from tests.flows.stage import SETTINGS, Stage, answer_to, answered, with_settings


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("side", ["pbx", "carrier"])
def test_a_call_survives_a_restart(side: str) -> None:
    """Another process passes in-dialog requests of both sides, and the BYE closes the record, with the duration."""
    stage = Stage()
    stage.call(5)
    stage.restart(seconds=30)
    assert stage.engine.active_calls == 1
    agent = stage.pbx if side == "pbx" else stage.carrier
    peer = stage.carrier if side == "pbx" else stage.pbx
    agent.start(agent.in_dialog("UPDATE"))
    stage.network.run(1)
    assert peer.requests[-1].method == "UPDATE"
    agent.start(agent.in_dialog("INVITE"))
    stage.network.run(2)
    assert (peer.requests[-1].method, agent.codes[-1]) == ("INVITE", 200)
    stage.hang_up(agent)
    assert (peer.requests[-1].method, agent.codes[-1]) == ("BYE", 200)
    end = stage.record("end")
    assert end["id"] == stage.record("decision")["id"]
    assert end["released_by"] == ("caller" if side == "pbx" else "called")
    assert 36 < end["duration"] < 39
    assert stage.engine.active_calls == 0
    stage.restart()
    assert stage.engine.active_calls == 0
    assert stage.events == ["decision", "answer", "end"]
    stage.settle()


@pytest.mark.clause("PRX-24")
def test_targets_and_routes_survive() -> None:
    """Where the parties are, as they said last, and the way to them; and nobody is led elsewhere after a restart."""
    near = f"<sip:{CARRIER_A[0]};lr>"
    stage = answered("<sip:callee@callee.example>", near)
    stage.pbx.contact = f"<sip:moved@{ACME_PBX[0]}:{ACME_PBX[1]}>"
    stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
    stage.network.run(1)
    stage.restart()
    for uri, code in (("sip:callee@callee.example", 200), ("sip:other@callee.example", 403)):
        info = stage.pbx.in_dialog("INFO")
        info.set_uri(uri)
        stage.pbx.start(info)
        stage.network.run(1)
        assert stage.pbx.codes[-1] == code
    assert stage.carrier.requests[-1].listed("route") == [near]
    info = stage.carrier.in_dialog("INFO")
    info.set_uri(f"sip:moved@{ACME_PBX[0]}:{ACME_PBX[1]}")
    stage.carrier.start(info)
    stage.network.run(1)
    assert stage.pbx.requests[-1].uri == info.uri


@pytest.mark.clause("PRX-24")
def test_limits_survive() -> None:
    """A call that is up takes its place under a limit after a restart as well, until its BYE."""
    policy = PolicySettings(limits=CallLimits(trunk=CallLimit(concurrent=1)))
    stage = Stage(policy=policy)
    stage.call()
    stage.restart()
    stage.pbx.start(invite(call_id="call-2@sample"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 503
    stage.pbx.start(bye := first_bye(stage))
    stage.network.run(1)
    assert (bye.method, stage.pbx.codes[-1]) == ("BYE", 200)
    stage.pbx.start(invite(call_id="call-3@sample"))
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 200


@pytest.mark.clause("PRX-24")
def test_what_was_suspended_meanwhile_ends() -> None:
    """``policy.suspended_calls`` knows the calls of the process before; BYE has a number above all that went before."""
    stage = Stage(policy=PolicySettings(end_suspended=True))
    stage.call()
    for _ in range(3):
        stage.pbx.start(stage.pbx.in_dialog("INFO"))
        stage.network.run(1)
    stage.restart()
    view = replace(stage.sample.view, directory=directory(state=AccountState.SUSPENDED))
    stage.engine.reconfigure(view)
    stage.network.run(1)
    (to_carrier,) = stage.requests_to(CARRIER_A, "BYE")
    (to_pbx,) = stage.requests_to(ACME_PBX, "BYE")
    assert to_carrier.cseq.number > stage.requests_to(CARRIER_A, "INFO")[-1].cseq.number
    assert to_pbx.from_.tag == "carrier-a"
    assert stage.record("end")["released_by"] == "policy"


@pytest.mark.clause("PRX-24")
def test_a_call_that_lost_its_bye_meanwhile() -> None:
    """The longest silence of a call is counted from its last sign of life, whichever process saw that."""
    stage = Stage(settings=with_settings(max_call_duration=3600.0))
    stage.call()
    stage.restart(seconds=3000)
    stage.network.run(500)
    assert stage.engine.active_calls == 1
    stage.network.run(200)
    assert stage.record("end")["released_by"] == "timeout"
    assert stage.record("end")["duration"] >= 3600
    stage.call(call_id="call-2@sample")
    stage.restart(seconds=4000)
    stage.network.run(1)
    assert stage.engine.active_calls == 0
    assert stage.events.count("end") == 2


@pytest.mark.clause("FRK-01", "PRX-24")
def test_each_fork_survives() -> None:
    """Of two dialogs one had its BYE before the restart; the other's ends the call."""
    stage = answered(f"<sip:one@{CARRIER_A[0]}>")
    second = answer_to(stage.carrier.requests[0], "200 OK", "second", f"Contact: <sip:two@{CARRIER_A[0]}>")
    stage.network.inject(second, flow_from(CARRIER_A))
    stage.network.run(0.1)
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    stage.restart()
    assert (stage.engine.active_calls, stage.events) == (1, ["decision", "answer"])
    bye = stage.pbx.in_dialog("BYE")
    bye.set("to", bye.required("to").replace("tag=second", "tag=carrier-a"))
    bye.set_uri(f"sip:one@{CARRIER_A[0]}")
    stage.pbx.start(bye)
    stage.network.run(1)
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("PRX-24", "RFC 3261 22.3")
def test_shifted_numbers_survive() -> None:
    """The carrier that challenged the INVITE, and a request inside, goes on to get higher numbers."""
    stage, carrier = with_carrier()
    stage.call()
    stage.pbx.start(stage.pbx.in_dialog("INFO"))
    stage.network.run(2)
    stage.restart()
    stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
    stage.network.run(1)
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    assert carrier.complaints == []
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("PRX-24")
def test_a_call_whose_trunk_is_gone() -> None:
    """It is closed: nobody could be reached through it."""
    stage = Stage()
    stage.call()
    renamed = tuple(replace(trunk, name="renamed") if trunk.name == "carrier-a" else trunk for trunk in TRUNKS)
    view = replace(stage.sample.view, directory=directory(renamed))
    engine = stage.sample.restarted()
    engine.reconfigure(view)
    stage.network.restart(engine)
    assert stage.engine.active_calls == 0
    assert stage.record("end")["released_by"] == "unknown"
    assert [dict(log.fields)["given_up"] for log in stage.network.logs if log.event == "calls.recovered"] == [1]
    stage.restart()
    assert stage.events.count("end") == 1


def test_lines_that_are_none() -> None:
    """What cannot be read costs nothing but itself."""
    stage = Stage()
    stage.call()
    stage.network.remembered += [b"", b"{", b"[]", b'{"id":7}', b'{"id":"6b49d2000001-1","dialogs":[1]}', b"\xff"]
    stage.network.remembered.append(b'{"x":' + b"[" * 100_000)
    stage.restart()
    assert stage.engine.active_calls == 1
    assert stage.errors == []


def test_nothing_is_remembered_of_a_call_that_was_not_answered() -> None:
    """Only what is up outlives a process."""
    stage = Stage()
    stage.call(0.3)
    assert (stage.network.remembered, stage.engine.active_calls) == ([], 1)


# --- what the tokens are good for


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "REFER", "MESSAGE", "INFO"])
def test_a_token_is_no_way_around_screening_after_a_restart(method: str, remembers: bool) -> None:
    """An invented To tag, or the true one of a call that nobody knows, opens no way to a carrier: 481."""
    stage = Stage()
    stage.call()
    if remembers:
        stage.restart()
    else:
        stage.network.engine = stage.sample.restarted()
    request = stage.pbx.in_dialog(method)
    if remembers:
        request.set("to", request.required("to").replace("tag=carrier-a", "tag=invented"))
    request.set_uri(f"sip:+19005550100@{CARRIER_B[0]}:{CARRIER_B[1]}")
    stage.pbx.start(request)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481
    assert stage.octets_to(CARRIER_B) == []


@pytest.mark.clause("PRX-24")
def test_without_a_memory_a_bye_passes_by_its_token() -> None:
    """A process that could not read what was remembered lets BYE through and closes the record it names."""
    stage = Stage()
    stage.call(5)
    stage.network.engine = stage.sample.restarted()
    stage.hang_up()
    assert (stage.carrier.requests[-1].method, stage.pbx.codes[-1]) == ("BYE", 200)
    end = stage.record("end")
    assert (end["id"], end["released_by"], end["answered"]) == (stage.record("decision")["id"], "unknown", True)
    assert "duration" not in end
    stage.settle()


@pytest.mark.clause("PRX-24")
def test_a_call_that_was_over_ends_once() -> None:
    """A BYE with the token of a call that ended before the restart passes and leaves no second record."""
    stage = Stage()
    stage.call()
    again = stage.pbx.in_dialog("BYE")
    stage.hang_up()
    stage.restart()
    stage.pbx.start(again)
    stage.network.run(1)
    assert stage.events == ["decision", "answer", "end"]


@pytest.mark.clause("PRX-24", "PRX-03")
def test_a_strict_router_after_a_restart() -> None:
    """The token also counts when it comes back in the Request-URI, and the record it names is closed."""
    stage = Stage()
    stage.call()
    stage.restart()
    bye = stage.pbx.in_dialog("BYE")
    (route,) = bye.listed("route")
    bye.set("route", f"<{bye.uri}>")
    bye.set_uri(route.strip("<>"))
    stage.pbx.start(bye)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    assert stage.record("end")["id"] == stage.record("decision")["id"]


@pytest.mark.clause("PRX-24")
def test_another_secret_opens_nothing() -> None:
    """An engine with another secret does not believe the token."""
    stage = Stage()
    stage.call()
    stage.network.engine = Sample(settings=with_settings(record_route_secret=b"other")).engine
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481
    assert stage.requests_to(CARRIER_A, "BYE") == []
    assert SETTINGS.record_route_secret != b"other"


@pytest.mark.clause("PRX-24")
def test_an_old_token_opens_nothing() -> None:
    """No call lasts longer than ``max_call_duration``, and no token after a restart."""
    stage = Stage(settings=with_settings(max_call_duration=3600.0))
    stage.call()
    stage.network.engine = stage.sample.restarted()
    stage.network.run(3500)
    notify = stage.pbx.in_dialog("NOTIFY")
    stage.pbx.start(notify)
    stage.network.run(100)
    assert stage.pbx.codes[-1] == 200
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("side", ["pbx", "carrier"])
def test_a_token_is_good_for_the_callers_tag_only(side: str) -> None:
    """A dialog between two invented tags is none, whichever side's token it shows."""
    stage = Stage()
    stage.call()
    stage.network.engine = stage.sample.restarted()
    request = stage.pbx.in_dialog("BYE")
    if side == "carrier":
        request.set("route", stage.carrier.requests[0].required("record-route"))
    request.set("from", request.required("from").replace("caller-tag", "invented"))
    stage.pbx.start(request)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481


@pytest.mark.clause("PRX-24")
def test_a_record_cannot_be_closed_by_a_word_in_the_route() -> None:
    """Only the record our own token names is closed, whatever else stands in the Route value."""
    stage = Stage()
    stage.call()
    stage.network.engine = stage.sample.restarted()
    bye = stage.pbx.in_dialog("BYE")
    (route,) = bye.listed("route")
    bye.set("route", f'"dialog=1-1.x" {route};x="dialog=2-2.y"')
    stage.pbx.start(bye)
    stage.network.run(1)
    assert stage.record("end")["id"] == stage.record("decision")["id"]


@pytest.mark.clause("TXN-22", "RFC 6026 7.3")
def test_responses_of_the_life_before_are_dropped() -> None:
    """A 200 for an INVITE the engine does not know goes nowhere."""
    stage = Stage()
    stage.call(0.2)
    stage.network.engine = stage.sample.restarted()
    stage.network.run(2)
    assert 200 not in stage.pbx.codes
    assert PROXY[1] == 5060
    assert stage.network.inject(b"\r\n\r\n", flow_from(ACME_PBX)) == []


def first_bye(stage: Stage) -> Request:
    """The caller's BYE of the first call, though it has tried another since."""
    answer = next(response for response in stage.pbx.responses if response.code == 200)
    request = stage.pbx.in_dialog("BYE")
    request.set("call-id", answer.call_id)
    return request


@pytest.mark.clause("PRX-24")
def test_a_clock_that_was_put_back() -> None:
    """The wall clock stands an hour before the answer after a restart: no duration is less than nothing."""
    stage = Stage()
    stage.call(5)
    stage.network._wall -= 3600
    stage.restart()
    stage.hang_up()
    assert 0 <= stage.record("end")["duration"] < 2

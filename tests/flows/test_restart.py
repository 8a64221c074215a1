"""A restart in the middle of calls: dialogs go on through the token in their route set."""

import pytest

from sipguard.testing.sample import ACME_PBX, CARRIER_A, PROXY, Sample, flow_from
from tests.flows.stage import SETTINGS, Stage, with_settings


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("side", ["pbx", "carrier"])
def test_a_dialog_survives_a_restart(side: str) -> None:
    """Another engine with the same secret passes in-dialog requests of both sides, and its BYE closes the record."""
    stage = Stage()
    stage.call(5)
    stage.network.engine = stage.sample.restarted()
    agent = stage.pbx if side == "pbx" else stage.carrier
    peer = stage.carrier if side == "pbx" else stage.pbx
    agent.start(agent.in_dialog("UPDATE"))
    stage.network.run(1)
    assert peer.requests[-1].method == "UPDATE"
    stage.hang_up(agent)
    assert (peer.requests[-1].method, agent.codes[-1]) == ("BYE", 200)
    end = stage.record("end")
    assert (end["id"], end["released_by"], end["answered"]) == (stage.record("decision")["id"], "unknown", True)
    assert "duration" not in end
    stage.settle()


@pytest.mark.clause("PRX-24", "PRX-03")
def test_a_strict_router_after_a_restart() -> None:
    """The token also counts when it comes back in the Request-URI, and the record it names is closed."""
    stage = Stage()
    stage.call()
    stage.network.engine = stage.sample.restarted()
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
    info = stage.pbx.in_dialog("INFO")
    stage.pbx.start(info)
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
    request = stage.pbx.in_dialog("INVITE")
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

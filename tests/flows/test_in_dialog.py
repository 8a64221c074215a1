"""Requests inside a dialog: along the route set from both sides, and for no dialog but ours."""

import pytest

from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.testing.sample import ACME_PBX, CARRIER_A, PROXY, flow_from, invite
from tests.flows.stage import Stage, answered, octets, ringing

THERE = f"sip:{CARRIER_A[0]}:{CARRIER_A[1]}"
METHODS = ("UPDATE", "INFO", "PRACK", "OPTIONS", "REFER", "NOTIFY", "BYE")


@pytest.mark.clause("PRX-24", "PRX-07", "RFC 3261 16.12")
@pytest.mark.parametrize("method", METHODS)
def test_from_the_caller(method: str) -> None:
    """A request of the caller reaches the callee's Contact without our Route, on one hop less."""
    stage = Stage()
    stage.call()
    stage.pbx.start(stage.pbx.in_dialog(method))
    stage.network.run(1)
    request = stage.carrier.requests[-1]
    assert (request.method, request.uri) == (method, f"sip:{CARRIER_A[0]}:{CARRIER_A[1]}")
    assert not request.has("route")
    assert not request.has("record-route")
    assert request.value("max-forwards") == "69"
    assert stage.pbx.codes[-1] == 200
    assert stage.events[:2] == ["decision", "answer"]


@pytest.mark.clause("PRX-24", "PRX-07")
@pytest.mark.parametrize("method", METHODS)
def test_from_the_callee(method: str) -> None:
    """The same in the other direction."""
    stage = Stage()
    stage.call()
    stage.carrier.start(stage.carrier.in_dialog(method))
    stage.network.run(1)
    request = stage.pbx.requests[-1]
    assert (request.method, request.uri) == (method, f"sip:{ACME_PBX[0]}:{ACME_PBX[1]}")
    assert stage.carrier.codes[-1] == 200


@pytest.mark.clause("PRX-24", "RFC 3261 14.1")
def test_a_re_invite_is_not_screened_again() -> None:
    """A re-INVITE gets its 100, goes to the callee, its answer and ACK come through, and nothing new is recorded."""
    stage = Stage()
    stage.call()
    stage.pbx.start(stage.pbx.in_dialog("INVITE"))
    stage.network.run(2)
    assert stage.pbx.codes == [100, 180, 200, 100, 180, 200]
    assert len(stage.carrier.acks) == 2
    assert stage.events == ["decision", "answer"]
    stage.hang_up()
    assert stage.events == ["decision", "answer", "end"]
    stage.settle()


@pytest.mark.clause("TXN-23")
def test_a_re_invite_that_only_rings_is_ended_by_timer_c() -> None:
    """Timer C also bounds a re-INVITE."""
    stage = Stage()
    stage.call()
    stage.carrier.script = ringing()
    stage.pbx.start(stage.pbx.in_dialog("INVITE"))
    stage.network.run(190)
    assert stage.pbx.codes[-1] == 408
    assert stage.engine.active_calls == 1
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("PRX-23", "RFC 3261 16.7 (9)")
def test_an_ack_is_never_answered() -> None:
    """An ACK without a hop left, or for no dialog of ours, is dropped in silence."""
    stage = Stage()
    stage.call()
    for change in ({"max-forwards": "00"}, {"call-id": "unknown@sample"}):
        ack = stage.pbx.in_dialog("ACK")
        for name, value in change.items():
            ack.set(name, value)
        assert stage.network.inject(ack.encode(), flow_from(ACME_PBX)) == []


@pytest.mark.clause("PRX-23", "PRX-01")
def test_an_ack_for_a_2xx_travels_on_a_branch_of_its_own() -> None:
    """The forwarded ACK has a branch the INVITE did not have."""
    stage = Stage()
    stage.call()
    (sent,) = stage.requests_to(CARRIER_A, "INVITE")
    (ack,) = stage.carrier.acks
    assert ack.via.branch != sent.via.branch


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("token", [None, "6b49d200-1.0000000000000000", "6b49d200-1", "", "."])
def test_an_invented_dialog_is_481(token: str | None) -> None:
    """A request with a To tag but without a token of ours gets 481."""
    stage = Stage()
    stage.call()
    bye = forged(f"<sip:{PROXY[0]}:{PROXY[1]};lr{'' if token is None else f';dialog={token}'}>")
    outputs = stage.network.inject(bye, flow_from(ACME_PBX))
    assert [output.data[:11] for output in outputs] == [b"SIP/2.0 481"]  # type: ignore[union-attr]
    assert stage.carrier.requests[1:] == []
    assert stage.engine.active_calls == 1


@pytest.mark.clause("PRX-24")
def test_a_token_is_good_for_its_own_call_only() -> None:
    """The token of one call does not open another Call-ID."""
    stage = Stage()
    stage.call()
    (route,) = stage.carrier.requests[0].listed("record-route")
    outputs = stage.network.inject(forged(route), flow_from(ACME_PBX))
    assert outputs[0].data.startswith(b"SIP/2.0 481 ")  # type: ignore[union-attr]


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("method", ["BYE", "PRACK", "UPDATE", "INFO"])
def test_what_needs_a_dialog_and_has_none_is_481(method: str) -> None:
    """A request that only makes sense in a dialog, without a To tag, gets 481."""
    stage = Stage()
    outputs = stage.network.inject(invite(method=method).encode(), flow_from(ACME_PBX))
    assert outputs[0].data.startswith(b"SIP/2.0 481 ")  # type: ignore[union-attr]


@pytest.mark.clause("PRX-03", "RFC 3261 16.4")
def test_a_strict_router_upstream() -> None:
    """Our Record-Route URI as Request-URI, the target last in Route: the target becomes the Request-URI again."""
    stage = Stage()
    stage.call()
    bye = strict(stage.pbx.in_dialog("BYE"))
    stage.pbx.start(bye)
    stage.network.run(1)
    request = stage.carrier.requests[-1]
    assert (request.method, request.uri) == ("BYE", f"sip:{CARRIER_A[0]}:{CARRIER_A[1]}")
    assert not request.has("route")
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("PRX-06", "RFC 3261 16.6 (6)")
def test_a_strict_router_downstream() -> None:
    """A next Route without lr becomes the Request-URI, and the target moves to the end of Route."""
    stage = answered(f"<{THERE}>", "<sip:behind.example;lr>", f"<sip:{CARRIER_A[0]};strict>")
    stage.pbx.start(stage.pbx.in_dialog("INFO"))
    stage.network.run(1)
    request = stage.carrier.requests[-1]
    assert request.uri == f"sip:{CARRIER_A[0]};strict"
    assert request.listed("route") == ["<sip:behind.example;lr>", f"<sip:{CARRIER_A[0]}:{CARRIER_A[1]}>"]


@pytest.mark.clause("PRX-05", "PRX-07")
def test_only_our_own_route_values_come_off() -> None:
    """The next proxy's Route value stays and decides the next hop; the Request-URI is untouched."""
    stage = answered("<sip:far-away.example>", f"<sip:{CARRIER_A[0]};lr>")
    stage.pbx.start(stage.pbx.in_dialog("INFO"))
    stage.network.run(1)
    request = stage.carrier.requests[-1]
    assert (request.uri, request.listed("route")) == ("sip:far-away.example", [f"<sip:{CARRIER_A[0]};lr>"])


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("route", ["<sip:", "<mailto:a@b>", '"', "<sip:203.0.113.5:99999;lr>"])
def test_a_broken_route_is_400(route: str) -> None:
    """A Route that cannot be read gets 400 and costs nothing else."""
    stage = Stage()
    stage.call()
    info = stage.pbx.in_dialog("INFO")
    info.set("route", route)
    stage.pbx.start(info)
    stage.network.run(1)
    assert stage.pbx.codes[-1] in (400, 403)
    assert stage.errors == []


@pytest.mark.clause("PRX-24", "FRK-13")
def test_a_next_hop_that_is_no_address_is_400() -> None:
    """A maddr with a colon that is no IPv6 address never becomes a place to send to."""
    stage = answered("<sip:callee@host.example;maddr=a:b>")
    stage.pbx.start(stage.pbx.in_dialog("INFO"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 400


@pytest.mark.clause("PRX-24")
def test_a_dialog_request_for_ourselves_is_481() -> None:
    """An in-dialog request whose target is this proxy would come back to us; it gets 481 instead."""
    stage = answered(f"<sip:{PROXY[0]}>")
    stage.pbx.start(stage.pbx.in_dialog("INFO"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481


@pytest.mark.clause("FRK-13", "PRX-25")
def test_an_unresolvable_target_is_480() -> None:
    """The remote target's name has no address: 480, and an ACK is forgotten."""
    stage = answered("<sip:callee@nowhere.example>")
    for method in ("ACK", "INFO"):
        stage.network.inject(stage.pbx.in_dialog(method).encode(), flow_from(ACME_PBX))
    stage.network.run(3)
    assert [data[:11] for data in stage.octets_to(ACME_PBX)][-1] == b"SIP/2.0 480"
    assert stage.engine.parked == 0


@pytest.mark.clause("TXN-24", "RFC 3261 16.9")
def test_a_callee_that_cannot_be_reached_is_500() -> None:
    """A mid-dialog request that cannot be sent gets 500."""
    stage = Stage()
    stage.call()
    stage.network.unreachable.add(CARRIER_A)
    stage.pbx.start(stage.pbx.in_dialog("INFO"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 500


@pytest.mark.clause("PRX-24")
def test_both_sides_say_bye_at_once() -> None:
    """Two BYE that cross are both delivered and answered; the record is closed once."""
    stage = Stage()
    stage.call()
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.carrier.start(stage.carrier.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == stage.carrier.codes[-1] == 200
    assert stage.events.count("end") == 1
    assert stage.engine.active_calls == 0
    stage.settle()


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "INFO", "REFER", "UPDATE"])
def test_the_token_of_a_call_is_no_way_around_screening(method: str) -> None:
    """With the right token but a tag nobody gave, or after the call has ended, nothing new gets out."""
    stage = Stage()
    stage.call()
    request = stage.pbx.in_dialog(method)
    request.set("to", "<sip:+19005550123@192.0.2.21>;tag=invented")
    request.set("from", "<sip:+14155559999@192.0.2.11>;tag=caller-tag")
    stage.pbx.start(request)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481
    later = stage.pbx.in_dialog(method)
    stage.hang_up()
    before = len(stage.carrier.requests)
    stage.pbx.start(later)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481
    assert len(stage.carrier.requests) == before


@pytest.mark.clause("PRX-24")
def test_what_may_follow_the_end_of_a_call() -> None:
    """The NOTIFY of a transfer comes after the BYE, and still passes."""
    stage = Stage()
    stage.call()
    stage.hang_up()
    stage.carrier.start(stage.carrier.in_dialog("NOTIFY"))
    stage.network.run(1)
    assert stage.carrier.codes[-1] == 200


@pytest.mark.clause("EXT-04", "PRX-08", "PRX-24")
def test_a_subscription_goes_on() -> None:
    """SUBSCRIBE opens a dialog of its own, in which NOTIFY finds its way."""
    stage = Stage()
    stage.call(method="SUBSCRIBE")
    subscribe = stage.carrier.requests[0]
    notify = forged(subscribe.listed("record-route")[0]).replace(b"BYE", b"NOTIFY")
    notify = notify.replace(b"Call-ID: forged", f"Call-ID: {subscribe.call_id}".encode())
    notify = notify.replace(f"sip:{CARRIER_A[0]}".encode(), f"sip:{ACME_PBX[0]}".encode(), 1)
    notify = notify.replace(b";tag=y", b";tag=caller-tag")
    stage.network.inject(notify, flow_from(CARRIER_A))
    stage.network.run(1)
    assert stage.pbx.requests[-1].method == "NOTIFY"


@pytest.mark.clause("PRX-24", "PRX-12")
def test_a_call_that_comes_through_twice_is_two_calls() -> None:
    """A carrier that is a proxy sends acme's call back to acme: two records, each closed by its passage of the BYE."""
    stage = Stage()
    stage.network.detach(CARRIER_A)
    stage.network.attach(CARRIER_A, Mirror(stage))
    stage.network.attach(PROXY, Loopback(stage))
    stage.call(1)
    stage.network.run(3)
    assert [response.code for response in stage.pbx.responses][-1] == 200
    assert stage.engine.active_calls == 2
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    ends = [record for record in stage.network.records if record["event"] == "end"]
    decisions = [record["id"] for record in stage.network.records if record["event"] == "decision"]
    assert sorted(str(record["id"]) for record in ends) == decisions
    assert {record["released_by"] for record in ends} == {"caller"}
    assert stage.engine.active_calls == 0


@pytest.mark.clause("PRX-24")
def test_a_call_without_a_bye_ends_by_itself() -> None:
    """A call whose BYE was lost is closed after the longest duration a call may have."""
    stage = Stage()
    stage.call()
    stage.network.run(6 * 3600)
    assert stage.record("end")["released_by"] == "timeout"
    assert stage.engine.active_calls == 0


@pytest.mark.clause("PRX-24", "RFC 4028")
def test_a_call_that_shows_signs_of_life_goes_on() -> None:
    """A session refresh before the longest silence is over keeps the call."""
    stage = Stage()
    stage.call()
    for _ in range(3):
        stage.network.run(5 * 3600)
        stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
        stage.network.run(1)
    assert stage.pbx.codes[-1] == 200
    assert stage.engine.active_calls == 1
    stage.hang_up()
    assert stage.record("end")["duration"] > 15 * 3600


def forged(route: str) -> bytes:
    """A BYE for a dialog that never was."""
    return octets(
        f"BYE sip:{CARRIER_A[0]}:{CARRIER_A[1]} SIP/2.0", f"Via: SIP/2.0/UDP {ACME_PBX[0]};branch=z9hG4bKforged",
        f"Route: {route}", "From: <sip:a@b>;tag=x", "To: <sip:c@d>;tag=y", "Call-ID: forged", "CSeq: 2 BYE",
    )  # fmt: skip


def strict(request: Request) -> Request:
    """The request as a strict router sends it on to us."""
    (route,) = request.listed("route")
    target = request.uri
    changed = request.fork()
    changed.set("route", f"<{target}>")
    changed.set_uri(route.strip("<>"))
    message = parse(changed.encode())
    assert isinstance(message, Request)
    return message


class Loopback:
    """What the engine sends to its own address comes back to it."""

    def __init__(self, stage: Stage) -> None:
        self.network = stage.network

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Turn round."""
        self.network.send_to_engine(data, flow_from(PROXY))

    def tick(self, now: float) -> None:
        """Nothing is ever due."""

    def deadline(self) -> float | None:
        """Nothing is ever due."""
        return None


class Mirror(Loopback):
    """A carrier that is a proxy: it sends every request back to us with acme's number, and every response too."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One Via more or less, and the other number."""
        message = parse(data).fork()
        if isinstance(message, Request):
            message.prepend("via", f"SIP/2.0/UDP {CARRIER_A[0]};branch=z9hG4bKm{message.via.branch}")
            message.set_uri(message.uri.replace("+12125550123", "+14155550100"))
        else:
            message.remove_first("via")
        self.network.send_to_engine(message.encode(), flow_from(CARRIER_A))

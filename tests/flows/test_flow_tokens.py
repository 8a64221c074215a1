"""Neighbours that cannot be dialled: what they are sent in a dialog leaves on the flow their own requests came by."""

from typing import Any

import pytest

from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import ACME_PBX, CARRIER_A, LISTENERS, PROXY, TLS_LISTENER, changed, invite
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage

WS, WSS = Listener(3, "ws", PROXY[0], 8080, PROXY[0], 8080), Listener(4, "wss", PROXY[0], 8443, PROXY[0], 8443)
ALL = (*LISTENERS, TLS_LISTENER, WS, WSS)
BROWSER: Endpoint = (ACME_PBX[0], 51234)
NOWHERE = "<sip:x@df7jal23ls0d.invalid;transport=ws>"
NUMBERS = {"udp": 0, "tcp": 1, "tls": 2, "ws": 3, "wss": 4}


def stage(**trunk: Any) -> Stage:
    """Everybody, with every kind of listener; ``trunk`` changes the customer's."""
    return Stage(trunks=changed("acme-pbx", **trunk), listeners=ALL)


def browser(on: Stage, transport: str = "ws", contact: str = NOWHERE, connection: int = 7) -> UserAgent:
    """A customer that nobody can dial."""
    return on.agent(
        BROWSER, "browser", transport=transport, listener=NUMBERS[transport], contact=contact, connection=connection
    )


def calls(who: UserAgent, on: Stage, **changes: Any) -> Request:
    """It calls, without Content-Length over a WebSocket, from a Via that names nobody; the INVITE the carrier got."""
    request = invite(transport=who.transport.upper(), **changes)
    request.set("contact", who.contact)
    if who.transport in ("ws", "wss"):
        request.remove("content-length")
        request.set("via", f"SIP/2.0/{who.transport.upper()} df7jal23ls0d.invalid;branch=z9hG4bK{request.call_id[:6]}")
    who.start(request)
    on.network.run(2)
    assert who.codes == [100, 180, 200]
    return on.carrier.requests[0]


def flow_of(who: UserAgent) -> Flow:
    """Its flow, as the engine sees it."""
    return Flow(who.listener, who.transport, *who.endpoint, who.connection, who.names)


def sent_on(on: Stage, flow: Flow, method: str) -> list[bytes]:
    """What of a method left on a flow."""
    return [send.data for _, send in on.network.sent if send.flow == flow and send.data.startswith(method.encode())]


def forged(request: Request, change: Any) -> Request:
    """The same request with the user part of a Route of ours changed."""
    routes = [change(route) if "@" in route else route for route in request.listed("route")]
    assert routes != request.listed("route")
    request.set("route", ", ".join(routes))
    return request


@pytest.mark.clause("TRN-15", "TRN-16", "EXT-09", "RFC 7118 5.2.1", "RFC 5626 5.3.1")
@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_browser_is_reached_on_its_connection(transport: str) -> None:
    """A call from a browser whose Via and Contact name nobody: responses and requests of the called side all come
    on its connection; Via says how, Record-Route has a value for each side, and no name is ever asked for."""
    on = stage()
    who = browser(on, transport)
    invited = calls(who, on)
    assert invited.listed("via")[1].startswith(f"SIP/2.0/{transport.upper()} df7jal23ls0d.invalid;")
    towards_carrier, towards_browser = invited.listed("record-route")
    assert "@" not in towards_carrier
    assert f"@{PROXY[0]}:{8080 if transport == 'ws' else 8443};transport=ws;lr;dialog=" in towards_browser
    assert invited.value("content-length") == str(len(invited.body))
    for method in ("UPDATE", "NOTIFY", "BYE"):
        on.carrier.start(on.carrier.in_dialog(method))
        on.network.run(1)
    assert [request.method for request in who.requests] == ["UPDATE", "NOTIFY", "BYE"]
    assert on.carrier.codes == [200, 200, 200]
    assert who.requests[0].via.transport == transport.upper()
    assert who.requests[0].listed("route") == []
    received = {send.flow for _, send in on.network.sent if (send.flow.host, send.flow.port) == BROWSER}
    assert received == {flow_of(who)}
    assert on.record("end")["released_by"] == "called"
    on.settle()


@pytest.mark.clause("TRN-15", "RFC 5626 5.3.2")
def test_a_browser_hangs_up() -> None:
    """What comes from the browser goes the way of its route set, to the carrier."""
    on = stage()
    who = browser(on)
    calls(who, on)
    on.hang_up(who)
    assert [request.method for request in on.carrier.requests] == ["INVITE", "BYE"]
    assert who.codes[-1] == 200
    on.settle()


@pytest.mark.clause("EXT-09", "RFC 5626 5.3.1")
@pytest.mark.parametrize(
    "change",
    [
        lambda route: route.replace("-7.", "-8."),  # another connection
        lambda route: route.replace("sip:0", "sip:1", 1),  # another engine
        lambda route: route.partition(".")[0] + "." + "0" * 20 + "@" + route.partition("@")[2],
        lambda route: "<sip:nobody@" + route.partition("@")[2],
        lambda route: "<sip:a%e4-b.c@" + route.partition("@")[2],
    ],
)
def test_a_changed_token_is_refused(change: Any) -> None:
    """403 for a token we did not write, and nobody is sent anything; the true one still works."""
    on = stage()
    who = browser(on)
    calls(who, on)
    on.carrier.start(forged(on.carrier.in_dialog("BYE"), change))
    on.network.run(1)
    assert on.carrier.codes == [403]
    assert who.requests == []
    on.hang_up(on.carrier)
    assert on.carrier.codes[-1] == 200
    assert len(who.requests) == 1
    on.settle()


@pytest.mark.clause("EXT-09")
def test_a_token_is_good_for_its_own_call() -> None:
    """The token of one call in the route set of another is forged."""
    on = stage()
    who = browser(on)
    first = calls(who, on)
    token = first.listed("record-route")[1].partition("sip:")[2].partition("@")[0]
    other = browser(on, connection=9)
    on.carrier.requests.clear()
    calls(other, on, call_id="call-2@sample")
    bye = forged(on.carrier.in_dialog("BYE"), lambda route: f"<sip:{token}@{route.partition('@')[2]}")
    on.carrier.start(bye)
    on.network.run(1)
    assert on.carrier.codes == [403]
    assert (who.requests, other.requests) == ([], [])


@pytest.mark.clause("EXT-09", "RFC 5626 5.3.1", "RFC 5626 11.5")
def test_a_flow_that_is_gone_fails() -> None:
    """430 when the connection is gone; the BYE still ends the call on record; nobody else is sent anything."""
    on = stage()
    who = browser(on)
    calls(who, on)
    on.network.apply(on.engine.lost(flow_of(who), on.network.now, on.network.wall))
    other = browser(on, connection=8)  # it connects again, and takes what is sent to its address
    on.carrier.start(on.carrier.in_dialog("INFO"))
    on.hang_up(on.carrier)
    assert on.carrier.codes == [430, 430]
    assert other.requests == []
    assert on.record("end")["released_by"] == "called"
    on.settle()


@pytest.mark.clause("EXT-09", "RFC 5626 11.5")
def test_a_flow_that_fails_meanwhile() -> None:
    """430, too, when the connection is lost while the request is under way."""
    on = stage()
    who = browser(on)
    calls(who, on)
    on.network.detach(BROWSER)
    on.carrier.start(on.carrier.in_dialog("INFO"))
    on.network.run(0.1)
    on.network.apply(on.engine.lost(flow_of(who), on.network.now, on.network.wall))
    on.network.run(1)
    assert on.carrier.codes == [430]


@pytest.mark.clause("EXT-09", "RFC 5626 5.2")
def test_connections_of_an_engine_before_this_one_are_gone() -> None:
    """After a restart numbers of connections start again: a token from before is 430, though the number is in use."""
    on = stage()
    who = browser(on)
    calls(who, on)
    on.network.engine = restarted(on, 1000)
    other = browser(on)
    calls(other, on, call_id="call-2@sample")
    on.carrier.requests = on.carrier.requests[:1]
    on.hang_up(on.carrier)
    assert on.carrier.codes == [430]
    assert other.requests == []


def restarted(on: Stage, first: int) -> Any:
    """Another engine of the same node; its random texts count from ``first``."""
    numbers = iter(range(first, first + 10_000))
    return type(on.engine)(on.listeners, on.settings, on.sample.view, lambda: f"{next(numbers):016x}")


@pytest.mark.clause("EXT-09", "RFC 5626 5.3.2")
@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("contact", ["<sip:pbx@10.0.0.5:5060;ob>", "<sip:pbx@10.0.0.5;transport=tcp;OB>;expires=9"])
def test_outbound_over_a_stream(transport: str, contact: str) -> None:
    """A Contact with ob asks for it: the BYE of the called side comes on the caller's own connection."""
    on = stage()
    who = browser(on, transport, contact)
    calls(who, on)
    on.hang_up(on.carrier)
    assert len(sent_on(on, flow_of(who), "BYE")) == 1
    assert who.requests[0].method == "BYE"
    on.settle()


@pytest.mark.parametrize(
    ("transport", "contact"),
    [
        ("tcp", "<sip:pbx@192.0.2.11:5060;transport=tcp>"),
        ("tcp", "<sip:pbx@192.0.2.11:5060;transport=tcp>;note=;ob"),
        ("tcp", "<sip:pbx@192.0.2.11:5060;transport=tcp;object=x>"),
        ("udp", "<sip:pbx@192.0.2.11:5060;ob>"),
    ],
)
def test_who_can_be_dialled_is(transport: str, contact: str) -> None:
    """Without ob, or over UDP, requests go where the Contact says, and our routes have no user part."""
    on = stage()
    who = browser(on, transport, contact, connection=7 if transport == "tcp" else 0)
    invited = calls(who, on)
    assert "@" not in "".join(invited.listed("record-route"))
    on.hang_up(on.carrier)
    assert len(on.requests_to(ACME_PBX, "BYE")) == 1
    assert who.requests == []


@pytest.mark.clause("EXT-09", "RFC 5626 5.3.1")
def test_a_customer_behind_a_nat_over_udp() -> None:
    """``behind_nat``: the BYE goes to the source of the INVITE, however large it is, also after a restart."""
    on = stage(behind_nat=True)
    who = browser(on, "udp", "<sip:pbx@10.0.0.5:5060>", connection=0)
    invited = calls(who, on)
    assert len(invited.listed("record-route")) == 2
    on.network.engine = restarted(on, 1000)
    bye = on.carrier.in_dialog("BYE")
    bye.append("x-padding", "x" * 1500)
    on.carrier.start(bye)
    on.network.run(1)
    assert [request.method for request in who.requests] == ["BYE"]
    assert {send.flow.transport for _, send in on.network.sent if send.flow.host == BROWSER[0]} == {"udp"}


@pytest.mark.clause("RFC 3581 1")
@pytest.mark.parametrize("behind_nat", [True, False])
def test_answers_through_a_nat(behind_nat: bool) -> None:
    """Without rport, responses of every kind go to the port of the Via, of a trunk behind a NAT to the source."""
    on = stage(behind_nat=behind_nat)
    source, named = Flow(0, "udp", *BROWSER), Flow(0, "udp", *ACME_PBX)
    request = invite()
    request.set("via", f"SIP/2.0/UDP {ACME_PBX[0]}:5060;branch=z9hG4bKnat")
    octets = request.encode()
    on.network.inject(octets, source)
    on.network.run(0.2)
    head = octets.replace(b"INVITE", b"CANCEL").partition(b"Content-Type")[0]
    on.network.inject(head + b"Content-Length: 0\r\n\r\n", source)
    on.network.run(1)
    for code in (100, 180, 200, 487):
        there, here = sent_on(on, source, f"SIP/2.0 {code} "), sent_on(on, named, f"SIP/2.0 {code} ")
        assert (bool(there), bool(here)) == (behind_nat, not behind_nat)


@pytest.mark.clause("EXT-09")
def test_a_call_to_a_customer_behind_a_nat() -> None:
    """``behind_nat``: when it is called, what follows goes where the INVITE went, whatever its Contact says."""
    on = stage(behind_nat=True)
    on.pbx.contact = "<sip:pbx@10.0.0.5:5060>"
    on.arrives()
    assert on.carrier.codes == [100, 180, 200]
    assert len(on.pbx.acks) == 1
    on.hang_up(on.carrier)
    assert [request.method for request in on.pbx.requests] == ["INVITE", "BYE"]
    on.arrives(call_id="call-2@sample")
    on.hang_up(on.pbx)
    assert [request.method for request in on.carrier.requests] == ["BYE"]
    on.settle()


@pytest.mark.clause("RFC 5626 5.3")
def test_what_comes_by_the_named_flow_goes_out() -> None:
    """A caller that leaves the called side's value off its route set is not sent its own request."""
    on = stage()
    who = browser(on)
    calls(who, on)
    bye = who.in_dialog("BYE")
    bye.set("route", bye.listed("route")[0])
    who.start(bye)
    on.network.run(1)
    assert who.requests == []
    assert [request.method for request in on.carrier.requests] == ["INVITE", "BYE"]


@pytest.mark.clause("TRN-10", "RFC 5630 5.3")
def test_a_sips_call_stays_on_tls() -> None:
    """A sips request is not sent over a plain WebSocket; over one with TLS it is."""
    answers = {}
    for transport in ("ws", "wss"):
        on = stage()
        who = browser(on, transport)
        who.contact = "<sips:x@df7jal23ls0d.invalid;transport=ws>"
        calls(who, on)
        on.carrier.start(on.carrier.in_dialog("BYE"))
        on.network.run(1)
        answers[transport] = (on.carrier.codes, len(who.requests))
    assert answers == {"ws": ([480], 0), "wss": ([200], 1)}


@pytest.mark.clause("TRN-16")
def test_a_websocket_contact_without_a_token_leads_nowhere() -> None:
    """Nobody is dialled over a WebSocket, nor is a name of one asked for: 430."""
    on = stage()
    on.pbx.contact = NOWHERE
    request = invite()
    request.set("contact", NOWHERE)
    on.pbx.start(request)
    on.network.run(2)
    on.hang_up(on.carrier)
    assert on.carrier.codes == [430]
    assert not [need for need in on.network.asked if "invalid" in repr(need)]


@pytest.mark.clause("TRN-16", "RFC 7118 5.2.1")
def test_the_way_back_to_a_browser_that_went() -> None:
    """Its connection goes while its call rings: the 200 goes nowhere, and the name in its Via is not asked for."""
    on = stage()
    who = browser(on)
    request = invite(transport="WS")
    request.set("via", "SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKgone")
    who.start(request)
    on.network.run(0.2)
    on.network.apply(on.engine.lost(flow_of(who), on.network.now, on.network.wall))
    before = len(on.network.sent)
    on.network.run(1)
    sent = {send.flow for _, send in on.network.sent[before:] if send.data.startswith(b"SIP/2.0 200")}
    assert {flow._replace(port=0) for flow in sent} == {Flow(3, "ws", BROWSER[0], 0)}  # no connection: it is lost
    for flow in sent:
        on.network.apply(on.engine.lost(flow, on.network.now, on.network.wall))
    assert not [need for need in on.network.asked if "invalid" in repr(need)]


@pytest.mark.clause("TRN-15", "MSG-10", "RFC 7118 4.2")
@pytest.mark.parametrize(("length", "code"), [("99999", 400), ("4", 100), ("four", 400), ("exact", 100)])
def test_content_length_over_a_websocket(length: str, code: int) -> None:
    """The WebSocket says where a message ends: a Content-Length that is less cuts the body, more is refused."""
    on = stage()
    request = invite(transport="WS")
    request.set("content-length", str(len(request.body)) if length == "exact" else length)
    flow = Flow(3, "ws", *BROWSER, 7)
    on.network.inject(request.encode(), flow)
    assert sent_on(on, flow, f"SIP/2.0 {code} ")
    if length == "4":
        assert on.requests_to(CARRIER_A, "INVITE")[0].body == b"v=0\r"


def test_a_large_call_still_leaves_one_token_each() -> None:
    """An INVITE moved to TCP for its size says so in Record-Route, with the caller's token in its own value only."""
    on = stage(behind_nat=True)
    who = browser(on, "udp", "<sip:pbx@10.0.0.5:5060>", connection=0)
    invited = calls(who, on, headers=("X-Padding: " + "x" * 1500,))
    first, second = invited.listed("record-route")
    assert ";transport=tcp" in first
    assert ("@" in first, "@" in second) == (False, True)
    assert len(invited.listed("via")) == 2


def test_numbers_of_lost_connections_are_forgotten() -> None:
    """The engine remembers connections that were named, until they go."""
    on = stage()
    who = browser(on)
    calls(who, on)
    flows = on.engine._station.flows
    assert len(flows) == 1
    on.network.apply(on.engine.lost(flow_of(who), on.network.now, on.network.wall))
    assert len(flows) == 0

"""TLS as the engine sees it: Via, Record-Route, identities of next hops, sips, trunks known by their certificate."""

import pytest

from sipguard.policy.trunk import Target
from sipguard.sip.flow import Flow
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    LISTENERS,
    OWNED,
    PROXY,
    RESCUE,
    TLS_LISTENER,
    TRUNKS,
    changed,
    invite,
)
from sipguard.testing.user_agent import UserAgent
from tests.flows.stage import Stage, answered, refusing, with_settings

SECURE: Endpoint = (CARRIER_A[0], 5061)
CARRIER = "sip.carrier-a.example"
PBX = "pbx.acme.example"
HOST = f"{PROXY[0]}:5061"
SIPS = f"sips:+12125550123@{PROXY[0]};user=phone"


def over_tls(trusted: bool = False, **more: object) -> Stage:
    """The sample with carrier-a on TLS, known by the name in its certificate."""
    hop = Target(f"sips:{CARRIER}", "tls", *SECURE, (CARRIER,))
    customer = changed("acme-pbx", trusted=True)[:1]
    trunks = changed("carrier-a", targets=(hop,), tls_names=(CARRIER,), sources=(), trusted=trusted)
    trunks = customer + trunks[1:]
    stage = Stage(trunks=trunks, listeners=(*LISTENERS, TLS_LISTENER), **more)  # type: ignore[arg-type]
    stage.carrier = secure_agent(stage, SECURE, "carrier-a", CARRIER)
    return stage


def secure_agent(stage: Stage, endpoint: Endpoint, name: str, identity: str, sips: bool = False) -> UserAgent:
    """An agent that talks TLS and has proved who it is."""
    return stage.agent(endpoint, name, transport="tls", listener=2, names=(identity,), sips=sips)


@pytest.mark.clause("TRN-12", "TRN-11", "TRN-08", "RFC 5630 3.1.3")
def test_a_call_over_tls() -> None:
    """Via says TLS, the Request-URI stays sip, Record-Route names the listener by its port, nothing says transport=tls,
    and the runtime hears whom the other side must prove to be."""
    stage = over_tls()
    stage.call()
    assert stage.pbx.codes == [100, 180, 200]
    sent = stage.carrier.requests[0]
    assert sent.listed("via")[0].startswith(f"SIP/2.0/TLS {HOST};branch=")
    assert sent.uri.startswith("sip:")
    first, second = sent.listed("record-route")
    assert first.startswith(f"<sip:{HOST};lr;dialog=")
    assert second.startswith(f"<sip:{PROXY[0]}:5060;lr;dialog=")
    flows = {send.flow for _, send in stage.network.sent if send.data.startswith(b"INVITE")}
    assert flows == {Flow(2, "tls", *SECURE, 0, (CARRIER,))}
    assert not any(b"transport=tls" in send.data.lower() for _, send in stage.network.sent)


@pytest.mark.clause("TRN-12", "PRX-09", "RFC 5630 3.1.3")
@pytest.mark.parametrize("side", ["pbx", "carrier"])
def test_requests_inside_the_dialog_stay_on_tls(side: str) -> None:
    """A BYE of either side finds its way, on the TLS side over TLS, though no URI says so."""
    stage = over_tls()
    stage.call()
    (ack,) = stage.carrier.acks
    assert ack.via.transport == "TLS"
    agent, peer = (stage.pbx, stage.carrier) if side == "pbx" else (stage.carrier, stage.pbx)
    stage.hang_up(agent)
    assert (peer.requests[-1].method, peer.requests[-1].via.transport) == ("BYE", peer.transport.upper())
    assert agent.codes[-1] == 200
    to_carrier = {send.flow.transport for _, send in stage.network.sent if send.flow.host == SECURE[0]}
    assert to_carrier == {"tls"}
    stage.settle()


@pytest.mark.clause("RFC 5922 7.4", "RFC 5922 7.5")
def test_a_trunk_known_by_its_certificate() -> None:
    """From an address nobody knows, with the right name: its call is taken; in-dialog requests go back to it."""
    stage = over_tls()
    caller = secure_agent(stage, ("198.51.100.7", 40000), "carrier-a", CARRIER)
    caller.start(invite(calling="12125550123", called=OWNED, source=caller.endpoint, transport="TLS"))  # type: ignore[arg-type]
    stage.network.run(2)
    assert caller.codes == [100, 180, 200]
    assert stage.record("decision")["trunk"] == "carrier-a"
    stage.hang_up(stage.pbx)
    assert caller.requests[-1].method == "BYE"
    (flow,) = {send.flow for _, send in stage.network.sent if send.data.startswith(b"BYE")}
    assert (flow.transport, flow.host, flow.port, flow.names) == ("tls", *caller.endpoint, ())


@pytest.mark.clause("RFC 5922 7.4", "RFC 5922 7.2")
@pytest.mark.parametrize("names", [(), ("other.example",), ("carrier-a.example",), ("*.carrier-a.example",)])
def test_without_its_name_nobody_is_that_trunk(names: tuple[str, ...]) -> None:
    """No certificate, another one, a parent's, a wildcard: 403 and a record that says who came."""
    stage = over_tls()
    flow = Flow(2, "tls", SECURE[0], 40000, 7, names)
    stage.network.inject(invite(calling="12125550123", called=OWNED, transport="TLS").encode(), flow)  # type: ignore[arg-type]
    (answer,) = [send.data for _, send in stage.network.sent if b" 403 " in send.data[:12]]
    assert answer.startswith(b"SIP/2.0 403 ")


@pytest.mark.clause("RFC 5922 7.4")
@pytest.mark.parametrize(("names", "host", "taken"), [
    ((PBX,), ACME_PBX[0], True), ((PBX,), "198.51.100.7", False), ((), ACME_PBX[0], False),
    (("x.example", PBX), ACME_PBX[0], True),
])  # fmt: skip
def test_name_and_address_together(names: tuple[str, ...], host: str, taken: bool) -> None:
    """A trunk with names and sources needs both: a stolen key elsewhere is no use, nor is the address alone."""
    stage = Stage(trunks=changed("acme-pbx", tls_names=(PBX,)), listeners=(*LISTENERS, TLS_LISTENER))
    stage.network.inject(invite(transport="TLS").encode(), Flow(2, "tls", host, 40000, 7, names))
    stage.network.run(1)
    assert bool(stage.carrier.requests) is taken


@pytest.mark.clause("TRN-11", "TRN-10", "RFC 3261 16.6 (4)")
def test_a_sips_call_stays_sips() -> None:
    """sips in, sips out over TLS, with sips in Record-Route on both sides, and a BYE that follows it."""
    trunks = tuple(
        trunk if trunk.name != "acme-pbx" else changed("acme-pbx", tls_names=(PBX,), sources=())[0]
        for trunk in over_tls().trunks or TRUNKS
    )
    stage = Stage(trunks=trunks, listeners=(*LISTENERS, TLS_LISTENER))
    stage.carrier = secure_agent(stage, SECURE, "carrier-a", CARRIER, sips=True)
    caller = secure_agent(stage, ("198.51.100.7", 40000), "acme-pbx", PBX, sips=True)
    caller.start(invite(uri=SIPS, source=caller.endpoint, transport="TLS"))
    stage.network.run(2)
    assert caller.codes == [100, 180, 200]
    sent = stage.carrier.requests[0]
    assert sent.uri == f"sips:+12125550123@{SECURE[0]};user=phone"
    (route,) = sent.listed("record-route")
    assert route.startswith(f"<sips:{HOST};lr;dialog=")
    stage.hang_up(caller)
    assert (stage.carrier.requests[-1].method, caller.codes[-1]) == ("BYE", 200)
    stage.settle()


@pytest.mark.clause("TRN-10", "RFC 5630 5.3")
def test_a_sips_call_never_leaves_over_udp() -> None:
    """The only carrier is on UDP: 480 with Warning 380, and nothing was sent."""
    stage = Stage(listeners=(*LISTENERS, TLS_LISTENER))
    stage.call(uri=SIPS)
    assert stage.pbx.codes == [100, 480]
    assert stage.pbx.responses[-1].value("warning") == '380 edge-1 "SIPS Not Allowed"'
    assert stage.carrier.requests == []
    stage.settle()


@pytest.mark.clause("TRN-10", "RFC 6881 9.1")
def test_an_emergency_call_leaves_over_what_there_is() -> None:
    """An emergency call to a sips URI is carried over UDP rather than not at all, as the sip call it then is."""
    stage = Stage(listeners=(*LISTENERS, TLS_LISTENER))
    stage.call(uri=f"sips:911@{PROXY[0]}")
    (sent,) = stage.rescue.requests
    assert sent.uri == f"sip:911@{RESCUE[0]}"


@pytest.mark.clause("TRN-13", "RFC 5630 5.3")
@pytest.mark.parametrize(("code", "header"), [
    (302, ("contact", "<sip:+12125550123@192.0.2.99>")), (416, ("x-none", "1")),
    (480, ("warning", '380 carrier "SIPS Not Allowed"')),
])  # fmt: skip
def test_a_refused_sips_call_is_not_tried_again(code: int, header: tuple[str, str]) -> None:
    """302 to a sip URI, 416 and 480 go back as they are; there is no second INVITE."""
    stage = over_tls(scripts={"carrier-a": refusing(code, header)})
    stage.call(uri=SIPS)
    assert stage.pbx.codes == [100, code]
    assert len(stage.requests_to(SECURE, "INVITE")) == 1
    assert stage.octets_to(("192.0.2.99", 5060)) == []


@pytest.mark.clause("TRN-10")
def test_a_sips_request_inside_a_dialog_stays_on_tls() -> None:
    """A BYE to a sips Contact that can only be reached over TCP is refused with 480 and Warning 380."""
    stage = answered("<sips:x@192.0.2.21>", "<sip:192.0.2.21;transport=tcp;lr>", listeners=(*LISTENERS, TLS_LISTENER))
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 480
    assert stage.pbx.responses[-1].value("warning") == '380 edge-1 "SIPS Not Allowed"'


@pytest.mark.clause("TRN-12", "TRN-08")
def test_probes_over_tls() -> None:
    """An OPTIONS of our own goes to who must prove to be the target, and does not say transport=tls either."""
    stage = over_tls(settings=with_settings(probe_interval=10.0))
    stage.call()
    stage.network.run(20)
    probes = [
        send for _, send in stage.network.sent if send.data.startswith(b"OPTIONS") and send.flow.transport == "tls"
    ]
    assert {send.flow for send in probes} == {Flow(2, "tls", *SECURE, 0, (CARRIER,))}
    assert not any(b"transport=tls" in send.data for send in probes)


@pytest.mark.clause("PRV-03", "RFC 3325 7")
@pytest.mark.parametrize("trusted", [True, False])
def test_trust_goes_with_the_certificate(trusted: bool) -> None:
    """Inside a dialog, a trunk that is trusted and proves to be there is told what others are not."""
    stage = over_tls(trusted)
    stage.call()
    info = stage.pbx.in_dialog("INFO")
    info.append("p-asserted-identity", "<tel:+14155550100>")
    info.append("privacy", "id")
    stage.pbx.start(info)
    stage.network.run(1)
    assert stage.carrier.requests[-1].method == "INFO"
    assert stage.carrier.requests[-1].has("p-asserted-identity") is trusted

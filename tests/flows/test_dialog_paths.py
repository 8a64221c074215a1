"""Requests inside a dialog go where the other side said it is, and nowhere else, whoever sends them with true tags."""

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Side, Trunk
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.testing.sample import ACME_PBX, CARRIER_A, CARRIER_B, PROXY, RESCUE, TRUNKS, flow_from, invite
from sipguard.testing.user_agent import Script, UserAgent
from tests.flows.stage import Stage, answer_to, answered, silent

OWN = f"sip:{ACME_PBX[0]}:{ACME_PBX[1]}"
THERE = f"sip:{CARRIER_A[0]}:{CARRIER_A[1]}"
ELSEWHERE: tuple[str, int] = ("198.51.100.77", 5060)


def said(stage: Stage, request: Request, agent: UserAgent | None = None) -> int:
    """The answer to a request that one of the parties, acme unless told, sends inside the dialog."""
    who = agent or stage.pbx
    who.start(request)
    stage.network.run(1)
    return who.codes[-1]


def is_untouched(stage: Stage) -> bool:
    """Whether the call is up as before, and its path as well: acme's BYE reaches the carrier and ends it."""
    if (stage.engine.active_calls, "end" in stage.events) != (1, False):
        return False
    stage.hang_up()
    return (stage.requests_to(CARRIER_A, "BYE") != [], stage.events[-1]) == (True, "end")


@pytest.mark.clause("PRX-24", "RFC 3261 12.2.1.1")
@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize(
    "uri",
    [
        OWN,
        "sip:198.51.100.77",
        "sip:nobody@nowhere.example",
        f"{THERE};maddr={ACME_PBX[0]}",
        f"sip:callee@{CARRIER_A[0]}",
        f"sip:{CARRIER_A[0]}:5999",
        f"sip:{PROXY[0]}",
        "tel:+12125550123",
    ],
)
def test_a_bye_to_another_address_ends_nothing(uri: str, routed: bool) -> None:
    """A customer that says BYE to itself keeps its place under the limit taken: 403, and the call is up."""
    stage = Stage()
    stage.call()
    bye = stage.pbx.in_dialog("BYE")
    bye.set_uri(uri)
    if not routed:
        bye.remove("route")
    if "maddr" in uri:  # it is no part of the target: the request goes to the target all the same
        assert said(stage, bye) == 200
        assert stage.requests_to(CARRIER_A, "BYE")[0].uri == THERE
        return
    assert said(stage, bye) == 403
    assert stage.requests_to(CARRIER_A, "BYE") == []
    assert stage.pbx.requests == []
    assert stage.record("refused")["rule"] == "dialog.target"
    assert is_untouched(stage)


@pytest.mark.clause("PRX-24", "RFC 3261 12.2.1.1")
@pytest.mark.parametrize("route", [f"<{OWN};lr>", "<sip:nowhere.example;lr>", f"<{OWN}>", f"<{THERE};lr>"])
def test_a_bye_by_a_route_of_its_own_ends_nothing(route: str) -> None:
    """What is left of the route set is what the answer brought, not what the sender adds."""
    stage = Stage()
    stage.call()
    bye = stage.pbx.in_dialog("BYE")
    bye.set("route", f"{bye.required('route')}, {route}")
    assert said(stage, bye) == 403
    assert stage.requests_to(CARRIER_A, "BYE") == []
    assert is_untouched(stage)


@pytest.mark.clause("PRX-24", "RFC 3261 12.2.1.1")
def test_another_listener_in_the_route_is_not_another_way() -> None:
    """Our own Route value does not choose how the request leaves: a BYE by the TCP listener goes out over UDP."""
    stage = Stage()
    stage.call()
    bye = stage.pbx.in_dialog("BYE")
    bye.set("route", bye.required("route").replace(";lr", ";transport=tcp;lr"))
    assert said(stage, bye) == 200
    assert stage.requests_to(CARRIER_A, "BYE")
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("PRX-24", "PRX-07")
@pytest.mark.parametrize(
    ("uri", "routes"),
    [
        (f"sip:+19005550100@{CARRIER_B[0]}:{CARRIER_B[1]}", ""),
        (f"sip:+19005550100@{CARRIER_A[0]}:{CARRIER_A[1]}", ""),
        ("sip:+19005550100@carrier.example", f"<{THERE};lr>"),
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "REFER", "MESSAGE"])
def test_no_new_call_under_the_tags_of_another(method: str, uri: str, routes: str) -> None:
    """A request to another carrier, or to another number by the carrier's own proxy, goes nowhere."""
    stage = Stage()
    stage.call()
    request = stage.pbx.in_dialog(method)
    request.set_uri(uri)
    if routes:
        request.set("route", f"{request.required('route')}, {routes}")
    before = len(stage.carrier.requests)
    assert said(stage, request) == 403
    assert len(stage.carrier.requests) == before
    assert stage.octets_to(CARRIER_B) == []
    assert is_untouched(stage)


@pytest.mark.clause("PRX-24", "RFC 3261 12.2.1.1")
@pytest.mark.parametrize("change", [{"uri": THERE}, {"uri": "sip:198.51.100.77"}, {"route": f"<{THERE};lr>"}])
def test_the_network_is_held_to_the_customers_contact(change: dict[str, str]) -> None:
    """From the other side the same: a BYE that never reaches the customer does not end its call."""
    stage = Stage()
    stage.call()
    bye = stage.carrier.in_dialog("BYE")
    bye.set_uri(change.get("uri", bye.uri))
    bye.set("route", ", ".join([bye.required("route"), *([change["route"]] if "route" in change else [])]))
    assert said(stage, bye, stage.carrier) == 403
    assert stage.requests_to(ACME_PBX, "BYE") == []
    assert is_untouched(stage)


@pytest.mark.clause("PRX-24")
def test_a_customer_does_not_speak_for_the_network() -> None:
    """A BYE with the tags the other way round, from the customer to itself, ends nothing and moves nobody."""
    stage = Stage()
    stage.call()
    for method in ("UPDATE", "BYE"):
        request = swapped(stage.pbx.in_dialog(method))
        assert said(stage, request) == 403
    assert [r["rule"] for r in stage.network.records if r["event"] == "refused"] == ["dialog.sender"] * 2
    assert stage.pbx.requests == []
    assert is_untouched(stage)


@pytest.mark.clause("PRX-24")
def test_nor_from_an_address_nobody_knows() -> None:
    """From an address of no trunk it takes the network's own token, which the customer never sees."""
    stage = Stage()
    stage.call()
    elsewhere = stage.agent(ELSEWHERE, "elsewhere")
    (own_route,) = stage.pbx.responses[-1].listed("record-route")
    (its_route,) = stage.carrier.requests[0].listed("record-route")
    assert own_route != its_route
    bye = swapped(stage.pbx.in_dialog("BYE"))
    bye.remove("route")
    assert said(stage, bye, elsewhere) == 403
    bye = swapped(stage.pbx.in_dialog("BYE"), "again")
    assert bye.listed("route") == [own_route]
    assert said(stage, bye, elsewhere) == 403
    assert stage.engine.active_calls == 1
    bye = swapped(stage.pbx.in_dialog("BYE"), "third")
    bye.set("route", its_route)
    assert said(stage, bye, elsewhere) == 200
    assert stage.requests_to(ACME_PBX, "BYE")
    assert stage.record("end")["released_by"] == "called"


@pytest.mark.clause("PRX-24", "RFC 3261 12.2")
def test_where_a_party_has_moved() -> None:
    """UPDATE and re-INVITE, and the 2xx to them, move a party; who does not know yet is led to where it is now."""
    stage = Stage()
    stage.call()
    late = stage.carrier.in_dialog("INFO")
    stage.pbx.contact = f"<sip:moved@{ACME_PBX[0]}:{ACME_PBX[1]}>"
    stage.carrier.contact = f"<sip:away@{CARRIER_A[0]}:{CARRIER_A[1]}>"
    stage.pbx.start(stage.pbx.in_dialog("UPDATE"))
    stage.network.run(1)
    assert said(stage, late, stage.carrier) == 200
    assert stage.pbx.requests[-1].uri == f"sip:moved@{ACME_PBX[0]}:{ACME_PBX[1]}"
    info = stage.pbx.in_dialog("INFO")
    info.set_uri(f"sip:away@{CARRIER_A[0]}:{CARRIER_A[1]}")
    assert said(stage, info) == 200
    stage.carrier.contact = f"<sip:third@{CARRIER_A[0]}:{CARRIER_A[1]}>"
    invite = stage.pbx.in_dialog("INVITE")
    assert said(stage, invite) == 200
    assert stage.carrier.requests[-1].uri == f"sip:away@{CARRIER_A[0]}:{CARRIER_A[1]}"
    assert [ack.uri for ack in stage.carrier.acks][-1] == f"sip:third@{CARRIER_A[0]}:{CARRIER_A[1]}"
    bye = stage.pbx.in_dialog("BYE")
    assert said(stage, bye) == 200
    assert stage.events == ["decision", "answer", "end"]
    stage.settle()


@pytest.mark.clause("PRX-24", "RFC 3261 12.2.1.2")
def test_a_move_that_was_refused_is_none() -> None:
    """A re-INVITE that fails moves nobody, though both places are known for a while."""
    stage = Stage()
    stage.call()
    stage.carrier.script = Script(ring_after=None, answer_after=0.1, code=488)
    still, candidate = stage.carrier.in_dialog("INFO"), stage.carrier.in_dialog("INFO")
    stage.pbx.contact = f"<sip:moved@{ACME_PBX[0]}:{ACME_PBX[1]}>"
    assert said(stage, stage.pbx.in_dialog("INVITE")) == 488
    candidate.set_uri(f"sip:moved@{ACME_PBX[0]}:{ACME_PBX[1]}")
    for info in (still, candidate):
        assert said(stage, info, stage.carrier) == 200
        assert stage.pbx.requests[-1].uri == info.uri
    assert still.uri == OWN


@pytest.mark.clause("PRX-24", "RFC 3261 19.1.4")
@pytest.mark.parametrize(
    "uri",
    [
        f"sip:call%65e@{CARRIER_A[0]}",
        f"sip:callee@{CARRIER_A[0]}:5060",
        f"sip:callee@{CARRIER_A[0]};transport=tcp;x=y",
        f"SIP:callee@{CARRIER_A[0]};maddr=198.51.100.77",
    ],
)
def test_another_spelling_of_the_target(uri: str) -> None:
    """Escapes, a default port and lost parameters make no other target; it leaves as the callee wrote it."""
    stage = answered(f"<sip:callee@{CARRIER_A[0]};ob;x=1>")
    info = stage.pbx.in_dialog("INFO")
    info.set_uri(uri)
    assert said(stage, info) == 200
    assert stage.carrier.requests[-1].uri == f"sip:callee@{CARRIER_A[0]};ob;x=1"


@pytest.mark.clause("PRX-24", "RFC 5118 4.1")
@pytest.mark.parametrize(
    ("contact", "uri", "code"),
    [
        ("sip:c@[2001:DB8::1]", "sip:c@[2001:db8:0:0::1]:5060", 480),
        ("sip:c@callee.example.", "sip:c@callee.example", 480),
        ("sip:c@[2001:db8::1]", "sip:c@[2001:db8::2]", 403),
        ("sip:c@[2001:db8::1]", "sip:c@2001.db8.example", 403),
    ],
)
def test_another_spelling_of_the_host(contact: str, uri: str, code: int) -> None:
    """An IPv6 address has many, a name may end in a dot; 480, for nothing leads there from the sample's listeners."""
    stage = answered(f"<{contact}>")
    stage.network.run(10)  # for the ACK a name was asked for in vain
    info = stage.pbx.in_dialog("INFO")
    info.set_uri(uri)
    stage.pbx.start(info)
    stage.network.run(10)
    assert stage.pbx.codes[-1] == code


@pytest.mark.clause("PRX-24", "PRX-05", "RFC 3261 12.1.2")
@pytest.mark.parametrize("kept", [True, False])
def test_proxies_on_the_way(kept: bool) -> None:
    """The route set beyond us is what the answer said: spelled otherwise it passes, and who has none is given it."""
    near, far = f"<sip:{CARRIER_A[0]};lr;x=1>", "<sip:far.example;lr>"
    stage = answered("<sip:callee@callee.example>", far, near)
    bye = stage.pbx.in_dialog("BYE")
    own = bye.listed("route")[0]
    for routes in ([own, far, near], [own, near], [own, near, far, far], [own, near, "<sip:other.example;lr>"]):
        wrong = bye.fork()
        wrong.set("route", ", ".join(routes))
        wrong.replace_top_via(wrong.via._replace(parameters={"branch": f"z9hG4bK{len(stage.pbx.responses)}"}))
        assert said(stage, wrong) == 403
    bye.set("route", ", ".join([own, f"<sip:{CARRIER_A[0]}:5060;lr>", far] if kept else [own]))
    assert said(stage, bye) == 200
    assert stage.carrier.requests[-1].listed("route") == [near, far]
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("PRX-24", "RFC 3261 12.1.1")
def test_proxies_in_front_of_the_caller() -> None:
    """The same towards the caller, whose INVITE brought them."""
    near = f"<sip:{ACME_PBX[0]};lr>"
    stage = Stage()
    stage.call(headers=(f"Record-Route: {near}",))
    wrong = stage.carrier.in_dialog("BYE")
    wrong.set("route", wrong.listed("route")[0] + ", <sip:198.51.100.77;lr>")
    assert said(stage, wrong, stage.carrier) == 403
    assert said(stage, stage.carrier.in_dialog("BYE"), stage.carrier) == 200
    assert stage.pbx.requests[-1].listed("route") == [near]


@pytest.mark.clause("PRX-24", "RFC 3261 12.1.1")
def test_a_callee_that_says_not_where_it_is() -> None:
    """Without a Contact in the 2xx requests go to where the call was delivered, whatever their Request-URI."""
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call()
    invite, bye = stage.carrier.requests[0], None
    answer = answer_to(invite, "200 OK", "carrier-a", f"Contact: <{THERE}>")
    stage.network.detach(ACME_PBX)
    stage.network.inject(answer.replace(f"Contact: <{THERE}>\r\n".encode(), b""), flow_from(CARRIER_A))
    stage.network.attach(ACME_PBX, stage.pbx)
    stage.network.inject(answer, flow_from(CARRIER_A))  # once more, with a Contact that comes too late
    stage.network.run(0.1)
    bye = stage.pbx.in_dialog("BYE")
    bye.set_uri(f"sip:+12125550123@{PROXY[0]}")
    assert said(stage, bye) == 200
    assert stage.carrier.requests[-1].uri == invite.uri
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("FRK-01", "PRX-24", "RFC 3261 13.2.2.4")
def test_each_fork_has_a_target_of_its_own() -> None:
    """Two phones answered: the BYE for one cannot go to the other, and each has its own ACK."""
    stage = answered(f"<sip:one@{CARRIER_A[0]}>")
    second = answer_to(stage.carrier.requests[0], "200 OK", "second", f"Contact: <sip:two@{CARRIER_A[0]}>")
    stage.network.inject(second, flow_from(CARRIER_A))
    stage.network.run(0.1)
    assert [ack.uri for ack in stage.carrier.acks] == [f"sip:one@{CARRIER_A[0]}", f"sip:two@{CARRIER_A[0]}"]
    bye = stage.pbx.in_dialog("BYE")
    assert bye.to.tag == "second"
    wrong = bye.fork()
    wrong.set_uri(f"sip:one@{CARRIER_A[0]}")
    wrong.replace_top_via(wrong.via._replace(parameters={"branch": "z9hG4bKwrong"}))
    assert said(stage, wrong) == 403
    assert said(stage, bye) == 200
    assert stage.events == ["decision", "answer", "refused"]
    other = stage.pbx.in_dialog("BYE")
    other.set("to", other.required("to").replace("tag=second", "tag=carrier-a"))
    other.set_uri(f"sip:one@{CARRIER_A[0]}")
    assert said(stage, other) == 200
    assert stage.events[-1] == "end"
    stage.settle()


@pytest.mark.clause("PRX-24", "RFC 3262 4")
def test_an_early_dialog_has_a_target() -> None:
    """PRACK and UPDATE before the answer go to the Contact of the 18x, and nowhere else."""
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call()
    invite = stage.carrier.requests[0]
    early = answer_to(invite, "183 Session Progress", "carrier-a", f"Contact: <sip:e@{CARRIER_A[0]}>")
    stage.network.inject(early, flow_from(CARRIER_A))
    stage.network.run(0.1)
    for method in ("PRACK", "UPDATE"):
        assert said(stage, stage.pbx.in_dialog(method)) == 200
        assert stage.carrier.requests[-1].uri == f"sip:e@{CARRIER_A[0]}"
        wrong = stage.pbx.in_dialog(method)
        wrong.set_uri(OWN)
        assert said(stage, wrong) == 403
    final = answer_to(invite, "200 OK", "carrier-a", f"Contact: <sip:f@{CARRIER_A[0]}>")
    late = stage.pbx.in_dialog("UPDATE")
    stage.network.inject(final, flow_from(CARRIER_A))
    stage.network.run(0.1)
    assert stage.carrier.acks[-1].uri == f"sip:f@{CARRIER_A[0]}"
    assert said(stage, late) == 200  # it crossed the 2xx
    assert stage.carrier.requests[-1].uri == f"sip:f@{CARRIER_A[0]}"


@pytest.mark.clause("PRX-24", "RFC 3261 15.1.1")
@pytest.mark.parametrize("code", [500, 483, 420])
def test_a_bye_that_the_other_side_refuses_ends_nothing(code: int) -> None:
    """With a hop too few, an unknown Require or an old number a BYE is refused over there, and the call goes on."""
    stage = Stage()
    stage.call()
    stage.carrier.script = Script(others=code)
    assert said(stage, stage.pbx.in_dialog("BYE")) == code
    assert (stage.engine.active_calls, stage.events) == (1, ["decision", "answer"])
    stage.carrier.script = Script()
    stage.hang_up()
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("PRX-24", "RFC 3261 15.1.1", "RFC 5057 5.1")
@pytest.mark.parametrize("code", [481, 408, None])
def test_a_bye_to_nobody_ends_the_call(code: int | None) -> None:
    """No such dialog, or no answer at all: the call is over, as its sender takes it to be."""
    stage = Stage()
    stage.call()
    if code is None:
        stage.network.detach(CARRIER_A)
    else:
        stage.carrier.script = Script(others=code)
    stage.pbx.start(stage.pbx.in_dialog("BYE"))
    stage.network.run(40)
    assert stage.engine.active_calls == 0
    assert stage.record("end")["duration"] < 3
    stage.settle()


@pytest.mark.clause("PRX-24", "RFC 3261 15.1.1")
@pytest.mark.parametrize(("code", "calls"), [(483, 1), (481, 0), (200, 0), (None, 0)])
def test_who_hangs_up_on_its_own_bye_changes_nothing(code: int | None, calls: int) -> None:
    """A caller whose connection goes right after its BYE: what the other side makes of it counts all the same."""
    stage = Stage()
    stage.pbx = stage.agent(ACME_PBX, "acme-pbx", transport="tcp", listener=1, connection=7)
    stage.call(transport="TCP")
    bye = stage.pbx.in_dialog("BYE")
    if code is None:
        stage.network.detach(CARRIER_A)
    else:
        stage.carrier.script = Script(others=code)
    flow = Flow(1, "tcp", *ACME_PBX, 7)
    stage.network.inject(bye.encode(), flow)
    stage.network.unreachable.add(ACME_PBX)
    stage.network.apply(stage.engine.lost(flow, stage.network.now, stage.network.wall))
    stage.network.run(100)
    assert stage.engine.active_calls == calls


@pytest.mark.clause("PRX-23", "PRX-24")
def test_an_ack_to_another_address_is_dropped() -> None:
    """Nothing is sent for it, neither there nor back."""
    stage = Stage()
    stage.call()
    ack = stage.pbx.in_dialog("ACK")
    ack.set_uri("sip:198.51.100.77")
    sent = len(stage.network.sent)
    stage.network.inject(ack.encode(), flow_from(ACME_PBX))
    assert len(stage.network.sent) == sent


@pytest.mark.clause("PRX-24")
def test_refusals_of_one_call_are_few_on_record() -> None:
    """A flood of them costs the log a handful of lines; the counter has them all."""
    stage = Stage()
    stage.call()
    for _ in range(20):
        bye = stage.pbx.in_dialog("BYE")
        bye.set_uri(OWN)
        assert said(stage, bye) == 403
    assert stage.events.count("refused") == 5
    assert stage.engine.counters["rejected", "403"] == 20


@pytest.mark.clause("PRX-24")
def test_a_rule_that_only_reports() -> None:
    """Then the request goes to where the other side is: nowhere else even so."""
    stage = Stage(policy=PolicySettings(modes={"dialog.target": Mode.REPORT}))
    stage.call()
    bye = stage.pbx.in_dialog("BYE")
    bye.set_uri(OWN)
    assert said(stage, bye) == 200
    assert stage.requests_to(CARRIER_A, "BYE")[0].uri == THERE
    assert stage.engine.counters["reported", "dialog", "dialog.target"] == 1
    assert stage.record("end")["released_by"] == "caller"


@pytest.mark.clause("EMG-04", "PRX-24")
def test_an_emergency_call_is_led_to_its_other_side() -> None:
    """No request of it is refused; but none leads to another number either."""
    stage = Stage()
    stage.call(uri=f"sip:911@{PROXY[0]};user=phone", called="911")
    request = stage.pbx.in_dialog("INVITE")
    request.set_uri(f"sip:+19005550100@{CARRIER_A[0]}")
    assert said(stage, request) == 200
    assert stage.requests_to(RESCUE, "INVITE")[-1].uri == f"sip:{RESCUE[0]}:{RESCUE[1]}"
    assert stage.octets_to(CARRIER_A) == []


@pytest.mark.clause("EMG-04", "PRX-24")
def test_an_emergency_call_moves_nobody_by_false_tags() -> None:
    """What a customer says in the other side's name reaches its own address at most, and is not believed."""
    stage = Stage()
    stage.call(uri=f"sip:911@{PROXY[0]};user=phone", called="911")
    premium = f"sip:+19005550100@{CARRIER_A[0]}"
    update = swapped(stage.pbx.in_dialog("UPDATE"))
    update.set("contact", f"<{premium}>")
    assert said(stage, update) == 200
    assert [request.method for request in stage.pbx.requests] == ["UPDATE"]
    request = stage.pbx.in_dialog("INVITE")
    request.set_uri(premium)
    assert said(stage, request) == 200
    assert stage.octets_to(CARRIER_A) == []
    assert said(stage, swapped(stage.pbx.in_dialog("BYE"))) == 200
    assert stage.engine.active_calls == 1


def swapped(request: Request, branch: str = "swapped") -> Request:
    """The request as if the other side had sent it: the tags the other way round, to the sender's own address."""
    own, peer = request.from_.tag or "", request.to.tag or ""
    changed = request.fork()
    changed.set("from", request.required("to"))
    changed.set("to", request.required("from").replace(peer, own))
    changed.set_uri(OWN)
    changed.replace_top_via(changed.via._replace(parameters={"branch": f"z9hG4bK{branch}{request.method}"}))
    return changed


CARRIERS = f"{CARRIER_B[0]}:{CARRIER_B[1]}"


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
@pytest.mark.parametrize(
    ("contact", "routes"),
    [
        (f"<sip:+19005550100@{CARRIERS}>", ()),
        (f"<sip:911@{RESCUE[0]}>", ()),
        (f"<sip:+19005550100@acme.example;maddr={CARRIER_B[0]}>", ()),
        (f"<sip:+19005550100@[::ffff:{CARRIER_B[0]}]>", ()),
        ("<sip:+19005550100@acme.example>", (f"Record-Route: <sip:{CARRIERS};lr>",)),
        ("<sip:+19005550100@acme.example>", (f"Record-Route: <sip:{CARRIERS}>",)),
    ],
)
def test_no_customer_is_where_a_carrier_is(method: str, contact: str, routes: tuple[str, ...]) -> None:
    """Its other side cannot call a carrier by what a customer says in Contact or Record-Route; it is asked itself."""
    stage = Stage()
    request = invite(headers=routes)
    request.set("contact", contact)
    stage.pbx.start(request)
    stage.network.run(2)
    assert said(stage, stage.carrier.in_dialog(method), stage.carrier) == 200
    assert stage.pbx.requests[-1].method == method
    assert stage.octets_to(CARRIER_B) == stage.octets_to(RESCUE) == []


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize(
    "contact", ["<sip:1@acme.example>", "<sip:1@[1::2::3]>", "<sip:1@[::1.2.3.400]>", "<sip:1@1.2.3.400>"]
)
def test_a_name_where_trunks_are_networks(method: str, contact: str) -> None:
    """A Contact by name, or by what is no address, breaks nothing where trunks are known by whole networks."""
    stage = Stage(trunks=(*TRUNKS, Trunk("branch", Side.CUSTOMER, account="acme", sources=("203.0.113.0/24",))))
    carriers = TargetAnswer((Server("udp", *CARRIER_B),))
    stage.network.answers[TargetNeed("acme.example", None, None, False)] = carriers
    request = invite()
    request.set("contact", contact)
    stage.pbx.start(request)
    stage.network.run(2)
    assert said(stage, stage.carrier.in_dialog(method), stage.carrier) in (400, 480)
    assert stage.errors == []


@pytest.mark.clause("PRX-24")
def test_nor_behind_a_name() -> None:
    """A name of the customer's own that leads to a carrier leads nowhere; and when it leads home, home."""
    stage = Stage()
    request = invite()
    request.set("contact", "<sip:+19005550100@acme.example>")
    stage.pbx.start(request)
    stage.network.run(2)
    need = TargetNeed("acme.example", None, None, False)
    stage.network.answers[need] = TargetAnswer((Server("udp", *CARRIER_B),))
    first, again = stage.carrier.in_dialog("INVITE"), stage.carrier.in_dialog("INVITE")
    assert said(stage, first, stage.carrier) == 480
    assert stage.octets_to(CARRIER_B) == []
    servers = (Server("udp", *CARRIER_B), Server("udp", *ACME_PBX))
    stage.network.answers[need] = TargetAnswer(servers)
    assert said(stage, again, stage.carrier) == 200
    assert (stage.octets_to(CARRIER_B), len(stage.pbx.acks)) == ([], 1)


@pytest.mark.clause("PRX-24", "RFC 3261 19.1.1")
@pytest.mark.parametrize("headers", ["?", "?Replaces=x&y=z"])
def test_header_fields_in_a_contact(headers: str) -> None:
    """They are no part of the target, or nobody could say BYE to such a party."""
    stage = answered(f"<sip:callee@{CARRIER_A[0]}{headers}>")
    bye = stage.pbx.in_dialog("BYE")
    bye.set_uri(f"sip:callee@{CARRIER_A[0]}")
    assert said(stage, bye) == 200
    assert stage.carrier.requests[-1].uri == bye.uri
    assert stage.events[-1] == "end"


@pytest.mark.clause("PRX-24", "RFC 3261 12.1.2")
def test_a_route_set_that_only_the_ringing_told() -> None:
    """A callee leaves Record-Route out of its 2xx, as some do after a reliable 18x: the way is what it told before."""
    stage = Stage(scripts={"carrier-a": silent()})
    stage.call()
    (invite,) = stage.carrier.requests
    near, contact = f"<sip:{CARRIER_A[0]};lr>", "Contact: <sip:callee@callee.example>"
    stage.network.inject(
        answer_to(invite, "183 Session Progress", "carrier-a", contact, beyond=(near,)), flow_from(CARRIER_A)
    )
    stage.network.run(0.1)
    (early,) = [response for response in stage.pbx.responses if response.code == 183]
    invite.remove("record-route")
    stage.network.inject(answer_to(invite, "200 OK", "carrier-a", contact), flow_from(CARRIER_A))
    stage.network.run(0.1)
    bye = stage.pbx.in_dialog("BYE")
    bye.set("route", ", ".join(reversed(early.listed("record-route"))))
    assert said(stage, bye) == 200
    assert stage.carrier.requests[-1].listed("route") == [near]


@pytest.mark.clause("PRX-24")
def test_a_target_too_long_to_keep() -> None:
    """A party that names one is asked where it was; from the first INVITE on, where its requests come from."""
    long = f"<sip:{'u' * 30_000}@{ACME_PBX[0]}>"
    stage = Stage()
    stage.call()
    stage.pbx.contact = long
    for _ in range(4):
        assert said(stage, stage.pbx.in_dialog("UPDATE")) == 200
    assert max(map(len, stage.network.remembered)) < 5_000
    stage = Stage()
    request = invite()
    request.set("contact", long)
    stage.pbx.start(request)
    stage.network.run(2)
    assert max(map(len, stage.network.remembered)) < 5_000
    assert said(stage, stage.carrier.in_dialog("BYE"), stage.carrier) == 200
    assert (stage.pbx.requests[-1].method, stage.events[-1]) == ("BYE", "end")

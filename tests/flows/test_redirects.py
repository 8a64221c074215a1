"""3xx: passed to the caller, or followed where the trunk allows it, and only to places that are configured."""

import pytest

from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.policy.trunk import Side, Target, Trunk
from sipguard.sip.message import Request
from sipguard.testing.sample import (
    CALLED,
    CARRIER_A,
    CARRIER_A_SPARE,
    CARRIER_B,
    LISTENERS,
    RESCUE,
    TLS_LISTENER,
    TRUNKS,
    changed,
    flow_from,
    target,
)
from sipguard.testing.user_agent import Script
from tests.flows.stage import Stage, answer_to, refusing

OTHER = ("192.0.2.51", 5060)
NAMED = ("peer.example", 5060)
THERE = f"sip:+{CALLED}@{OTHER[0]}"
SPARE = f"sip:+{CALLED}@{CARRIER_A_SPARE[0]}"


def stage_of(*, follow: bool = True, scripts: dict[str, Script] | None = None) -> Stage:
    """The sample with one more carrier, which has an address and a name; carrier-a's first target answers by hand."""
    more = Trunk("carrier-c", Side.NETWORK, targets=(target(OTHER), target(NAMED)))
    stage = Stage(trunks=(*changed("carrier-a", follow_redirects=follow), more), scripts=scripts or {})
    stage.other = stage.agent(OTHER, "carrier-c")  # type: ignore[attr-defined]
    stage.network.detach(CARRIER_A)
    return stage


def redirects(stage: Stage, *contacts: str, code: int = 302, start: bool = True, **changes: object) -> None:
    """Acme calls, and the first target of carrier-a redirects it."""
    if start:
        stage.call(0.1, **changes)
    (request, *_) = stage.requests_to(CARRIER_A, "INVITE")
    answer = answer_to(request, f"{code} Moved", "a", *(f"Contact: {contact}" for contact in contacts))
    stage.network.inject(answer, flow_from(CARRIER_A))
    stage.network.run(2)


def first_invite(stage: Stage, endpoint: tuple[str, int]) -> Request:
    """What a place got first."""
    return stage.requests_to(endpoint, "INVITE")[0]


@pytest.mark.clause("FRK-06", "RFC 3261 16.7 (4)")
def test_nothing_is_followed_unless_configured() -> None:
    """By default the caller gets the 302 with its contacts as they were written."""
    stage = stage_of(follow=False)
    redirects(stage, f"<{THERE}>;q=0.5, <{SPARE}>")
    assert stage.pbx.codes == [100, 302]
    assert stage.pbx.responses[-1].value("contact") == f"<{THERE}>;q=0.5, <{SPARE}>"
    assert stage.octets_to(OTHER) == []


@pytest.mark.clause("FRK-06", "FRK-07", "RFC 3261 16.6")
def test_two_contacts_in_the_order_of_q() -> None:
    """The contact with the higher q first; it says 503, so the other one takes the call; all branches differ."""
    stage = stage_of(scripts={"carrier-c": refusing(503)})
    redirects(stage, f"<{SPARE}>;q=0.2", f"<{THERE}>;q=0.7")
    assert stage.pbx.codes == [100, 180, 200]
    sent = [first_invite(stage, where) for where in (CARRIER_A, OTHER, CARRIER_A_SPARE)]
    assert len({request.via.branch for request in sent}) == 3
    order = [send.flow.host for _, send in stage.network.sent if send.data.startswith(b"INVITE")]
    assert order == [CARRIER_A[0], OTHER[0], CARRIER_A_SPARE[0]]
    assert sent[0].required("identity") == sent[1].required("identity")
    stage.hang_up()
    stage.settle()


@pytest.mark.clause("FRK-06", "FRK-04")
def test_a_contact_that_refuses_for_good_ends_the_call() -> None:
    """Both contacts followed, the first says 486: that goes back, and nothing of the 302 (it is used up)."""
    stage = stage_of(scripts={"carrier-c": refusing(486)})
    redirects(stage, f"<{THERE}>", f"<{SPARE}>;q=0.1")
    assert stage.pbx.codes == [100, 486]
    assert stage.octets_to(CARRIER_A_SPARE) == []
    stage.settle()


@pytest.mark.clause("FRK-06", "RFC 3261 16.7 (4)")
def test_contacts_that_were_followed_are_taken_out() -> None:
    """One contact is followed and fails; the caller gets the 302 with the other one only."""
    stage = stage_of(scripts={"carrier-c": refusing(486)})
    elsewhere = f"<sip:+{CALLED}@198.51.100.7>"
    redirects(stage, f"<{THERE}>, {elsewhere};q=0.9")
    assert stage.pbx.codes == [100, 302]
    assert stage.pbx.responses[-1].values("contact") == [f"{elsewhere};q=0.9"]


@pytest.mark.clause("FRK-06")
@pytest.mark.parametrize(
    "contact",
    [
        f"<sip:+{CALLED}@198.51.100.7>",  # nobody's
        f"<sip:+{CALLED}@127.0.0.1>",
        f"<sip:+{CALLED}@192.0.2.1>",  # the proxy itself
        f"<sip:+{CALLED}@192.0.2.11>",  # a customer
        f"<sip:+{CALLED}@{CARRIER_B[0]}>",  # carries another class
        f"<sip:+{CALLED}@{RESCUE[0]}>",
        f"<sip:+{CALLED}@{OTHER[0]}:5070>",  # another port
        f"<sip:+{CALLED}@{OTHER[0]};transport=tcp>",
        f"<sip:+{CALLED}@{OTHER[0]};maddr=198.51.100.7>",
        f"<sip:+12125550199@{OTHER[0]}>",  # another number
        f"<sip:{OTHER[0]}>",  # no number
        f"<tel:+{CALLED}>",
        f"<sip:+{CALLED}@{CARRIER_A[0]}>",  # where the 302 comes from
        "*",
        "<sip:",
        f"<sip:+{CALLED}@{OTHER[0]}",
    ],
)
def test_what_is_never_followed(contact: str) -> None:
    """A carrier can't send our signed call to another number, nor to a place that no trunk of its class has."""
    stage = stage_of()
    redirects(stage, contact)
    assert stage.pbx.codes == [100, 302]
    sent = [send.flow.host for _, send in stage.network.sent if send.data.startswith(b"INVITE")]
    assert set(sent) == {CARRIER_A[0]}
    stage.settle()


@pytest.mark.clause("FRK-06", "PRX-11", "MSG-15")
def test_what_a_contact_may_bring_along() -> None:
    """Number portability stays with the number; method, transport and headers of a contact get nowhere."""
    stage = stage_of()
    number = f"+{CALLED};npdi;rn=+12125550000"
    redirects(stage, f"<sip:{number}@{OTHER[0]};user=phone;method=BYE?Subject=x&Identity=y>")
    request = first_invite(stage, OTHER)
    assert (request.method, request.uri) == ("INVITE", f"sip:{number}@{OTHER[0]};user=phone")
    assert not request.has("subject")
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("FRK-06", "RFC 3261 16.5")
def test_no_place_is_tried_twice() -> None:
    """Two targets that point at each other, each contact twice: one INVITE to each, and the call ends."""
    stage = stage_of()
    stage.network.detach(CARRIER_A_SPARE)
    redirects(stage, f"<{SPARE}>", f"<{SPARE}>;q=0.4")
    assert len({request.via.branch for request in stage.requests_to(CARRIER_A_SPARE, "INVITE")}) == 1
    request = first_invite(stage, CARRIER_A_SPARE)
    back = f"Contact: <sip:+{CALLED}@{CARRIER_A[0]}>"
    stage.network.inject(answer_to(request, "302 Moved", "b", back), flow_from(CARRIER_A_SPARE))
    stage.network.run(1)
    assert stage.pbx.codes == [100, 302]
    assert len({request.via.branch for request in stage.requests_to(CARRIER_A, "INVITE")}) == 1
    assert stage.octets_to(OTHER) == []
    stage.settle()


@pytest.mark.clause("FRK-06", "RFC 3261 16.5")
def test_a_target_that_was_redirected_to_has_had_its_turn() -> None:
    """The contact is the target that would have been next: it says 503, and the one after it is tried, not it again."""
    stage = stage_of(scripts={"carrier-a-spare": refusing(503)})
    redirects(stage, f"<{SPARE}>")
    order = [send.flow.host for _, send in stage.network.sent if send.data.startswith(b"INVITE")]
    assert order == [CARRIER_A[0], CARRIER_A_SPARE[0], OTHER[0]]
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("FRK-06", "FRK-11")
def test_a_contact_that_is_a_name() -> None:
    """A configured name is asked for, and its servers get the number of the contact."""
    stage = stage_of()
    stage.network.answers[TargetNeed(*NAMED, "udp")] = TargetAnswer((Server("udp", *OTHER),))
    number = f"+{CALLED};npdi"
    redirects(stage, f"<sip:{number}@PEER.example>;q=1.0")
    assert first_invite(stage, OTHER).uri == f"sip:{number}@peer.example"
    assert stage.pbx.codes == [100, 180, 200]


@pytest.mark.clause("FRK-06", "RFC 3261 16.7 (4)")
def test_a_3xx_after_a_6xx_is_not_followed() -> None:
    """One branch said 603, the other, being cancelled, says 302: nobody else is tried."""
    trunks = (*changed("carrier-a", follow_redirects=True, response_timeout=2.0), Trunk("carrier-c", Side.NETWORK,
              targets=(target(OTHER),)))  # fmt: skip
    stage = Stage(trunks=trunks)
    stage.network.detach(CARRIER_A)
    stage.network.detach(CARRIER_A_SPARE)
    stage.call(3)
    first, second = first_invite(stage, CARRIER_A), first_invite(stage, CARRIER_A_SPARE)
    stage.network.inject(answer_to(first, "603 Decline", "a"), flow_from(CARRIER_A))
    answer = answer_to(second, "302 Moved", "b", f"Contact: <{THERE}>")
    stage.network.inject(answer, flow_from(CARRIER_A_SPARE))
    stage.network.run(1)
    assert stage.octets_to(OTHER) == []
    assert stage.pbx.codes == [100, 603]


@pytest.mark.clause("FRK-06", "FRK-09")
def test_a_3xx_after_a_cancel_is_not_followed() -> None:
    """The caller gave up before the redirection came."""
    stage = stage_of()
    stage.call(0.1)
    stage.pbx.give_up()
    stage.network.run(0.1)
    redirects(stage, f"<{THERE}>", start=False)
    assert stage.octets_to(OTHER) == []


@pytest.mark.clause("TRN-13", "FRK-06", "RFC 5630 5.3")
@pytest.mark.parametrize(("scheme", "followed"), [("sip", False), ("sips", True)])
def test_a_sips_request_and_its_contacts(scheme: str, followed: bool) -> None:
    """A sips request is redirected to a sip contact: 302 goes back, no second INVITE; a sips contact is followed."""
    places = (("192.0.2.61", 5061), ("192.0.2.62", 5061))
    targets = tuple(Target(f"sip:{host};transport=tls", "tls", host, port, ("carrier.example",))
                    for host, port in places)  # fmt: skip
    trunks = (
        *(trunk for trunk in TRUNKS if trunk.name != "carrier-a"),
        Trunk("secure", Side.NETWORK, targets=targets, tls_names=("carrier.example",), follow_redirects=True),
    )
    stage = Stage(trunks=trunks, listeners=(*LISTENERS, TLS_LISTENER))
    stage.call(0.1, uri=f"sips:+{CALLED}@192.0.2.1")
    (request, *_) = stage.requests_to(places[0], "INVITE")
    contact = f"Contact: <{scheme}:+{CALLED}@{places[1][0]};transport=tls>"
    (flow,) = {send.flow for _, send in stage.network.sent if send.flow.host == places[0][0]}
    stage.network.inject(answer_to(request, "302 Moved", "a", contact), flow)
    stage.network.run(1)
    assert bool(stage.requests_to(places[1], "INVITE")) is followed
    assert (302 in stage.pbx.codes) is not followed

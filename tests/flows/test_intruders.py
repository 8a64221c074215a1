"""Ways around screening, and ways to silence others, that stay closed."""

from typing import Any

import pytest

from sipguard.engine import Send
from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import EmergencyRegistration, NumberRight, RightKind
from sipguard.policy.settings import PolicySettings, ScannerSettings
from sipguard.policy.trunk import Side, Trunk
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.proxy.overload import OverloadSettings
from sipguard.sip.flow import Flow
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_B,
    FORGED,
    OWNED,
    PROXY,
    RESCUE,
    TLS_LISTENER,
    TRUNKS,
    changed,
    flow_from,
    invite,
)
from tests.flows.stage import LISTENERS, Stage, octets, with_settings

SHEDDING = with_settings(overload=OverloadSettings(most_shed=1.0))
HOME: tuple[str, int] = ("203.0.113.50", 5060)


def refused_all(stage: Stage) -> None:
    """Under overload, with the first call of the trunk let in."""
    for number in range(50):
        stage.network.now += 0.02
        stage.engine.observe(1.0, stage.network.now)
        if number % 10 == 9:
            stage.network.inject(invite(call_id=f"flood-{number}@sample").encode(), flow_from(ACME_PBX))


def answers(outputs: list[Any]) -> list[bytes]:
    """The first lines of what is sent."""
    return [output.data.partition(b"\r\n")[0] for output in outputs if isinstance(output, Send)]


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("tags", [("caller-tag", "caller-tag"), ("carrier-a", "carrier-a")])
@pytest.mark.parametrize("routed", [True, False])
def test_one_tag_twice_is_no_dialog(tags: tuple[str, str], routed: bool) -> None:
    """A new INVITE to another carrier with one party's tag in From and To is 481: nobody was screened for it."""
    stage = Stage()
    stage.call()
    request = stage.pbx.in_dialog("INVITE")
    own, peer = tags
    request.set("from", f"{request.required('from').partition(';tag=')[0]};tag={own}")
    request.set("to", f"{request.required('to').partition(';tag=')[0]};tag={peer}")
    request.set_uri(f"sip:+19005550100@{CARRIER_B[0]}:{CARRIER_B[1]}")
    if not routed:
        request.remove("route")
    stage.pbx.start(request)
    stage.network.run(1)
    assert stage.pbx.codes[-1] == 481
    assert stage.octets_to(CARRIER_B) == []


@pytest.mark.clause("PRV-01", "RFC 4916 4.2")
def test_a_customer_with_the_tag_of_the_network_speaks_as_itself() -> None:
    """Whoever writes the other party's tag into From gets no other party's freedom: a foreign number does not leave."""
    stage = Stage()
    stage.call()
    request = stage.pbx.in_dialog("INVITE")
    own, peer = request.from_.tag, request.to.tag
    request.set("from", f"<sip:+{FORGED}@192.0.2.11>;tag={peer}")
    request.set("to", f"{request.required('to').partition(';tag=')[0]};tag={own}")
    before = len(stage.requests_to(CARRIER_A, "INVITE"))
    stage.pbx.start(request)
    stage.network.run(1)
    later = stage.requests_to(CARRIER_A, "INVITE")[before:]
    assert all(FORGED not in there.required("from") for there in later)


@pytest.mark.clause("EMG-04")
def test_a_datagram_in_the_name_of_an_address_silences_no_certificate() -> None:
    """A customer known by its certificate is heard, 911 and all, though somebody got its address banned."""
    known = Trunk("acme-home", Side.CUSTOMER, account="acme", tls_names=("pbx.acme.example",))
    stage = Stage(trunks=(*TRUNKS, known), listeners=(*LISTENERS, TLS_LISTENER))
    tool = octets(
        f"OPTIONS sip:100@{PROXY[0]} SIP/2.0", f"Via: SIP/2.0/UDP {HOME[0]};branch=z9hG4bK1", "To: <sip:100@x>",
        "From: <sip:a@b>;tag=1", "Call-ID: 1@x", "CSeq: 1 OPTIONS", "Max-Forwards: 70", "User-Agent: friendly-scanner",
    )  # fmt: skip
    stage.network.inject(tool, flow_from(HOME))
    assert stage.engine.banned == 1
    help_ = invite(uri=f"sip:911@{PROXY[0]};user=phone", called="911", source=HOME, transport="TLS")
    flow = Flow(2, "tls", *HOME, 7, ("pbx.acme.example",))
    assert answers(stage.network.inject(help_.encode(), flow)) == [b"SIP/2.0 100 Trying"]
    stranger = Flow(2, "tls", *HOME, 8, ())
    assert answers(stage.network.inject(invite(call_id="x@y", transport="TLS").encode(), stranger)) == []


@pytest.mark.clause("PRX-24")
@pytest.mark.parametrize("to", ['"tag=1" <sip:100@x>', "<sip:100@x;tag=1>", "<sip:tag=1@x>"])
def test_the_word_tag_hides_no_scanner(to: str) -> None:
    """Only a To tag says that a request is of a dialog, not the word in a name or a URI."""
    stage = Stage()
    tool = octets(
        f"OPTIONS sip:100@{PROXY[0]} SIP/2.0", f"Via: SIP/2.0/UDP {HOME[0]};branch=z9hG4bK1", f"To: {to}",
        "From: <sip:a@b>;tag=1", "Call-ID: 1@x", "CSeq: 1 OPTIONS", "Max-Forwards: 70", "User-Agent: friendly-scanner",
    )  # fmt: skip
    assert answers(stage.network.inject(tool, flow_from(HOME))) == []
    assert stage.engine.banned == 1


@pytest.mark.clause("EMG-17", "EMG-01")
def test_the_emergency_number_of_the_callers_own_country_is_never_shed() -> None:
    """A German number behind an American trunk dials 110 under overload: it comes in, as 911 does."""
    abroad = "4930901820"
    directory = Directory(
        accounts=[Account("acme", path=("acme",))],
        trunks=TRUNKS,
        numbers=NumberBook.of(
            rights=[(abroad, NumberRight("acme", RightKind.OWNED))],
            emergency=[EmergencyRegistration(abroad, "acme", "DE", "registered", paid=True, location="Platz 1")],
        ),
    )
    stage = Stage(directory=directory, settings=SHEDDING)
    refused_all(stage)
    for number, (caller, code) in enumerate(((abroad, b"100 Trying"), (OWNED, b"503 Service Unavailable"))):
        request = invite(calling=caller, called="110", uri=f"sip:110@{PROXY[0]}", call_id=f"help-{number}@sample")
        sent = answers(stage.network.inject(request.encode(), flow_from(ACME_PBX)))
        assert sent[:1] == [b"SIP/2.0 " + code]


@pytest.mark.clause("EMG-17")
def test_a_stranger_buys_no_way_in_with_911() -> None:
    """Where nobody proves a password, a call from no trunk is never served: under overload it costs no record."""
    stage = Stage(settings=SHEDDING)
    refused_all(stage)
    seen = []
    for number in range(20):
        request = invite(source=HOME, called="911", uri=f"sip:911@{PROXY[0]}", call_id=f"stranger-{number}@sample")
        seen += answers(stage.network.inject(request.encode(), flow_from(HOME)))
    assert seen.count(b"SIP/2.0 503 Service Unavailable") >= 19


@pytest.mark.clause("EMG-10")
def test_a_foreign_number_on_a_911_call_opens_no_window_for_it() -> None:
    """Who calls help under somebody else's number is helped, but nobody may call that number unsigned for it."""
    other = "14155550199"
    stage = Stage(
        policy=PolicySettings(emergency_unprovisioned=Unprovisioned.ROUTE),
        directory=Directory(
            accounts=[Account("acme", path=("acme",)), Account("other", path=("other",))],
            trunks=changed("carrier-a", require_identity=True),
            numbers=NumberBook.of(
                rights=[
                    (OWNED, NumberRight("acme", RightKind.OWNED)),
                    (other, NumberRight("other", RightKind.OWNED)),
                ]
            ),
        ),
    )
    stage.call(calling=other, call_id="help@sample", uri=f"sip:911@{PROXY[0]};user=phone", called="911")
    assert stage.pbx.codes[-1] == 200
    stage.hang_up()
    stage.arrives(called=other, call_id="back@sample")
    assert stage.carrier.codes[-1] == 428


@pytest.mark.clause("EMG-04")
@pytest.mark.parametrize("agent", ["sample", "friendly-scanner"])
def test_a_banned_trunk_still_calls_help_and_hangs_up(agent: str) -> None:
    """With ``ban_trunks``, 911 of a banned customer goes through to its BYE; no other call does, whatever its To."""
    stage = Stage(policy=PolicySettings(scanners=ScannerSettings(ban_trunks=True)))
    tool = invite(call_id="tool@sample", headers=("User-Agent: friendly-scanner",))
    assert answers(stage.network.inject(tool.encode(), flow_from(ACME_PBX))) == []
    assert stage.engine.banned == 1
    ordinary = invite(call_id="ordinary@sample", called="911", uri=f"sip:+19005550100@{PROXY[0]}")
    assert answers(stage.network.inject(ordinary.encode(), flow_from(ACME_PBX))) == []
    request = invite(call_id="help@sample", uri=f"sip:911@{PROXY[0]};user=phone", called="911")
    request.set("user-agent", agent)
    stage.pbx.start(request)
    stage.network.run(2)
    assert stage.pbx.codes[-1] == 200
    assert stage.requests_to(RESCUE, "ACK")
    stage.hang_up()
    assert stage.requests_to(RESCUE, "BYE")
    assert stage.engine.active_calls == 0
    assert stage.engine.counters["banned_messages",] == 1


@pytest.mark.clause("PRX-24", "RFC 3261 19.3")
def test_an_old_dialog_has_a_tag() -> None:
    """A token from before a restart lets nothing through whose To tag is empty: it might begin a dialog."""
    before, after = Stage(), Stage()
    before.call()
    request = before.pbx.in_dialog("NOTIFY")
    after.network.run(50)  # another engine, later
    after.call(call_id="first@sample")
    sent = request.encode().replace(b";tag=carrier-a", b';tag=""')
    assert b"481" in answers(after.network.inject(sent, flow_from(ACME_PBX)))[-1]
    sent = request.encode().replace(b"z9hG4bK", b"z9hG4bKx")
    assert answers(after.network.inject(sent, flow_from(ACME_PBX)))[-1][:7] == b"NOTIFY "


@pytest.mark.clause("PRX-24", "RFC 3261 25.1")
@pytest.mark.parametrize(
    ("plain", "written"),
    [
        (";tag=carrier-a", ';tag="carrier-a"'),
        (";tag=carrier-a", ';TAG = "carrier\\-a"'),
        (";tag=caller-tag", ';tag="caller-tag"'),
        (">;tag=carrier-a", ";tag=x>;tag=carrier-a"),
        ("To: <", 'To: "a;tag=x" <'),
        ("From: <", 'From: "a;Tag=x" <'),
    ],
)
def test_a_bye_whose_tag_is_another_to_who_reads_it_otherwise(plain: str, written: str) -> None:
    """The carrier would answer 481 and go on, and the customer's record be closed: it goes nowhere."""
    stage = Stage()
    stage.call()
    octets = stage.pbx.in_dialog("BYE").encode().decode()
    assert plain in octets
    stage.network.inject(octets.replace(plain, written).encode(), flow_from(ACME_PBX))
    stage.network.run(1)
    assert stage.octets_to(ACME_PBX)[-1].startswith(b"SIP/2.0 400 ")
    assert stage.requests_to(CARRIER_A, "BYE") == []
    assert stage.engine.active_calls == 1


@pytest.mark.clause("PRX-24", "policy: emergency calls")
def test_a_call_for_help_ends_whatever_is_in_a_name() -> None:
    """Nobody gains by such a BYE there, and it passes."""
    stage = Stage()
    stage.call(uri=f"sip:911@{PROXY[0]}", called="911")
    octets = stage.pbx.in_dialog("BYE").encode().replace(b"From: <", b'From: "a;tag=x" <')
    stage.network.inject(octets, flow_from(ACME_PBX))
    stage.network.run(1)
    assert stage.rescue.requests[-1].method == "BYE"
    assert stage.events[-1] == "end"

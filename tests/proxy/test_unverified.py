"""What a call claims beside its number, and what of it crosses the boundary."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Verified
from sipguard.proxy import presentation, unverified
from sipguard.sip.message import Request
from sipguard.stir.claims import PriorityClaims, RichCallData
from sipguard.stir.verdict import HeaderResult, Reason, combine
from tests.policy.kit import CONVERSATIONAL, CUSTOMER, call_of, invite

ICON = "https://brand.example/icon.png"
RICH = RichCallData("Zoë", None, ICON, None, None, None, (), False)
STRANGER = replace(CONVERSATIONAL, trusted=False)
NUMBER = HeaderResult("shaken", attest="A")


def priority(*values: str) -> HeaderResult:
    """A good rph PASSporT."""
    return HeaderResult("rph", extension=PriorityClaims(values, False))


def request(*headers: str, from_: str = "<sip:+14155550199@c>") -> Request:
    """A call with these header fields."""
    return invite("sip:+14155550100@p", from_, None, *headers)


def from_network(message: Request, *results: HeaderResult, trusted: bool = False) -> Request:
    """What is left of a call from the network whose verification found this."""
    call = call_of(message, trunk=replace(CONVERSATIONAL, trusted=trusted), account=None)
    call.verified = Verified(combine(results))
    fork = message.fork()
    unverified.strip_from_network(fork, call)
    return fork


FAILED = HeaderResult("rph", Reason.SIGNATURE)


@pytest.mark.clause("RPH-02", "RPH-06", "RFC 8443 4.2", "RFC 4412 4.6")
@pytest.mark.parametrize(
    ("trusted", "results", "sent", "left"),
    [
        (False, (), "ets.0", None),
        (False, (NUMBER,), "ets.0, wps.1", None),
        (False, (priority("ets.0"),), "ETS.0", "ETS.0"),
        (False, (priority("ets.0"),), "ets.0, wps.1", "ets.0"),
        (False, (FAILED,), "ets.0", None),
        (True, (), "ets.0", "ets.0"),
        (True, (NUMBER,), "esnet.1", "esnet.1"),
        (True, (FAILED,), "ets.0", None),
        (True, (FAILED, priority("ets.0")), "ets.0, wps.0", "ets.0, wps.0"),
        (False, (), "foo.1", "foo.1"),
        (False, (), "foo.1, ets.0, bar.2", "foo.1, bar.2"),
        (False, (), "esnet.0", None),
    ],
)
def test_priorities_from_the_network(
    trusted: bool, results: tuple[HeaderResult, ...], sent: str, left: str | None
) -> None:
    """An authority's PASSporT or a trusted trunk keeps a priority; unknown namespaces pass as they are."""
    fork = from_network(request(f"Resource-Priority: {sent}"), *results, trusted=trusted)
    assert fork.value("resource-priority") == left


@pytest.mark.clause("RPH-08", "RPH-02", "RFC 7135")
@pytest.mark.parametrize(
    ("trusted", "sent", "left"),
    [
        (False, "esnet.0", None),
        (True, "esnet.0", None),
        (True, "esnet.0, ets.1", "ets.1"),
        (False, "ets.1", None),
        (False, "foo.1, esnet.4", "foo.1"),
        (True, "<ets.0, x", None),
    ],
)
def test_priorities_from_a_subscriber(trusted: bool, sent: str, left: str | None) -> None:
    """Emergency services' priority never enters from a customer, other authorised ones only from a trusted one."""
    fork = request(f"Resource-Priority: {sent}").fork()
    unverified.strip_from_customer(fork, trusted)
    assert fork.value("resource-priority") == left


@pytest.mark.clause("RPH-06")
def test_what_is_left_alone_keeps_its_octets() -> None:
    """Rows that nothing is taken from go on as they came."""
    message = request("resource-PRIORITY:  foo.1 ,bar.2", 'call-info: <https://x.example/a>;purpose="info"')
    assert from_network(message).rows == message.rows


@pytest.mark.clause("RCD-07", "RFC 9796")
@pytest.mark.parametrize(
    ("trusted", "results", "left"),
    [
        (False, (NUMBER,), "<https://x.example/help>;purpose=info"),
        (True, (NUMBER,), "all"),
        (
            False,
            (HeaderResult("rcd", extension=RICH),),
            f"<{ICON}>;purpose=icon, <https://x.example/help>;purpose=info",
        ),
        (False, (HeaderResult("rcd", Reason.SIGNATURE, extension=RICH),), "<https://x.example/help>;purpose=info"),
    ],
)
def test_pictures_and_cards(trusted: bool, results: tuple[HeaderResult, ...], left: str) -> None:
    """From a stranger only what verified rich call data names crosses; other Call-Info is nobody's business."""
    help_, cards = (
        "<https://x.example/help>;purpose=info",
        "<cid:1@x>;purpose=JCard, <https://x.example/c>;purpose=card",
    )
    sent = f"<{ICON}>;purpose=icon, {help_}, {cards}"
    fork = from_network(request(f"Call-Info: {sent}"), *results, trusted=trusted)
    assert fork.value("call-info") == (sent if left == "all" else left)


@pytest.mark.clause("RCD-07")
def test_pictures_of_a_customer() -> None:
    """A customer's pictures are nobody's unless its trunk is trusted; what cannot be read goes."""
    for sent, trusted, left in (
        (f"<{ICON}>;purpose=rcd-icon", False, None),
        (f"<{ICON}>;purpose=rcd-icon", True, f"<{ICON}>;purpose=rcd-icon"),
        ("<<", False, None),
    ):
        fork = request(f"Call-Info: {sent}").fork()
        unverified.strip_from_customer(fork, trusted)
        assert fork.value("call-info") == left


@pytest.mark.clause("RCD-06")
@pytest.mark.parametrize(
    ("display", "kept"), [("Zoë", True), ("Your Bank", False), ("", True), (" Zoë ", True), ("Zo\xeb\xff", False)]
)
def test_a_name_beside_the_verified_one(display: str, kept: bool) -> None:
    """Where a name was verified, another display name goes; the address stays."""
    text = display.encode().decode("latin-1") if display != "Zo\xeb\xff" else display
    address = f'"{text}" <sip:+14155550199@c>' if display else "<sip:+14155550199@c>"
    fork = from_network(
        request(f"P-Asserted-Identity: {address}", from_=address), HeaderResult("rcd", extension=RICH), trusted=True
    )
    for value in (fork.required("from"), fork.required("p-asserted-identity")):
        assert value.startswith(address if kept else "<sip:+14155550199@c>")
    assert fork.from_.tag == "1"


def test_an_unreadable_address_is_left_to_others() -> None:
    """A P-Asserted-Identity that does not parse is not the business of this check."""
    fork = from_network(request("P-Asserted-Identity: <<"), HeaderResult("rcd", extension=RICH), trusted=True)
    assert fork.value("p-asserted-identity") == "<<"


@pytest.mark.clause("RPH-02", "RPH-08", "RCD-07")
def test_both_directions_and_dialogs_use_it() -> None:
    """Towards the network, towards a customer, and inside a dialog."""
    rows = ("Resource-Priority: esnet.0", f"Call-Info: <{ICON}>;purpose=icon")
    names = ("resource-priority", "call-info")
    outbound = call_of(request(*rows), trunk=CUSTOMER)
    fork = outbound.request.fork()
    presentation.originate(fork, outbound, CONVERSATIONAL, "proxy.example")
    assert not any(fork.has(name) for name in names)
    inbound = call_of(request(*rows), trunk=STRANGER, account=None)
    fork = inbound.request.fork()
    presentation.terminate(fork, inbound, CUSTOMER, "proxy.example")
    assert not any(fork.has(name) for name in names)
    for trusted in (False, True):
        fork = request(*rows).fork()
        presentation.cross(fork, trusted, True)
        assert [fork.has(name) for name in names] == [trusted, trusted]

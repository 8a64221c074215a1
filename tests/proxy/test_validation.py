"""What a proxy asks of a request first (RFC 3261 §16.3)."""

import pytest

from sipguard.proxy.identity import ProxyIdentity
from sipguard.proxy.validation import Complaint, is_service_urn, is_spent, loop_digest, validate
from sipguard.sip.flow import Listener
from tests.sip.messages import request

US = ProxyIdentity((Listener(0, "udp", "192.0.2.1", 5060, "192.0.2.1", 5060),))


@pytest.mark.clause("MSG-17", "MSG-18", "MSG-20", "EMG-01")
@pytest.mark.parametrize(
    ("extra", "changes", "code"),
    [
        ((), {}, None),
        ((), {"uri": "tel:+12125550123"}, None),
        ((), {"uri": "URN:service:SOS.fire"}, None),
        ((), {"uri": "urn:service:counseling"}, 416),
        ((), {"uri": "http://example.com"}, 416),
        ((), {"uri": "sip:"}, 400),
        ((), {"max_forwards": "0"}, 483),
        ((), {"max_forwards": "000"}, 483),
        ((), {"max_forwards": None}, None),
        (("Require: foo",), {}, None),
        (("Proxy-Require: foo",), {}, 420),
    ],
)
def test_the_answer(extra: tuple[str, ...], changes: dict[str, str | None], code: int | None) -> None:
    """The first reason to refuse, or none."""
    complaint = validate(request(*extra, **changes), US)
    assert (complaint.code if complaint else None) == code


@pytest.mark.clause("MSG-20")
def test_unsupported_lists_every_tag() -> None:
    """All option tags of all Proxy-Require rows are listed, those of Require are not."""
    complaint = validate(request("Proxy-Require: a, b", "Require: c", "Proxy-Require: d"), US)
    assert complaint == Complaint(420, "Bad Extension", (("unsupported", "a, b, d"),))


@pytest.mark.clause("PRX-12", "RFC 5393 4.2")
def test_loops_are_found_behind_other_hops_of_ours() -> None:
    """Each Via of ours is compared, not the first alone; another's Via never counts."""
    digest = loop_digest(request())
    ours, spiral = (
        f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa.{digest}",
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKb.0",
    )
    theirs = f"SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKa.{digest}"
    assert validate(request(f"Via: {theirs}"), US) is None
    assert validate(request(f"Via: {spiral}"), US) is None
    for vias in ((ours,), (spiral, ours), (theirs, spiral, theirs, ours)):
        complaint = validate(request(*(f"Via: {via}" for via in vias)), US)
        assert complaint == Complaint(482, "Loop Detected")


@pytest.mark.clause("PRX-12", "PRX-13")
def test_what_makes_a_spiral() -> None:
    """Another Request-URI, Route, tag, Call-ID or CSeq number is another request; another method is not."""
    same = loop_digest(request())
    assert loop_digest(request(method="CANCEL", cseq="7 CANCEL")) == same
    changed: list[dict[str, str]] = [
        {"uri": "sip:other@x"}, {"call_id": "two"}, {"cseq": "8 INVITE"}, {"from": "<sip:a@b>;tag=f2"},
        {"to": "<sip:a@b>;tag=t"},
    ]  # fmt: skip
    assert same not in {loop_digest(request(**change)) for change in changed}
    assert loop_digest(request("Route: <sip:x;lr>")) != same


@pytest.mark.clause("EMG-01", "RFC 5031")
def test_service_urns() -> None:
    """sos and what is below it, in any case; nothing that only begins like it."""
    assert [is_service_urn(uri) for uri in ("urn:service:sos", "URN:SERVICE:SOS.police", "urn:service:sosx")] == [
        True,
        True,
        False,
    ]


@pytest.mark.clause("PRX-23")
def test_spent_requests() -> None:
    """Max-Forwards 0 in any spelling."""
    assert [is_spent(request(max_forwards=hops)) for hops in ("0", "00", "1", "10", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]

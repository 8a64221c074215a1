"""The comparison itself: it must see every change that may not be."""

import pytest

from scenarios.trace import Traced
from tests.live.peers.passage import SIGNED, Way, complaints

WROTE = (
    "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP a:1;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nSubject: one\r\n  two\r\n\r\nv=0\r\n"
)
READ = WROTE.replace("sip:b@x SIP", "sip:b@y SIP", 1).replace("Max-Forwards: 70", "Max-Forwards: 69").replace(
    "Via: SIP/2.0/UDP a:1;branch=z9hG4bK1;rport",
    "Via: SIP/2.0/UDP p:5060;branch=z9hG4bK2\r\nVia: SIP/2.0/UDP a:1;branch=z9hG4bK1;rport=1;received=a",
)  # fmt: skip


def compared(read: str) -> list[str]:
    """What is said about an INVITE that arrived like this."""
    return complaints([Traced(True, WROTE)], [Traced(False, read)], Way(1, SIGNED))


def test_what_a_proxy_has_to_change_is_no_complaint() -> None:
    """A Via more, a hop less, another Request-URI, our signature."""
    assert compared(READ.replace("\r\n\r\n", "\r\nIdentity: x\r\n\r\n")) == []


@pytest.mark.parametrize(
    ("was", "became"),
    [
        ("v=0", "v=1"), ("  two", " two"), ("Subject", "subject"), ("tag=1", "tag=2"), ("CSeq: 1", "CSeq: 01"),
        ("Forwards: 69", "Forwards: 70"), ("\r\nSubject", "\r\nX-New: 1\r\nSubject"),
        ("branch=z9hG4bK1;", "branch=z9hG4bK3;"), ("INVITE sip", "OPTIONS sip"),
    ],
)  # fmt: skip
def test_any_other_change_is(was: str, became: str) -> None:
    """A row, its case, its white space, its place, the body."""
    changed = READ.replace(was, became, 1)
    assert changed != READ
    assert compared(changed) != []

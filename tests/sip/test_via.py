"""Via: the usual shape, white space, IPv6, what is filled in for the way back."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.sip.via import parse_via


@pytest.mark.clause("RFC 3261 20.42", "MSG-35")
@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc", "UDP", "192.0.2.1", 5060, "z9hG4bKabc"),
        ("sip/2.0/tcp Host.Example.COM", "TCP", "Host.Example.COM", None, None),
        ("SIP  /   2.0 /UDP    192.0.2.2;branch=390skdjuw", "UDP", "192.0.2.2", None, "390skdjuw"),
        ("SIP / 2.0 / TCP     spindle.example.com   ; branch  =   z9hG4bK9", "TCP", "spindle.example.com", None,
         "z9hG4bK9"),
        ("SIP/2.0/UDP a : 5070 ;branch=x", "UDP", "a", 5070, "x"),
        ("SIP/2.0/TLS [2001:db8::9:1]:5061;branch=z9hG4bKas3", "TLS", "[2001:db8::9:1]", 5061, "z9hG4bKas3"),
        ("SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en", "UNKNOWN", "t4.example.com", None, "z9hG4bKasd0f3en"),
        ("SIP/2.0/UDP host5.example.net;branch=-.!%66*_+`'~", "UDP", "host5.example.net", None, "-.!%66*_+`'~"),
    ],
)  # fmt: skip
def test_reading(text: str, transport: str, host: str, port: int | None, branch: str | None) -> None:
    """Transport, sent-by and branch are found whatever the white space."""
    via = parse_via(text)
    assert (via.transport, via.host, via.port, via.branch) == (transport, host, port, branch)


@pytest.mark.clause("MSG-28", "RFC 4475 3.1.2.1")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/3.0/UDP a",
        "HTTP/2.0/UDP a",
        "SIP/2.0 a",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
        "SIP/2.0/UDP 192.0.2.15;;",
        "SIP/2.0/UDP 2001:db8::1;branch=x",
        "SIP/2.0/UDP a:0",
        "SIP/2.0/UDP a:65536",
        "SIP/2.0/UDP a:;branch=x",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP a;branch=x;branch=y",
        'SIP/2.0/UDP a;branch="x',
        "SIP/2.0/UDP <a>",
    ],
)
def test_refusing(text: str) -> None:
    """A Via that gives no single way back is refused."""
    with pytest.raises(MalformedValue):
        parse_via(text)


@pytest.mark.clause("MSG-27", "RFC 5118 4.5")
@pytest.mark.parametrize("received", ["2001:db8::9:255", "[2001:db8::9:255]"])
def test_received_is_accepted_with_and_without_brackets(received: str) -> None:
    """The received address comes without brackets, however it was written."""
    assert parse_via(f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3").received == "2001:db8::9:255"


@pytest.mark.clause("RFC 3581 3")
@pytest.mark.parametrize(
    ("parameters", "asked", "port"),
    [
        ("", False, None),
        (";rport", True, None),
        (";rport=5070", True, 5070),
        (";rport=0", True, None),
        (";rport=99999", True, None),
        (";rport=1234567", True, None),
        (";rport=abc", True, None),
    ],
)
def test_rport(parameters: str, asked: bool, port: int | None) -> None:
    """An rport may be absent, asked for or filled in; a value that is no port counts as asked for."""
    via = parse_via(f"SIP/2.0/UDP a;branch=x{parameters}")
    assert (via.has_rport, via.rport) == (asked, port)


def test_absent_parameters_are_none() -> None:
    """A Via without parameters has no branch and no received address."""
    via = parse_via("SIP/2.0/UDP a")
    assert (via.branch, via.received, via.rport) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    ["SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport", "SIP/2.0/TCP [2001:db8::1]", 'SIP/2.0/UDP a;x="b c";y'],
)
def test_writing_gives_the_same_text(text: str) -> None:
    """A Via in the usual spelling is written as it was read."""
    assert str(parse_via(text)) == text

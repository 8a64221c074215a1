"""URIs: how they split, what is refused, when two are equal."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.sip.uri import OtherUri, SipUri, TelUri, Uri, parse_uri, same_uri, unescape


def sip(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


@pytest.mark.clause("RFC 3261 19.1.1")
def test_every_part_of_a_sip_uri_is_found() -> None:
    """A SIP URI splits into scheme, user, password, host, port, parameters and headers."""
    text = "SIPS:alice:se%25cret@Atlanta.COM:5070;Transport=TCP;lr?subject=project%20x&priority=urgent"
    uri = sip(text)
    assert (uri.scheme, uri.user, uri.password) == ("sips", "alice", "se%25cret")
    assert (uri.host, uri.port) == ("atlanta.com", 5070)
    assert dict(uri.parameters) == {"transport": "TCP", "lr": None}
    assert uri.headers == "subject=project%20x&priority=urgent"
    assert uri.text == text


def test_a_uri_without_user_is_read() -> None:
    """Everything but scheme and host may be missing."""
    uri = sip("sip:example.com")
    assert (uri.user, uri.password, uri.port, uri.headers, dict(uri.parameters)) == (None, None, None, None, {})
    assert uri.user_number == ""
    assert uri.user_parameters == {}


@pytest.mark.clause("MSG-28", "RFC 5118 4.1")
def test_ipv6_hosts_keep_their_brackets() -> None:
    """An IPv6 reference is a host in brackets, its port outside them, its address without them."""
    uri = sip("sip:user@[2001:DB8::10]:5070")
    assert (uri.host, uri.address_host, uri.port) == ("[2001:db8::10]", "2001:db8::10", 5070)
    assert sip("sip:[2001:db8::10:5070]").port is None
    assert sip("sip:a@192.0.2.1").address_host == "192.0.2.1"


@pytest.mark.clause("PRV-16", "RFC 3261 19.1.6")
def test_tel_parameters_stand_in_the_user_part() -> None:
    """Parameters before the at sign belong to the user part, not to the URI."""
    uri = sip("sip:+15551234;verstat=TN-Validation-Passed;NPDI@h;user=phone")
    assert uri.user_number == "+15551234"
    assert uri.user_parameters == {"verstat": "TN-Validation-Passed", "npdi": None}
    assert dict(uri.parameters) == {"user": "phone"}
    assert sip("sip:+1;;a=1;A=2@h").user_parameters == {"a": "1"}


@pytest.mark.clause("RFC 4475 3.1.1.9")
def test_semicolons_and_escapes_in_the_user_part() -> None:
    """An escaped at sign inside a user parameter does not end the user part."""
    uri = sip("sip:user;par=u%40example.net@example.com")
    assert (uri.user, uri.host) == ("user;par=u%40example.net", "example.com")


@pytest.mark.clause("MSG-26", "RFC 4475 3.1.1.3")
def test_escapes_are_not_undone_before_the_split() -> None:
    """A user part that unescapes to another URI stays a user part."""
    uri = sip("sip:sips%3Auser%40example.com@example.net")
    assert (uri.scheme, uri.host) == ("sip", "example.net")
    assert unescape(uri.user or "") == "sips:user@example.com"


@pytest.mark.clause("MSG-26", "RFC 4475 3.1.1.4")
def test_an_escaped_nul_is_an_octet_like_any_other() -> None:
    """%00 unescapes to one NUL and does not end the text."""
    assert unescape("null-%00-null") == "null-\0-null"
    assert unescape("50%") == "50%"


@pytest.mark.clause("RFC 3966 3")
def test_a_tel_uri_keeps_its_number_as_received() -> None:
    """A tel URI splits into number and parameters, separators kept."""
    uri = parse_uri("TEL:+1-215-555-0112;Phone-Context=+1;ext=33")
    assert isinstance(uri, TelUri)
    assert uri.number == "+1-215-555-0112"
    assert dict(uri.parameters) == {"phone-context": "+1", "ext": "33"}


@pytest.mark.clause("MSG-17", "RFC 3261 16.3")
@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("nobodyKnowsThisScheme:totallyopaquecontent", "nobodyknowsthisscheme"),
        ("soap.beep://192.0.2.103:3002", "soap.beep"),
        ("isbn:2983792873", "isbn"),
    ],
)
def test_an_unknown_scheme_is_a_uri_all_the_same(text: str, scheme: str) -> None:
    """A URI of an unknown scheme is read as opaque."""
    uri = parse_uri(text)
    assert isinstance(uri, OtherUri)
    assert (uri.scheme, uri.text) == (scheme, text)


@pytest.mark.clause("MSG-14", "MSG-28", "RFC 3261 25.1")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "sip:",
        "sip:@example.com",
        "sip:user@",
        "<sip:user@example.com>",
        "sip:user@example.com; lr",
        "sip:user@exa mple.com",
        "sip:2001:db8::10",
        "sip:user@[2001:db8::10",
        "sip:user@example.com:0",
        "sip:user@example.com:70000",
        "sip:user@example.com:",
        "sip:us%4@example.com",
        "sip:user@example.com;a=1;A=2",
        "sip:user@example.com;;lr",
        "sip:user@-example.com",
        "sip:us\xe9r@example.com",
        "sip:user@example.com\r\nVia: x",
        "sip:user@example.com\n",
        "sip:\u0661@example.com",
        "tel:",
        "tel:+",
        "tel:-",
        "tel:bob",
        "tel:+1 215",
        "1isbn:2",
        "isbn:",
        "isbn:a b",
        'isbn:"',
    ],
)
def test_texts_that_are_no_uris(text: str) -> None:
    """Whatever does not follow the grammar of its scheme is refused."""
    with pytest.raises(MalformedValue):
        parse_uri(text)


def test_the_error_does_not_repeat_the_text() -> None:
    """An error text is fit for a log and a reason phrase: it holds nothing the peer wrote."""
    with pytest.raises(MalformedValue) as caught:
        parse_uri("sip:+12155550112@")
    assert "2155550112" not in str(caught.value)


def test_values_cannot_be_changed() -> None:
    """A parsed URI is shared by many messages, so nobody can write to it."""
    uri = sip("sip:a@b;lr")
    with pytest.raises(TypeError):
        uri.parameters["lr"] = "x"  # type: ignore[index]
    with pytest.raises(AttributeError):
        uri.host = "c"  # type: ignore[misc]


def test_long_texts_are_read_like_short_ones() -> None:
    """A URI too long for the cache is read by the same rules."""
    assert sip("sip:" + "a" * 5000 + "@b").host == "b"


EQUAL = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("sip:a%3bb@example.com", "sip:a%3Bb@example.com"),
    ("tel:+1-215-555-0112", "tel:+1(215)555.0112"),
    ("tel:0112;phone-context=+1-215", "tel:0112;Phone-Context=+1215"),
    ("tel:0112;phone-context=Example.COM;ext=3-3", "tel:0112;ext=33;phone-context=example.com"),
    ("ISBN:2983792873", "isbn:2983792873"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:carol@chicago.com;user=phone", "sip:carol@chicago.com"),
    ("sip:carol@chicago.com", "sips:carol@chicago.com"),
    ("sip:carol:a@chicago.com", "sip:carol:b@chicago.com"),
    ("sip:a%3Bb@example.com", "sip:a;b@example.com"),
    ("tel:+12155550112", "tel:12155550112"),
    ("tel:0112;phone-context=+1", "tel:0112"),
    ("tel:+12155550112", "sip:+12155550112@example.com;user=phone"),
    ("isbn:1", "issn:1"),
]


@pytest.mark.clause("MSG-24", "MSG-25", "RFC 3261 19.1.4", "RFC 3966 4")
@pytest.mark.parametrize(("first", "second", "same"), [(*p, True) for p in EQUAL] + [(*p, False) for p in DIFFERENT])
def test_when_two_uris_are_equal(first: str, second: str, same: bool) -> None:
    """The examples of the RFC are equal or different as it says, in both directions."""
    one, other = parse_uri(first), parse_uri(second)
    assert same_uri(one, other) is same
    assert same_uri(other, one) is same


@pytest.mark.parametrize("text", ["sip:a@b", "tel:+1", "isbn:1"])
def test_every_uri_equals_itself(text: str) -> None:
    """Equality is reflexive for all three kinds."""
    uri: Uri = parse_uri(text)
    assert same_uri(uri, uri)

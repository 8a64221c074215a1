"""Name-addr and addr-spec: where the display name ends and whose the parameters are."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.sip.address import Address, format_address, parse_address


@pytest.mark.clause("RFC 3261 20.10", "RFC 4475 3.1.1.6")
@pytest.mark.parametrize(
    ("text", "display", "uri", "parameters"),
    [
        ("<sip:a@b>", None, "sip:a@b", {}),
        ("<sip:a@b;lr>;tag=1", None, "sip:a@b;lr", {"tag": "1"}),
        ("sip:a@b;lr;tag=1", None, "sip:a@b", {"lr": None, "tag": "1"}),
        ("sip:a@b ;   tag    = 1918181833n", None, "sip:a@b", {"tag": "1918181833n"}),
        ("Alice <sip:a@b>", "Alice", "sip:a@b", {}),
        ("caller<sip:a@b>;tag=323", "caller", "sip:a@b", {"tag": "323"}),
        ('"Alice"<sip:a@b>', "Alice", "sip:a@b", {}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
        ('"J Rosenberg \\\\\\""       <sip:a@b> ; tag = 98asjd8', 'J Rosenberg \\"', "sip:a@b", {"tag": "98asjd8"}),
        ("token1~` token2'+_ token3*%!.- <sip:a@b>", "token1~` token2'+_ token3*%!.-", "sip:a@b", {}),
        ("J\xc3\xbcrgen (work) <sip:a@b>", "J\xc3\xbcrgen (work)", "sip:a@b", {}),
        ("<sip:a@b>;TAG=x", None, "sip:a@b", {"tag": "x"}),
        ('<sip:a@b>;p="a;b>c";q=0.3', None, "sip:a@b", {"p": "a;b>c", "q": "0.3"}),
        ("isbn:2983792873", None, "isbn:2983792873", {}),
    ],
)
def test_reading(text: str, display: str | None, uri: str, parameters: dict[str, str | None]) -> None:
    """Display name, URI and header parameters are told apart in both forms."""
    address = parse_address(text)
    assert (address.display, address.uri, dict(address.parameters)) == (display, uri, parameters)
    assert address.tag == parameters.get("tag")


@pytest.mark.clause("MSG-06", "RFC 3261 7.3.1")
def test_separators_in_a_quoted_display_name_separate_nothing() -> None:
    """A URI inside a quoted display name is a part of the name."""
    address = parse_address('"a, b <sip:x@y>; \\"q\\"" <sip:real@example.com>;tag=1')
    assert address == Address('a, b <sip:x@y>; "q"', "sip:real@example.com", {"tag": "1"})


@pytest.mark.clause("MSG-30")
def test_octets_above_127_are_neither_spaces_nor_errors() -> None:
    """A display name that is no valid UTF-8, or holds the octets of other alphabets' spaces, is kept."""
    assert parse_address('"\xff\x85\xa0" <sip:a@b>').display == "\xff\x85\xa0"
    assert parse_address("\xc3\xa0 <sip:a@b>").display == "\xc3\xa0"


@pytest.mark.clause("RFC 4475 3.1.2.6", "RFC 4475 3.1.2.14", "RFC 4475 3.1.2.15")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bell, Alexander <sip:a@b>;tag=43",
        '"Mr. J. User <sip:a@b>',
        '"Watson" < sip:a@b >',
        "<sip:a@b",
        "sip:a@b>",
        "<>",
        "<sip:a@b> junk",
        "<sip:a@b>;;tag=1",
        "<sip:a@b>;tag=1;tag=2",
        "<sip:a@b>;tag=",
        "<sip:a@b>, <sip:c@d>",
        "sip:a@b?Route=x",
        "sip:a@b junk",
        '"a" "b" <sip:a@b>',
        '"a\\" <sip:a@b>',
        "<sip:a@b\r\n>",
        "<<sip:a@b>>",
    ],
)
def test_refusing(text: str) -> None:
    """What could be read in two ways, or not at all, is refused."""
    with pytest.raises(MalformedValue):
        parse_address(text)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address(None, "sip:a@b", {}), "<sip:a@b>"),
        (Address('say "hi" \\', "sip:a@b", {"tag": "1", "x": None}), '"say \\"hi\\" \\\\" <sip:a@b>;tag=1;x'),
        (Address("", "sip:a@b", {"p": "a;b", "q": ""}), '"" <sip:a@b>;p="a;b";q=""'),
    ],
)
def test_writing(address: Address, text: str) -> None:
    """A written address is quoted where it must be and reads back as itself."""
    assert format_address(address) == text
    assert parse_address(text) == address


def test_values_are_shared_and_cannot_be_changed() -> None:
    """Two equal texts give one value nobody can write to."""
    address = parse_address("<sip:a@b>;tag=1")
    with pytest.raises(TypeError):
        address.parameters["tag"] = "2"  # type: ignore[index]


def test_long_addresses_are_read_like_short_ones() -> None:
    """An address too long for the cache is read by the same rules."""
    assert parse_address('"' + "x" * 3000 + '" <sip:a@b>;tag=1').tag == "1"

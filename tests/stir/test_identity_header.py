"""The Identity header field (RFC 8224 §4)."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.stir.identity_header import Parameters, parse_identity
from sipguard.stir.verdict import Reason
from tests.stir.kit import CLAIMS, HEADER, URL, field, judge, sign

KNOWN = Parameters("https://a.example/c", "ES256", "shaken")


@pytest.mark.clause("VS-05", "RFC 8224 4")
@pytest.mark.parametrize(
    "parameters",
    [
        ";info=<https://a.example/c>;alg=ES256;ppt=shaken",
        ";ppt=shaken;alg=ES256;info=<https://a.example/c>",
        ';info=<https://a.example/c>;alg="ES256";ppt="shaken"',
        ";INFO=<https://a.example/c>;Alg=ES256;PPT=shaken",
        ";info=<https://a.example/c>;alg=es256;ppt=SHAKEN",
        " ; info = <https://a.example/c> ; alg = ES256 ; ppt = shaken ",
        ';info=<https://a.example/c>;x;alg=ES256;y=1;z="a;b\\"c";ppt=shaken;x=2',
        ";info=<https://a.example/c>\r\n ;alg=ES256;\r\n\tppt=shaken",
    ],
)
def test_parameters_in_any_order_and_spelling(parameters: str) -> None:
    """Order, case of names, quotes, white space, folding and unknown parameters make no difference."""
    assert parse_identity("a.b.c" + parameters) == ("a.b.c", KNOWN)


@pytest.mark.clause("VS-05")
@pytest.mark.parametrize(
    "parameters",
    [
        f';ppt="shaken";info=<{URL}>',
        f";alg=ES256;INFO=<{URL}>;PPT=shaken;unknown",
        f' ; ppt=shaken ; info=<{URL}>;canon=""',
    ],
)
def test_a_good_token_passes_in_any_spelling(parameters: str) -> None:
    """What other implementations write is verified like our own."""
    assert judge([field(sign(HEADER, CLAIMS), parameters)]).reason is None


@pytest.mark.clause("VS-06")
def test_absent_parameters_are_none() -> None:
    """alg and ppt are optional; so is info, for the reader."""
    assert parse_identity("a.b.c;info=<https://a.example/c>").parameters == ("https://a.example/c", None, None)
    assert parse_identity("a.b.c;x").parameters == (None, None, None)


@pytest.mark.clause("VS-15", "VS-16")
def test_the_compact_form_is_recognised() -> None:
    """A token that starts with two dots is a signature alone."""
    assert parse_identity("..c;info=<https://a.example/c>").compact
    assert not parse_identity("a.b.c;info=<https://a.example/c>").compact


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.b.c",
        ";",
        "a.b.c;",
        "a.b.c;=x",
        "a.b.c;info=<a",
        "a.b.c;info=a",
        "a.b.c;info=<a>x",
        "a.b.c;info=<a b>",
        "a.b.c;info=<a>,d.e.f;info=<b>",
        'a.b.c;ppt="x',
        "a.b.c;ppt=",
        "a.b.c;alg",
        "a.b.c;info=<a>;info=<b>",
        "a.b.c;alg=ES256;ALG=none",
        "a.b.c;info=<é>",
        "a.b.c;ppt=é",
        "a.b.c;info=<a>;;ppt=x",
        "a.b.c;info=<a>\n;ppt=x",
    ],
)
def test_anything_else_is_malformed(value: str) -> None:
    """A field that two readers could read in two ways is refused."""
    with pytest.raises(MalformedValue):
        parse_identity(value)
    assert judge([value]).reason is Reason.MALFORMED_HEADER

"""Folds, lists, parameters and quoted strings."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.sip.header import MAX_ITEMS, format_parameters, parse_parameters, quote, split_list, unfold, unquote
from tests.sip.messages import request


@pytest.mark.clause("MSG-02", "RFC 3261 7.3.1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [("a\r\n b", "a b"), ("a \t \r\n \t b", "a b"), ("a\r\n b\r\n\tc", "a b c"), ("a  b", "a  b")],
)
def test_a_fold_is_one_space(value: str, expected: str) -> None:
    """A fold with all the white space around it counts as one SP."""
    assert unfold(value) == expected


@pytest.mark.clause("MSG-03", "MSG-06", "RFC 3261 7.3.1")
@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", []),
        ("  ", []),
        ("a", ["a"]),
        (" a ,b,\tc ", ["a", "b", "c"]),
        ("a,,b,", ["a", "b"]),
        ('"x, y" <sip:a@b,c>, z', ['"x, y" <sip:a@b,c>', "z"]),
        ('"a\\", b", c', ['"a\\", b"', "c"]),
        ("\xa0,\x85", ["\xa0", "\x85"]),
    ],
)
def test_commas_split_only_between_values(value: str, items: list[str]) -> None:
    """Commas in quotes and angle brackets do not split, and only SP and HT are trimmed."""
    assert split_list(value) == items


@pytest.mark.parametrize("value", ['"a, b', "<a, b", 'a, "b\\"', "a, <b"])
def test_an_open_quote_or_bracket_is_refused(value: str) -> None:
    """A list whose commas cannot be placed is refused."""
    with pytest.raises(MalformedValue):
        split_list(value)


@pytest.mark.clause("MSG-29")
@pytest.mark.parametrize("rows", [[MAX_ITEMS], [MAX_ITEMS - 9, 9], [MAX_ITEMS + 1], [MAX_ITEMS - 9, 10]])
def test_a_field_has_as_many_values_as_a_message_may_have_rows(rows: list[int]) -> None:
    """In one row or in several: what holds more is refused before anybody reads each of them."""
    message = request(*(f"X-Odd: {','.join(['a'] * count)}" for count in rows))
    if sum(rows) <= MAX_ITEMS:
        assert len(message.listed("x-odd")) == MAX_ITEMS
    else:
        with pytest.raises(MalformedValue, match="too many"):
            message.listed("x-odd")


@pytest.mark.clause("RFC 3261 7.3.1", "MSG-24")
@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        (";lr", {"lr": None}),
        (";Tag=AbC;x", {"tag": "AbC", "x": None}),
        (' ; a = 1 ; b = "x;\\"y" ; c ', {"a": "1", "b": 'x;"y', "c": None}),
        (";received=2001:db8::1", {"received": "2001:db8::1"}),
        (';p="\xd1\x80"', {"p": "\xd1\x80"}),
        (';p=""', {"p": ""}),
    ],
)
def test_parameters(text: str, parameters: dict[str, str | None]) -> None:
    """Parameter names are lower-cased, values unquoted, and they read back when written."""
    assert parse_parameters(text) == parameters
    assert parse_parameters(format_parameters(parameters)) == parameters


@pytest.mark.clause("RFC 4475 3.1.2.1", "RFC 3261 7.3.1")
@pytest.mark.parametrize(
    "text", [";", ";;a", ";a;", "a", ";a=", ";a=1;A=2", ";a=b c", ';a="b', ";a=<b>", ";=b", " ;a;a"]
)
def test_malformed_parameters(text: str) -> None:
    """Empty, doubled and half-written parameters are refused."""
    with pytest.raises(MalformedValue):
        parse_parameters(text)


def test_quoting() -> None:
    """Quoting and unquoting are inverse, and unquoted text stays as it is."""
    assert quote('a"b\\c') == '"a\\"b\\\\c"'
    assert unquote(quote('a"b\\c')) == 'a"b\\c'
    assert unquote("plain") == "plain"
    assert unquote('"') == '"'

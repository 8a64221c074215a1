"""Strict JSON (PPT-11, PPT-13)."""

import time

import pytest

from sipguard.errors import MalformedValue
from sipguard.stir.strict_json import parse_object


@pytest.mark.clause("PPT-09")
def test_an_object_is_read() -> None:
    """Members of every kind, white space and UTF-8 are fine."""
    text = ' {"a": [1, -2, 0.5, true, null], "b": {"c": "Zoë \\u00e9"}}\n'
    assert parse_object(text.encode()) == {"a": [1, -2, 0.5, True, None], "b": {"c": "Zoë é"}}


def test_brackets_inside_strings_do_not_nest() -> None:
    """A string full of brackets is a string."""
    assert parse_object(b'{"a":"' + b"[" * 100 + b'\\"{"}') == {"a": "[" * 100 + '"{'}


def test_many_lists_side_by_side_do_not_nest() -> None:
    """Only depth is bounded, not the number of lists."""
    assert len(parse_object(b'{"a":[' + b",".join([b"[]"] * 100) + b"]}")["a"]) == 100


@pytest.mark.clause("PPT-11", "PPT-13")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1",
        b"[]",
        b"null",
        b'"a"',
        b"{",
        b"{}{}",
        b"{}x",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":' + b"9" * 21 + b"}",
        b'{"a":1.' + b"9" * 50 + b"}",
        b'{"a":"\n"}',
        b'{"a":"\xff"}',
        b'{"a":"\\x"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a":' + b"[" * 33 + b"]" * 33 + b"}",
        b'{"a":"' + b"x" * 20000 + b'"}',
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """No other value, no trailing octets, no duplicate, no NaN, no huge number, no deep nesting, no huge text."""
    with pytest.raises(MalformedValue):
        parse_object(data)


@pytest.mark.clause("VS-37", "PPT-13")
@pytest.mark.parametrize(
    "data", [b"[" * 16000, b'{"a":' * 3000, b'{"a":' + b"9" * 16000 + b"}", b'{"a":"' + b"\\u" * 8000]
)
def test_hostile_octets_are_refused_at_once(data: bytes) -> None:
    """The worst inputs of the largest size cost milliseconds at most."""
    start = time.process_time()
    for _ in range(10):
        with pytest.raises(MalformedValue):
            parse_object(data)
    assert time.process_time() - start < 0.2

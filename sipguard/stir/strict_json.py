"""JSON objects of a PASSporT, read strictly and cheaply (PPT-11, PPT-13).

The library parser takes NaN, lets the last of two equal members win, turns a long exponent into infinity and recurses
once per bracket. Each of those is a way for two readers of one token to see different claims, or to fall over.
"""

import json
from typing import Any, NoReturn

from sipguard.errors import MalformedValue

_LARGEST = 16384  # octets; a SHAKEN payload has about 150
_DEEPEST = 32  # nesting; a jCard in rich call data needs 6
_LONGEST_INTEGER = 20  # characters


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedValue("a JSON member name appears twice")
    return members


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise MalformedValue("a JSON number is too long")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= 2 * _LONGEST_INTEGER else float("inf")
    if value in (float("inf"), float("-inf")):
        raise MalformedValue("a JSON number is too large")
    return value


def _constant(text: str) -> NoReturn:
    raise MalformedValue(f"{text} is not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
_decode, _decode_first = _decoder.decode, _decoder.raw_decode


def parse_object(data: bytes) -> dict[str, Any]:
    """The one JSON object these octets hold; raises MalformedValue for anything else."""
    if len(data) > _LARGEST:
        raise MalformedValue("JSON is too large")
    if data.count(b"[") + data.count(b"{") > _DEEPEST and _depth(data) > _DEEPEST:
        raise MalformedValue("JSON is nested too deeply")
    try:
        text = data.decode("utf-8")
        if text[:1] == "{" and text[-1] == "}":
            value, end = _decode_first(text)
            if end != len(text):
                raise MalformedValue("octets after the JSON object")
        else:
            value = _decode(text)  # white space around it, or not an object
    except ValueError:  # UnicodeDecodeError, json.JSONDecodeError
        raise MalformedValue("not JSON") from None
    if type(value) is not dict:
        raise MalformedValue("not a JSON object")
    return value


def _depth(data: bytes) -> int:
    """The deepest nesting, brackets inside strings not counted."""
    depth = deepest = 0
    in_string = escaped = False
    for octet in data:
        if in_string:
            if escaped:
                escaped = False
            elif octet == 0x5C:
                escaped = True
            elif octet == 0x22:
                in_string = False
        elif octet == 0x22:
            in_string = True
        elif octet in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif octet in b"]}":
            depth -= 1
    return deepest

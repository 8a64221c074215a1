"""Every difference between what sipguard and ``sipmessage`` 0.7 read in a value that both accept, and who is right.

``sign`` tells the texts in which the difference can show. Where ``mend`` is given, it takes the difference out of a
reading of either side, so that nothing else can hide behind it; without one, the two readings have nothing in common.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

Mend = Callable[[Any], Any]


class Difference(NamedTuple):
    """One difference: why it is one, by which clause, how it shows, and an example with both readings."""

    name: str
    why: str
    clause: str
    sign: re.Pattern[str]
    kind: str
    example: str
    ours: Any
    theirs: Any
    mend: Mend | None = None


def over_texts(change: Callable[[str], str]) -> Mend:
    """The same change to every text of a reading, names of parameters included."""

    def mend(reading: Any) -> Any:
        if isinstance(reading, str):
            return change(reading)
        if isinstance(reading, dict):
            return {mend(name): mend(value) for name, value in reading.items()}
        if isinstance(reading, tuple | list):
            return [mend(part) for part in reading]
        return reading

    return mend


def without_quotes(text: str) -> str:
    """The content of a quoted string."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def without_escapes(text: str) -> str:
    """Every percent escape undone, those that come out of another too."""
    while (plain := unquote(text)) != text:
        text = plain
    return text.lower()


def without_spaces(text: str) -> str:
    """White space, in the wide sense of Python, left out."""
    return re.sub(r"\s+", "", text)


A = ("sip", None, None, "a", None, {})
B = ("sip", None, None, "b", None, {})

DIFFERENCES = [
    Difference(
        "two quoted addresses are one",
        "Their quoted string runs to the last quote of the row, so the first address becomes part of a name.",
        "RFC 3261 25.1: quoted-string ends at the first DQUOTE that is no quoted-pair",
        re.compile(r'".*".*".*"'), "addresses", '"x" <sip:a>, "y" <sip:b>',
        [("x", A, {}), ("y", B, {})], [('x" <sip:a>, "y', B, {})],
    ),
    Difference(
        "a semicolon in a quoted parameter starts a parameter",
        "They split parameters at every semicolon.",
        "RFC 3261 25.1: gen-value = token / host / quoted-string, and qdtext holds semicolons",
        re.compile(r'"[^"]*;[^"]*"'), "address", '<sip:a>;x="b;tag=c"',
        ("", A, {"x": "b;tag=c"}), ("", A, {"x": '"b', "tag": 'c"'}),
    ),
    Difference(
        "quoted pairs stay",
        "They undo two of all quoted pairs in a display name, in the wrong order, and none in a parameter.",
        "RFC 3261 25.1: quoted-pair = \"\\\" (any octet but CR and LF)",
        re.compile(r'"[^"]*\\'), "address", r'"\a" <sip:a>;x="\""',
        ("a", A, {"x": '"'}), (r"\a", A, {"x": r'"\""'}),
    ),
    Difference(
        "parameters keep their quotes",
        "They give a quoted value with its quotes; sipguard gives its content.",
        "RFC 3261 25.1: gen-value = token / host / quoted-string",
        re.compile(r'=[ \t]*"'), "via", 'SIP/2.0/UDP a;x="b"',
        ("UDP", "a", None, {"x": "b"}), ("UDP", "a", None, {"x": '"b"'}), over_texts(without_quotes),
    ),
    Difference(
        "percent signs of header parameters are escapes",
        "They undo %41 in Via and header parameters, where it is three characters of a token like any other.",
        "RFC 3261 25.1: token holds %, escaped is a production of URIs only",
        re.compile("%[0-9A-Fa-f]{2}"), "address", "<sip:a>;tag=%41",
        ("", A, {"tag": "%41"}), ("", A, {"tag": "A"}), over_texts(without_escapes),
    ),
    Difference(
        "white space in a name is one space",
        "They replace every run of white space of a row before reading it. The RFC lets a recipient do that with LWS; "
        "sipguard does not, because what it reads is to be what the next hop reads.",
        "RFC 3261 25.1: a recipient MAY replace any LWS with a single SP",
        re.compile(r"[ \t]{2}|\t"), "address", '"x  y" <sip:a>',
        ("x  y", A, {}), ("x y", A, {}), over_texts(without_spaces),
    ),
    Difference(
        "octets above 127 are white space",
        "To them U+0085 and U+00A0 are spaces. Octets above 127 are parts of UTF-8 characters.",
        "RFC 3261 25.1: LWS is SP, HT and folds; UTF8-CONT = %x80-BF",
        re.compile("[\x85\xa0]"), "address", '"\xe0\xa0\xa0" <sip:a>',
        ("\xe0\xa0\xa0", A, {}), ("\xe0 ", A, {}), over_texts(without_spaces),
    ),
]  # fmt: skip

"""Header fields as ``sipmessage`` reads them: where both accept a value they agree, or the difference is in the table.

Values come from the torture messages and from Hypothesis, in the odd spellings the grammar allows and some it does not.
A difference that no longer shows fails too, and each is held against the grammar.
"""

from collections.abc import Iterator

import pytest
import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.errors import MalformedMessage
from sipguard.sip.message import Message, Request
from sipguard.sip.parser import parse
from tests.differential import grammar
from tests.differential.differences import DIFFERENCES, Difference
from tests.differential.readings import KINDS, ours, theirs
from tests.torture.test_engine import VECTORS

KIND_OF = {
    "from": "address", "to": "address", "contact": "addresses", "route": "addresses", "record-route": "addresses",
    "via": "vias", "cseq": "cseq",
}  # fmt: skip

TOKEN = st.text("abZ09-.!%*_+`'~", min_size=1, max_size=6)
SPACE = st.sampled_from(["", "", "", " ", "\t", "  "])
QUOTED = st.text("ab ,;<>@:%=é\t\xa0", max_size=8).map(lambda text: '"' + text + '"') | st.sampled_from(
    ['"\\""', '"a\\\\"', '"\\\\\\""', '"a, b" ', '"<sip:x@y>"', '"\\a"', '"a  b"']
)
HOST = st.sampled_from(["a", "Example.COM", "192.0.2.1", "[2001:DB8::1]", "a-b.c.", "x_y"])
PORT = st.sampled_from(["", "", ":5060", ":1", ":05060"])
USER = st.sampled_from(["", "", "alice@", "+1-212-555;x=y@", "a%41%20b@", "a:secret@", "a:@", "user%3Bx@", "%2b1@"])
PARAMETERS = st.lists(
    st.tuples(SPACE, SPACE, TOKEN, st.one_of(st.none(), TOKEN, QUOTED, HOST)).map(
        lambda part: f"{part[0]};{part[1]}{part[2]}" + ("" if part[3] is None else f"={part[3]}")
    ),
    max_size=3,
).map("".join)
URI_PARAMETERS = st.lists(
    st.sampled_from([";lr", ";transport=tcp", ";x=%41", ";Y=a/b:c", ";maddr=192.0.2.9", ";user=phone", ";%6cr", ";z="]),
    max_size=3,
    unique=True,
).map("".join)


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, str]:
    """A value of some kind in one of the spellings the grammar allows, and some it does not."""
    kind = draw(st.sampled_from(KINDS))
    if kind == "uri":
        return kind, draw(uris())
    if kind == "cseq":
        return kind, f"{draw(st.integers(0, 2**33))}{draw(SPACE)} {draw(TOKEN)}"
    one = addresses if kind.startswith("address") else vias
    count = draw(st.integers(1, 3)) if kind in ("addresses", "vias") else 1
    return kind, draw(st.sampled_from([",", ", ", " ,", ",\t"])).join(draw(one()) for _ in range(count))


@st.composite
def uris(draw: st.DrawFn) -> str:
    """A sip, sips or tel URI."""
    if draw(st.integers(0, 3)) == 0:
        number = draw(st.sampled_from(["+1-212-555-1212", "911", "+1(212)5551212", "*67#", "12AB"]))
        return "tel:" + number + draw(st.sampled_from(["", ";phone-context=+1", ";ext=12", ";phone-context=a.b;X"]))
    return draw(st.sampled_from(["sip:", "sips:"])) + draw(USER) + draw(HOST) + draw(PORT) + draw(URI_PARAMETERS)


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """A name-addr or an addr-spec with parameters."""
    uri, parameters = draw(uris()), draw(PARAMETERS)
    if draw(st.integers(0, 3)) == 0:
        return uri + parameters
    display = draw(st.one_of(st.just(""), QUOTED, st.lists(TOKEN, max_size=3).map(" ".join), st.just("a  b ")))
    return f"{draw(SPACE)}{display}{draw(SPACE)}<{uri}>{parameters}"


@st.composite
def vias(draw: st.DrawFn) -> str:
    """A Via."""
    slash = draw(st.sampled_from(["/", " / ", "/ "]))
    space = draw(st.sampled_from([" ", "  ", "\t"]))
    return f"SIP{slash}2.0{slash}{draw(TOKEN)}{space}{draw(HOST)}{draw(PORT)}{draw(PARAMETERS)}"


def corpus_values() -> Iterator[tuple[str, str]]:
    """Every value of the torture corpus that has a kind."""
    for path in sorted(VECTORS.iterdir()):
        try:
            message = parse(path.read_bytes())
        except MalformedMessage:
            continue
        if isinstance(message, Request):
            yield "uri", message.uri
        for name, kind in KIND_OF.items():
            for value in message.values(name):
                yield kind, value


def agree(kind: str, text: str) -> bool | None:
    """Whether both read the same, differences of the table taken out; None unless both accept."""
    mine, other = ours(kind, text), theirs(kind, text)
    if mine is None or other is None:
        return None
    shown = [difference for difference in DIFFERENCES if difference.sign.search(text)]
    if mine == other or any(difference.mend is None for difference in shown):
        return True
    for difference in shown:
        if difference.mend is not None:
            mine, other = difference.mend(mine), difference.mend(other)
    return bool(mine == other)


@pytest.mark.clause("MSG-03", "MSG-06", "MSG-24", "MSG-35", "RFC 4475", "RFC 5118")
def test_the_torture_corpus() -> None:
    """On every value of the corpus that both accept, the two agree but for the table; that is nearly every value."""
    results = [(kind, text, agree(kind, text)) for kind, text in corpus_values()]
    assert [result for result in results if result[2] is False] == []
    assert sum(result[2] is True for result in results) > 300


@pytest.mark.clause("MSG-03", "MSG-06", "MSG-24", "MSG-35")
@settings(max_examples=500, deadline=None)
@given(spelled())
def test_any_spelling(value: tuple[str, str]) -> None:
    """On any value that both accept, the two agree but for the table."""
    assert agree(*value) in (True, None)


@pytest.mark.clause("MSG-06", "RFC 3261 25.1")
@pytest.mark.parametrize("difference", DIFFERENCES, ids=[difference.name for difference in DIFFERENCES])
def test_a_difference_still_shows_and_is_ours_by_the_grammar(difference: Difference) -> None:
    """Both accept the example and read it as the table says; the grammar takes it apart as sipguard does."""
    assert ours(difference.kind, difference.example) == difference.ours
    assert theirs(difference.kind, difference.example) == difference.theirs
    assert difference.sign.search(difference.example)
    if difference.mend is not None:
        assert difference.mend(difference.ours) == difference.mend(difference.theirs)
    items = grammar.items(difference.kind, difference.example)
    readings = difference.ours if isinstance(difference.ours, list) else [difference.ours]
    assert [grammar.parameters(item) for item in items] == [reading[-1] for reading in readings]
    if difference.kind.startswith("address"):
        assert [grammar.display(item) for item in items] == [reading[0] for reading in readings]


# --- whole messages: where rows begin and what they are called

ROWS_DIFFER = {
    "rfc4475-esc01.sip": "a fold is a row of its own to them (RFC 3261 7.3.1: it continues the row)",
    "rfc4475-longreq.sip": "white space before the colon is part of the name to them (RFC 3261 25.1: HCOLON)",
}


def rows(message: Message) -> list[tuple[str, str]]:
    """Names and values, rows of one name together, as UTF-8 says them."""
    names = dict.fromkeys(message.names)
    return [(name, value.encode("latin-1").decode()) for name in names for value in message.values(name)]


@pytest.mark.clause("MSG-01", "MSG-02", "MSG-04", "RFC 4475", "RFC 5118")
def test_rows_of_the_torture_corpus() -> None:
    """On every message both accept, names and values of all rows are the same, where their reader is not wrong."""
    compared, differing = 0, set()
    for path in sorted(VECTORS.glob("*.sip")):
        try:
            mine, other = parse(path.read_bytes()), sipmessage.Message.parse(path.read_bytes())
        except (MalformedMessage, ValueError):
            continue
        compared += 1
        theirs_rows = [
            (name.lower(), value) for name in list(other.headers.keys()) for value in other.headers.getlist(name)
        ]
        if rows(mine) != theirs_rows:
            differing.add(path.name)
        assert mine.body == other.body
    assert differing == set(ROWS_DIFFER)
    assert compared > 40

"""Messages: reading rows, editing by splicing, writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.errors import MalformedValue
from sipguard.sip.names import EVERYDAY
from sipguard.sip.parser import parse
from tests.sip.messages import octets, request, response


@pytest.mark.clause("MSG-01", "RFC 3261 7.3.1")
def test_untouched_rows_leave_as_they_came() -> None:
    """Odd names, spaces, folds and order survive reading and writing, octet for octet."""
    data = octets(
        "X-oDd  :   a \t", "Subject:\r\n  folded\r\n\ttwice  ", "s:", "UnknownHeader: ;;,,;;,;", body=b"\0\xff"
    )
    assert parse(data).encode() == data


def test_typed_fields() -> None:
    """Via, From, To, CSeq and Call-ID are read on demand."""
    message = request()
    assert message.via.branch == "z9hG4bKabc"
    assert message.from_.tag == "f1"
    assert message.to.uri == "sip:+12155550113@example.net"
    assert message.cseq == (7, "INVITE")
    assert message.call_id == "one@192.0.2.1"


@pytest.mark.parametrize("name", ["via", "from", "to", "cseq", "call-id"])
def test_a_missing_field_is_a_malformed_value(name: str) -> None:
    """Asking for a field that is not there says which."""
    message = request(**{name.replace("-", "_"): None})
    attribute = {"from": "from_", "call-id": "call_id"}.get(name, name)
    with pytest.raises(MalformedValue, match="(?i)missing " + name):
        getattr(message, attribute)


def test_an_empty_via_is_malformed() -> None:
    """A Via row of commas has no topmost value."""
    with pytest.raises(MalformedValue):
        _ = request(via=" , ").via


@pytest.mark.clause("MSG-03", "RFC 3261 7.3.1")
def test_rows_and_commas_are_one_list() -> None:
    """Two rows equal one row with a comma, unless one asks for rows."""
    two = request("Route: <sip:a;lr>", "Route: <sip:b;lr>")
    one = request("Route: <sip:a;lr>, <sip:b;lr>")
    assert two.listed("route") == one.listed("route") == ["<sip:a;lr>", "<sip:b;lr>"]
    assert two.values("route") == ["<sip:a;lr>", "<sip:b;lr>"]
    assert one.values("route") == ["<sip:a;lr>, <sip:b;lr>"]
    assert one.value("route") == "<sip:a;lr>, <sip:b;lr>"
    assert one.has("route")
    assert one.listed("record-route") == one.values("record-route") == []


@pytest.mark.clause("MSG-02", "MSG-30")
def test_values_are_unfolded_and_trimmed_of_sp_and_ht_only() -> None:
    """A value loses folds and outer SP and HT, and no other octet."""
    message = request("Subject: \t a\r\n  b \xa0", "X-A: \x85")
    assert message.value("subject") == "a b \xa0"
    assert message.value("x-a") == "\x85"


def test_set_replaces_all_rows_of_a_name() -> None:
    """Setting a field leaves one row, in the place of the first."""
    message = request("X-A: 1", "X-B: 2", "X-A: 3").fork()
    message.set("x-a", "4")
    assert message.rows[-2:] == ["X-A: 4", "X-B: 2"]
    message.set("x-c", "5")
    assert message.rows[-1] == "X-C: 5"


def test_append_prepend_remove() -> None:
    """Rows go to the end, before the first of their name, before everything, or away."""
    message = request().fork()
    message.append("server", "x")
    message.prepend("record-route", "<sip:p;lr>")
    message.prepend("server", "w")
    assert message.rows[0] == "Record-Route: <sip:p;lr>"
    assert message.values("server") == ["w", "x"]
    message.remove("server")
    assert not message.has("server")
    message.remove("server")


def test_an_edit_is_seen_by_the_typed_field() -> None:
    """After any edit the typed field is that of the new row."""
    message = request().fork()
    assert message.via.host == "192.0.2.1"
    message.prepend("via", "SIP/2.0/TCP proxy.example.net;branch=z9hG4bKmine")
    assert message.via.host == "proxy.example.net"
    message.remove_first("via")
    assert message.via.host == "192.0.2.1"
    for name, attribute, value in (("from", "from_", "<sip:x@y>"), ("to", "to", "<sip:x@y>")):
        assert getattr(message, attribute).uri != "sip:x@y"
        message.set(name, value)
        assert getattr(message, attribute).uri == "sip:x@y"
    assert message.cseq.number == 7
    message.set("cseq", "8 INVITE")
    assert message.cseq.number == 8
    message.remove("cseq")
    with pytest.raises(MalformedValue):
        _ = message.cseq


def test_a_fork_is_a_copy() -> None:
    """Editing a fork leaves the received message alone, and keeps what was already read."""
    original = request()
    before = original.encode()
    assert original.from_.tag == "f1"
    fork = original.fork()
    fork.set_uri("sip:carol@example.org;lr")
    fork.set("from", "<sip:x@y>")
    fork.remove("to")
    assert original.encode() == before
    assert original.from_.tag == "f1"
    assert fork.encode().startswith(b"INVITE sip:carol@example.org;lr SIP/2.0\r\n")
    answer = response().fork()
    answer.remove_first("via")
    assert (answer.code, answer.reason, answer.has("via")) == (200, "OK", False)


@pytest.mark.clause("PRX-01", "RFC 3261 16.7 (3)")
def test_remove_first_takes_one_value() -> None:
    """Only the topmost value goes, whether it shares its row or not."""
    message = request(via="SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2").fork()
    message.remove_first("via")
    assert message.values("via") == ["SIP/2.0/UDP b;branch=2"]
    message.remove_first("via")
    message.remove_first("via")
    assert not message.has("via")


def test_replace_top_via_keeps_the_others() -> None:
    """A new top Via takes the place of the old one only."""
    message = request(via="SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2").fork()
    message.replace_top_via(message.via._replace(port=5070))
    assert message.values("via") == ["SIP/2.0/UDP a:5070;branch=1, SIP/2.0/UDP b;branch=2"]
    assert message.via.port == 5070
    via = message.via
    message.remove("via")
    with pytest.raises(MalformedValue):
        message.replace_top_via(via)


@pytest.mark.clause("MSG-31")
@pytest.mark.parametrize("value", ["a\r\nVia: b", "a\nb", "a\rb", "a\0b"])
def test_no_edit_writes_a_line_end(value: str) -> None:
    """A value with a line end or a NUL is refused by every edit and changes nothing."""
    message = request().fork()
    before = message.encode()
    for edit in (message.set, message.append, message.prepend):
        with pytest.raises(MalformedValue):
            edit("subject", value)
    with pytest.raises(MalformedValue):
        message.set_uri("sip:a@b" + value)
    with pytest.raises(MalformedValue):
        message.set_uri("sip:a@b c")
    assert message.encode() == before


@pytest.mark.clause("RFC 4475 3.1.1.2")
def test_an_escaped_nul_may_be_written() -> None:
    """In a quoted pair NUL is legal, and octets above 127 always."""
    message = request().fork()
    message.set("subject", '"\\\0" \xff')
    assert message.value("subject") == '"\\\0" \xff'


def test_a_message_of_everyday_fields_has_none_of_the_others() -> None:
    """A plain message has no identity field; what is added, in whatever way, is found."""
    seldom = frozenset(("p-asserted-identity", "privacy", "diversion"))
    assert seldom.isdisjoint(EVERYDAY)
    assert not request().has_any(seldom)
    assert request("Privacy: id").has_any(seldom)
    assert request("privacy : id").has_any(seldom)
    assert not request("X-Privacy: id").has_any(seldom)
    for edit in (
        lambda message: message.append("privacy", "id"),
        lambda message: message.prepend("privacy", "id"),
        lambda message: message.set("privacy", "id"),
    ):
        message = request().fork()
        edit(message)
        assert message.has_any(seldom)
        assert message.fork().has_any(seldom)
        message.remove("privacy")
        assert not message.has_any(seldom)


@given(st.lists(st.sampled_from(["append", "prepend", "set", "remove", "remove_first", "row", "text"]), max_size=12))
def test_whatever_is_edited_the_first_rows_are_the_first_rows(edits: list[str]) -> None:
    """After any edits, ``first`` is what reading the rows anew would give."""
    message = request("X-A: 1, 2", "X-B: 3", "X-A: 4").fork()
    for number, edit in enumerate(edits):
        if edit in ("append", "prepend", "set"):
            getattr(message, edit)("x-a", f"{number}")
        elif edit in ("remove", "remove_first"):
            getattr(message, edit)("x-a")
        elif edit == "row":
            message.put_row(len(message.rows) - 1, f"{message.names[-1]}: {number}")
        else:
            message.replace_text("x-a", "4", "5")
        again = parse(message.encode())
        assert (message.names, message.rows) == (again.names, again.rows)
        assert message.first == again.first

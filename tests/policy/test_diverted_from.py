"""Where a call was before: Diversion and History-Info, read."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.policy.diverted_from import DivertedFrom, by_diversion, by_history, diverted_from
from tests.policy.kit import AMERICA, FRANCE, OWNED, VERIFIED, invite

TARGET = "14155550150"


def request(*rows):
    """A call to TARGET with these rows."""
    return invite(f"sip:+{TARGET}@p", f"<sip:+{OWNED}@x>", None, *rows)


@pytest.mark.clause("RFC 5806 6")
@pytest.mark.parametrize(
    ("rows", "tn"),
    [
        ((f"Diversion: <sip:+{OWNED}@x>;reason=unknown",), OWNED),
        ((f"Diversion: <tel:+1-415-555-0100>, <sip:+{VERIFIED}@x>",), OWNED),
        ((f"Diversion: <sip:+{OWNED}@x>", f"diversion: <sip:+{VERIFIED}@x>"), OWNED),
        (("Diversion: sip:4155550100@x;counter=2",), OWNED),
        (("Diversion: <sip:sales@x>",), None),
    ],
)
def test_the_topmost_diversion_counts(rows, tn):
    """The latest is the first value of the first row, in every spelling of a number."""
    assert by_diversion(request(*rows), AMERICA) == DivertedFrom(tn)


def test_a_number_is_read_by_the_plan_of_its_trunk():
    """A national number is one of the trunk's country; without the field there is nothing."""
    assert by_diversion(request("Diversion: <sip:0123456789@x>"), FRANCE) == DivertedFrom("33123456789")
    assert by_diversion(request(), FRANCE) is None
    assert by_history(request(), FRANCE, TARGET) is None


@pytest.mark.clause("DIV-13", "RFC 7044 5")
@pytest.mark.parametrize(
    ("history", "found"),
    [
        (f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1;mp=1", (OWNED, "1")),
        (f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1.1;rc=1", (OWNED, "1")),
        (f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x;cause=302>;index=1.1", (OWNED, "1")),
        (f"<sip:sales@x>;index=1, <sip:+{TARGET}@x>;index=1.1;mp=1", (None, "1")),
        (f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1;rc=1", None),
        (f"<sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1;np=1", None),
        (f"<sip:+{OWNED}@x>;index=1, <sip:+{VERIFIED}@x>;index=1.1;mp=1", None),
        (f"<sip:+{TARGET}@x>;index=1", None),
    ],
)
def test_the_last_entry_leads_back(history, found):
    """By ``mp`` or, with a cause, by ``rc`` or its place in the tree; a mere change of contact is no diversion."""
    expected = None if found is None else DivertedFrom(*found)
    assert by_history(request(f"History-Info: {history}"), AMERICA, TARGET) == expected


@pytest.mark.parametrize(
    "row",
    [
        f"Diversion: <sip:+{OWNED}@x",
        f"Diversion: <sip:+{OWNED}@x>;reason=a;reason=b",
        f"Diversion: <sip:+{OWNED}@x>, <>",
        f"Diversion: <sip:+{OWNED}@x:port>",
        f"History-Info: <sip:+{TARGET}@x;cause=302>;index=1;mp=2",
        f"History-Info: <sip:+{TARGET}@x;cause=302>;index=1",
        f"History-Info: <sip:+{OWNED}@x>, <sip:+{TARGET}@x>;index=1.1;mp=1",
        f"History-Info: <sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1;mp=1",
        f"History-Info: <sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1;mp",
        f"History-Info: <sip:+{OWNED}@x>;index=1., <sip:+{TARGET}@x>;index=1.1;mp=1.",
    ],
)
def test_what_cannot_be_read(row):
    """A field with anything in it that is no value of its kind, or that leads nowhere, says nothing."""
    with pytest.raises(MalformedValue):
        diverted_from(request(row), AMERICA, TARGET)


def test_both_fields_agree():
    """Side by side they name the same number, and the entry of History-Info is kept; else neither is believed."""
    history = f"History-Info: <sip:+{OWNED}@x>;index=1, <sip:+{TARGET}@x>;index=1.1;mp=1"
    both = request(f"Diversion: <sip:+{OWNED}@x>", history)
    assert diverted_from(both, AMERICA, TARGET) == DivertedFrom(OWNED, "1")
    with pytest.raises(MalformedValue):
        diverted_from(request(f"Diversion: <sip:+{VERIFIED}@x>", history), AMERICA, TARGET)

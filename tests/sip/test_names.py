"""Header field names."""

import pytest

from sipguard.sip.names import COMPACT_FORMS, canonical_name, display_name


@pytest.mark.clause("MSG-01", "RFC 3261 7.3.1")
@pytest.mark.parametrize(
    "spelling", ["Max-Forwards", "MAX-FORWARDS", "max-forwards", "MaX-fOrWaRdS", "Max-Forwards \t"]
)
def test_names_have_no_case(spelling: str) -> None:
    """Any case and white space before the colon give the same name."""
    assert canonical_name(spelling) == "max-forwards"


@pytest.mark.clause("MSG-04", "MSG-05", "RFC 8224 13.1")
@pytest.mark.parametrize(("compact", "name"), COMPACT_FORMS.items())
def test_compact_forms(compact: str, name: str) -> None:
    """Each registered letter, in either case, is the long name."""
    assert canonical_name(compact) == name
    assert canonical_name(compact.upper()) == name
    assert canonical_name(compact + " ") == name


def test_y_is_identity_and_n_is_nothing() -> None:
    """The compact form of Identity is y; Identity-Info's n is gone."""
    assert canonical_name("y") == "identity"
    assert canonical_name("n") == "n"


def test_usual_spellings() -> None:
    """Known names are written as in their RFC, others word by word."""
    assert display_name("call-id") == "Call-ID"
    assert display_name("cseq") == "CSeq"
    assert display_name("x-some-header") == "X-Some-Header"
    assert canonical_name("X-Some-Header") == "x-some-header"

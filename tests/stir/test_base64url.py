"""Strict base64url (RFC 7515 §2)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.errors import MalformedValue
from sipguard.stir.base64url import decode, encode


@pytest.mark.clause("PPT-07", "PPT-14")
@given(st.binary(max_size=100))
def test_octets_come_back(data: bytes) -> None:
    """Encoding is the standard one without padding, and decoding undoes it."""
    text = encode(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert decode(text) == data


@pytest.mark.clause("PPT-14", "PIT-5")
@given(st.text("ABCDgwxyz019-_+/= \n.é", max_size=12))
def test_a_value_has_one_text(text: str) -> None:
    """Whatever decodes encodes to the same text again."""
    try:
        data = decode(text)
    except MalformedValue:
        return
    assert encode(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AB", "AAB", "AA==", "AAA=", "A+AA", "A/AA", "AA AA", "AA\nA", "ÄAAA", "AA!A"]
)
def test_anything_else_is_refused(text: str) -> None:
    """Impossible lengths, unused bits, padding, other alphabets and white space."""
    with pytest.raises(MalformedValue):
        decode(text)

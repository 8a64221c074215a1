"""CSeq: a number in range and a method."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.sip.cseq import CSeq, parse_cseq


@pytest.mark.clause("RFC 3261 20.16")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 INVITE", CSeq(1, "INVITE")),
        ("0009   INVITE", CSeq(9, "INVITE")),
        ("0 \t ACK", CSeq(0, "ACK")),
        ("4294967295 invite", CSeq(4294967295, "invite")),
        ("139122385 !interesting-Method0_*+`.%indeed'~", CSeq(139122385, "!interesting-Method0_*+`.%indeed'~")),
    ],
)  # fmt: skip
def test_reading(text: str, expected: CSeq) -> None:
    """Leading zeros and white space mean nothing, the method keeps its case."""
    assert parse_cseq(text) == expected


@pytest.mark.clause("MSG-09", "RFC 4475 3.1.2.4")
@pytest.mark.parametrize(
    "text",
    ["", "INVITE", "1", "1INVITE", "-1 INVITE", "4294967296 INVITE", "36893488147419103232 INVITE", "9" * 5000 + " A",
     "1 INVITE x", "\xb2 INVITE", "1\xa0INVITE", "1 INV/ITE"],
)  # fmt: skip
def test_refusing(text: str) -> None:
    """Numbers of more than 32 bits and anything that is not a number and a token are refused."""
    with pytest.raises(MalformedValue):
        parse_cseq(text)

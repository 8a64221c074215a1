"""Date: RFC 1123 in GMT."""

import pytest

from sipguard.sip.date import format_date, parse_date


@pytest.mark.clause("RFC 3261 20.17")
@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sat, 13 Nov 2010 23:29:00 GMT", 1289690940),
        ("Thu, 29 Feb 2024 12:00:01 GMT", 1709208001),
        ("Tue, 19 Jan 2038 03:14:08 GMT", 2147483648),
    ],
)
def test_both_ways(text: str, unix: int) -> None:
    """A date in GMT is read to its Unix time and written back."""
    assert parse_date(text) == unix
    assert format_date(unix) == text


@pytest.mark.clause("MSG-34", "RFC 4475 3.1.2.12")
@pytest.mark.parametrize(
    "text",
    [
        "Fri, 01 Jan 2010 16:00:00 EST",
        "Fri, 01 Jan 2010 16:00:00 UTC",
        "Fri, 01 Jan 2010 16:00:00 +0000",
        "Fri, 01 Jan 2010 16:00:00",
        "Fri, 30 Feb 2010 16:00:00 GMT",
        "Fri, 01 Jan 2010 24:00:00 GMT",
        "Fri, 1 Jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 10 16:00:00 GMT",
        "Fri, 01 Jan 0000 16:00:00 GMT",
        "2010-01-01T16:00:00Z",
        "\u0661\u0661",
        "",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    """Other zones, other formats and impossible days are no date, never a guess."""
    assert parse_date(text) is None

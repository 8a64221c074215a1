"""How long a chain is kept (VS-32)."""

import pytest

from sipguard.runtime.http_lifetime import lifetime

DAY = 86400
DATE = "Tue, 24 Nov 2026 07:00:00 GMT"


@pytest.mark.clause("VS-32", "RFC 9111 4.2")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, DAY),
        ({"cache-control": "max-age=3600"}, 3600),
        ({"cache-control": "public, Max-Age=7200, must-revalidate"}, 7200),
        ({"cache-control": 'max-age="600"'}, 600),
        ({"cache-control": "max-age=3600", "age": "600"}, 3000),
        ({"cache-control": "max-age=3600", "age": "3590"}, 60),
        ({"cache-control": "max-age=3600", "age": "x"}, 3600),
        ({"cache-control": "max-age=3600", "age": "9" * 30}, 3600),
        ({"cache-control": "max-age=1"}, DAY),
        ({"cache-control": "max-age=0"}, DAY),
        ({"cache-control": "no-store"}, DAY),
        ({"cache-control": "no-cache, max-age=3600"}, DAY),
        ({"cache-control": "no-store, max-age=0"}, DAY),
        ({"cache-control": "max-age=soon"}, DAY),
        ({"cache-control": "s-max-age=5"}, DAY),
        ({"cache-control": "max-age=9999999999"}, 30 * DAY),
        ({"date": DATE, "expires": "Tue, 24 Nov 2026 09:00:00 GMT"}, 7200),
        ({"date": DATE, "expires": "Tue, 24 Nov 2026 09:00:00 GMT", "cache-control": "max-age=600"}, 600),
        ({"date": DATE, "expires": "0"}, DAY),
        ({"date": DATE, "expires": "Tue, 24 Nov 2025 09:00:00 GMT"}, DAY),
        ({"expires": "Tue, 24 Nov 2026 09:00:00 GMT"}, DAY),
        ({"date": DATE, "expires": "Tue, 24 Nov 9999 09:00:00 GMT"}, 30 * DAY),
    ],
)
def test_how_long_a_chain_is_kept(headers: dict[str, str], seconds: int) -> None:
    """max-age, or else Expires, is honoured from a minute to thirty days; without a usable word it is a day."""
    assert lifetime(headers) == seconds

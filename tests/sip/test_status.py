"""Reason phrases."""

import pytest

from sipguard.sip.status import reason_phrase


@pytest.mark.clause("RFC 3261 21", "RFC 8224 13.2")
@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        (100, "Trying"),
        (200, "OK"),
        (403, "Forbidden"),
        (428, "Use Identity Header"),
        (436, "Bad Identity Info"),
        (437, "Unsupported Credential"),
        (438, "Invalid Identity Header"),
        (503, "Service Unavailable"),
        (607, "Unwanted"),
        (608, "Rejected"),
        (499, "Bad Request"),
        (799, "Unknown"),
    ],
)
def test_phrases(code: int, phrase: str) -> None:
    """A registered code has its registered phrase, any other one that of its class."""
    assert reason_phrase(code) == phrase

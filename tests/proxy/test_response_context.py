"""The choice of the best response (RFC 3261 §16.7 (6))."""

import pytest

from sipguard.proxy.response_context import rank


@pytest.mark.clause("FRK-04", "PRX-37")
@pytest.mark.parametrize(
    ("better", "worse"),
    [(603, 302), (603, 404), (600, 503), (302, 404), (404, 500), (401, 404), (407, 486), (415, 480), (420, 404),
     (484, 404), (404, 408), (486, 503), (408, 503), (500, 503)],
)  # fmt: skip
def test_which_of_two_goes_back(better: int, worse: int) -> None:
    """6xx before all, then the lowest class; within one, what tells the caller to mend before our own 408 or a 503."""
    assert rank(better) < rank(worse)


@pytest.mark.clause("FRK-04")
def test_equals_keep_the_first() -> None:
    """Two ordinary refusals of one class are as good as each other."""
    assert rank(404) == rank(486)
    assert rank(600) == rank(603)

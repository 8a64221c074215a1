"""Values by destination."""

import pytest

from sipguard.policy.countries import COUNTRIES
from sipguard.policy.destination_settings import HIGH_RISK
from sipguard.policy.destination_table import DestinationTable
from sipguard.stir.telephone_number import TN

TABLE = DestinationTable({"+2247": 1, "+224": 2, "+22470000000": 3, "GN": 4, "CU": 5, "GB": 6})


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("224700000001", ("+22470000000", 3)),
        ("224712345678", ("+2247", 1)),
        ("224612345678", ("+224", 2)),
        ("5371234567", ("CU", 5)),
        ("447700900123", ("GB", 6)),
        ("14155550100", None),
        ("", None),
    ],
)
def test_the_longest_prefix_and_then_the_country(number: str, found: object) -> None:
    """A prefix comes before the country it is in."""
    assert TABLE.find(TN(number)) == found


def test_an_empty_table() -> None:
    """Finds nothing, and says that it is empty."""
    empty: DestinationTable[int] = DestinationTable()
    assert (bool(empty), empty.find(TN("224712345678"))) == (False, None)
    assert DestinationTable({"CU": 1})


def test_the_countries_of_high_risk_are_those_that_numbers_count_as() -> None:
    """None of them is there for nothing."""
    assert set(HIGH_RISK) <= COUNTRIES

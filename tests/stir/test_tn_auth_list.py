"""The DER of a TN Authorization List (RFC 8226 §9); the vectors are in ``test_vectors``."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList, decode, encode

RANGE = NumberRange(TN("12155551200"), 100)


@pytest.mark.clause("CRT-01")
@pytest.mark.parametrize("count", [1, 20, 2000])
def test_lists_of_any_size_come_back(count: int) -> None:
    """Short and long length octets, all three kinds of entries."""
    entries = TnAuthList(
        tuple(f"{number:04}" for number in range(count)), (RANGE,) * count, (TN("12155551212"), TN("*67"), TN("#31#"))
    )
    assert decode(encode(entries)) == entries


@pytest.mark.clause("CRT-02")
@pytest.mark.parametrize(
    ("start", "count", "good"), [("10", 89, True), ("10", 90, False), ("1", 8, True), ("00", 99, True)]
)
def test_a_range_never_grows_a_digit(start: str, count: int, good: bool) -> None:
    """The start plus the count stays below the next power of ten."""
    der = encode(TnAuthList((), (NumberRange(TN(start), count),), ()))
    if good:
        assert decode(der).ranges[0].count == count
    else:
        with pytest.raises(MalformedValue):
            decode(der)


@pytest.mark.clause("CRT-03")
@pytest.mark.parametrize(
    ("number", "covered"),
    [
        ("12155551200", True),
        ("12155551299", True),
        ("12155551300", False),
        ("2155551200", False),
        ("012155551200", False),
        ("*67", True),
        ("#67", False),
        ("", False),
    ],
)
def test_a_number_is_covered_by_value_and_length(number: str, covered: bool) -> None:
    """A number of another length is another number."""
    assert TnAuthList(("1234",), (RANGE,), (TN("*67"),)).covers(TN(number)) is covered


def test_codes_alone_list_no_numbers() -> None:
    """A provider code does not limit the numbers; anything else does."""
    assert not TnAuthList(("1234",)).lists_numbers
    assert TnAuthList((), (RANGE,)).lists_numbers
    assert TnAuthList(("1234",), (), (TN("1"),)).lists_numbers


@pytest.mark.clause("CRT-01", "PIT-14")
@pytest.mark.parametrize(
    "der",
    [
        "",
        "30",
        "3001",
        "3080",
        "308103a00100",
        "30820003a00100",
        "3084000000",
        "30ff",
        "3008a006160431323334ff",
        "3009a00716043132333400",
        "3006a30416023132",
        "3004a0021600",
        "3006a00416020aff",
        "3005a003160180",
        "3006a0061604",
        "300fa20d160c3132313535353531323132",
        "3014a212161031323334353637383930313233343536",
        "300ea10c300a1604313233340202ffff",
        "300da10b3009160431323334020105ff",
        "300ea10c300a16043132333402020005",
        "300aa1083006160431323334",
        "300ba109300716013104020105",
    ],
)
def test_anything_but_strict_der_is_refused(der: str) -> None:
    """Truncated, indefinite, non-minimal, foreign tags, empty strings, control characters, negative counts."""
    with pytest.raises(MalformedValue):
        decode(bytes.fromhex(der))

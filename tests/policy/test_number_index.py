"""The look-up that millions of numbers fit in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.policy.number_index import NumberIndex, build_slots

numbers = st.text("0123456789", min_size=1, max_size=18)


def index(values: dict[str, int]) -> NumberIndex:
    """An index of these."""
    keys, found = build_slots(values.items(), len(values))
    return NumberIndex(memoryview(keys), memoryview(found))


@given(st.dictionaries(numbers, st.integers(0, 2**32 - 1), max_size=200), numbers)
def test_an_index_finds_what_is_in_it_and_nothing_else(values: dict[str, int], other: str) -> None:
    """Every number leads to its value, leading zeros included; a number that is not there leads nowhere."""
    built = index(values)
    assert all(built.find(number) == value for number, value in values.items())
    assert built.find(other) == values.get(other)


@pytest.mark.parametrize("text", ["", "*67", "1234#", "1" * 40])
def test_what_is_no_number_is_not_found(text: str) -> None:
    """Dialled codes with stars, nothing at all and endless digits are nobody's numbers."""
    assert index({"14155550100": 1}).find(text) is None


def test_a_full_block_is_found_whole() -> None:
    """Ten thousand neighbours are found, and the next one is not."""
    built = index({str(14155550000 + offset): offset for offset in range(10_000)})
    assert all(built.find(str(14155550000 + offset)) == offset for offset in range(10_000))
    assert built.find("14155560000") is None


def test_a_number_costs_eighteen_octets() -> None:
    """Seven slots in ten are taken, of twelve octets each."""
    keys, found = build_slots(((str(14155550000 + offset), 0) for offset in range(10_000)), 10_000)
    assert (keys.itemsize * len(keys) + found.itemsize * len(found)) / 10_000 < 18


def test_a_key_that_does_not_fit_is_refused() -> None:
    """A number of more than 18 digits cannot be a key."""
    with pytest.raises(ValueError, match="too long"):
        build_slots([("1" * 19, 0)], 1)

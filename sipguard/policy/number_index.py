"""A look-up from telephone numbers to small integers that millions of numbers fit in, and processes can share.

Open addressing over two flat arrays, eight octets of key and four of value a slot, seven slots in ten taken: 17.2
octets a number wherever the arrays lie, in memory or in a mapped file. A look-up is one multiplication and, on average,
less than two probes, however many numbers there are. A built index never changes.
"""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from sipguard.stir.telephone_number import TN

_LOAD = 0.7  # of the slots are taken
_MIXER = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: neighbours in a number block land far apart
_MASK = (1 << 64) - 1
_LONGEST = 18  # digits of a key beside the leading 1, so that it fits into 64 bits


class Slots(NamedTuple):
    """The two arrays of an index as they are built and stored; key 0 is an empty slot."""

    keys: "array[int]"
    values: "array[int]"


class NumberIndex:
    """Finds numbers. ``keys`` and ``values`` are the arrays of ``build_slots`` or views of a mapped file."""

    __slots__ = ("_capacity", "_keys", "_values")

    def __init__(self, keys: "memoryview[int]", values: "memoryview[int]") -> None:
        self._keys = keys
        self._values = values
        self._capacity = len(keys)

    def find(self, tn: str) -> int | None:
        """The value of a number, or None when it is not there."""
        try:
            key = int("1" + tn)  # the 1 keeps leading zeros apart
        except ValueError:  # "*" or "#" in it: nobody owns such
            return None
        keys = self._keys
        slot = ((key * _MIXER & _MASK) * self._capacity) >> 64
        held = keys[slot]
        while held != key:
            if not held:
                return None
            slot += 1
            if slot == self._capacity:
                slot = 0
            held = keys[slot]
        return self._values[slot]


def build_slots(values: Iterable[tuple[TN | str, int]], count: int) -> Slots:
    """The arrays for at most ``count`` different numbers and their values (0 to 2^32-1). Raises ValueError."""
    capacity = int(count / _LOAD) + 2  # at least one slot stays empty, so that every search ends
    keys = array("Q", bytes(8 * capacity))
    found = array("I", bytes(4 * capacity))
    for tn, value in values:
        if len(tn) > _LONGEST:
            raise ValueError(f"{tn} is too long for a number")
        key = int("1" + tn)
        slot = ((key * _MIXER & _MASK) * capacity) >> 64
        while keys[slot]:
            slot += 1
            if slot == capacity:
                slot = 0
        keys[slot] = key
        found[slot] = value
    return Slots(keys, found)

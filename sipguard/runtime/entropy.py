"""Randomness for branches, tags and tokens: the kernel's, fetched for many at a time."""

import os

_TOKEN = 8  # octets: 64 bits, unpredictable to anybody who does not see our messages
_POOL = 512  # tokens to a system call


class Entropy:
    """A callable that gives sixteen hexadecimal digits, never the same ones twice."""

    __slots__ = ("_digits", "_position")

    def __init__(self) -> None:
        self._digits = ""
        self._position = 0

    def __call__(self) -> str:
        """The next token."""
        if self._position == len(self._digits):
            self._digits = os.urandom(_TOKEN * _POOL).hex()
            self._position = 0
        start = self._position
        self._position = end = start + 2 * _TOKEN
        return self._digits[start:end]

"""CSeq (RFC 3261 §20.16): the number and the method that tell requests and their responses apart."""

import re
from functools import lru_cache
from typing import NamedTuple

from sipguard.errors import MalformedValue

_CACHED_LENGTH = 64
_CSEQ = re.compile(r"([0-9]{1,20})[ \t]++([A-Za-z0-9\-.!%*_+`'~]++)")


class CSeq(NamedTuple):
    """A sequence number (below 2**32) and the method as written (methods are case-sensitive)."""

    number: int
    method: str


def parse_cseq(text: str) -> CSeq:
    """Read a CSeq value; leading zeros mean nothing. Raises MalformedValue."""
    return _cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def _parse(text: str) -> CSeq:
    match = _CSEQ.fullmatch(text)
    if match is None:
        raise MalformedValue("malformed CSeq")
    number = int(match[1])
    if number >= 2**32:
        raise MalformedValue("CSeq number out of range")
    return CSeq(number, match[2])


_cached = lru_cache(maxsize=4096)(_parse)  # a transaction's comes back in each of its messages, and most are small

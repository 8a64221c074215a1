"""The hash chain: how one record vouches for the one before it.

A record reaches the ledger as an encoded JSON object and is never encoded again: two members are spliced in before its
closing brace, ``previous`` (the hash of the record before) and ``hash``. The hash is the SHA-256 of the record's own
octets with ``previous`` but without ``hash``; because ``previous`` is among them, a record that is changed, removed,
added or moved breaks the chain at the first record after it. Both members have a fixed length, so a reader splits them
off by position and checks exactly the octets on disk.
"""

import hashlib
import re
from typing import NamedTuple

_PREVIOUS = b',"previous":"sha256:'
_HASH = b',"hash":"sha256:'
_TAIL = re.compile(rb',"previous":"sha256:([0-9a-f]{64})","hash":"sha256:([0-9a-f]{64})"\}')
_TAIL_LENGTH = len(_PREVIOUS) + len(_HASH) + 2 * 64 + 3
_HASH_LENGTH = len(_HASH) + 64 + 2


class Link(NamedTuple):
    """The chain members of one line, and whether its ``hash`` is the hash of its octets."""

    previous: bytes
    hash: bytes
    intact: bool


def first_hash(node: str) -> bytes:
    """What the first record of a writer names as ``previous``: a hash that no record has."""
    return hashlib.sha256(b"attestation log of " + node.encode()).hexdigest().encode()


def seal(line: bytes, previous: bytes) -> tuple[bytes, bytes]:
    """The line with its chain members and a line feed, and its hash (64 hexadecimal digits).

    ``line`` is a non-empty JSON object without white space around it; ``previous`` the hash of the record before.
    """
    open_object = line[:-1] + _PREVIOUS + previous + b'"'
    digest = hashlib.sha256(open_object + b"}").hexdigest().encode()
    return b"".join((open_object, _HASH, digest, b'"}\n')), digest


def link(line: bytes) -> Link | None:
    """The chain members of a line read back (without its line feed); None when it carries none."""
    members = _TAIL.fullmatch(line[-_TAIL_LENGTH:])
    if members is None:
        return None
    digest = hashlib.sha256(line[:-_HASH_LENGTH] + b"}").hexdigest().encode()
    return Link(members[1], members[2], digest == members[2])

"""Media keys: the DTLS fingerprints of an SDP offer and the ``mky`` claim that protects them (RFC 8225 §5.2.2).

A fingerprint has one form here: algorithm in lower case, digest in upper-case hexadecimal without colons. The order of
the SDP lines and repetitions say nothing; the claim lists them sorted (PPT-06).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sipguard.errors import MalformedValue

_ATTRIBUTE = b"a=fingerprint:"
_LINE = re.compile(rb"^a=fingerprint:[ \t]*([A-Za-z0-9-]{1,32})[ \t]+([0-9A-Fa-f:]{1,512})[ \t]*\r?$", re.MULTILINE)
_ALGORITHM = re.compile(r"[A-Za-z0-9-]{1,32}\Z")
_DIGEST = re.compile(r"[0-9A-Fa-f:]{1,512}\Z")
_MOST = 64


class Fingerprint(NamedTuple):
    """The digest of one media certificate."""

    algorithm: str
    digest: str


def fingerprints(body: bytes) -> tuple[Fingerprint, ...]:
    """The fingerprints of an SDP body, or of the SDP inside a multipart body; sorted, none twice."""
    if _ATTRIBUTE not in body:
        return ()
    found = (match.groups() for match in _LINE.finditer(body))
    return _ordered(_canonical(algorithm.decode("ascii"), digest.decode("ascii")) for algorithm, digest in found)


def read_media_keys(claim: object) -> frozenset[Fingerprint]:
    """The fingerprints an ``mky`` claim holds; raises MalformedValue."""
    if type(claim) is not list or not 0 < len(claim) <= _MOST:
        raise MalformedValue("mky is not an array of fingerprints")
    keys = set()
    for entry in claim:
        algorithm, digest = (entry.get("alg"), entry.get("dig")) if type(entry) is dict else (None, None)
        if type(algorithm) is not str or type(digest) is not str:
            raise MalformedValue("mky is not an array of fingerprints")
        if not _ALGORITHM.match(algorithm) or not _DIGEST.match(digest):
            raise MalformedValue("mky holds something else than a fingerprint")
        keys.add(_canonical(algorithm, digest))
    return frozenset(keys)


def to_claim(keys: Iterable[Fingerprint]) -> str:
    """The canonical JSON of the ``mky`` claim."""
    return "[" + ",".join(f'{{"alg":"{key.algorithm}","dig":"{key.digest}"}}' for key in _ordered(keys)) + "]"


def _canonical(algorithm: str, digest: str) -> Fingerprint:
    return Fingerprint(algorithm.lower(), digest.replace(":", "").upper())


def _ordered(keys: Iterable[Fingerprint]) -> tuple[Fingerprint, ...]:
    return tuple(sorted(set(keys), key=lambda key: key.algorithm + key.digest))

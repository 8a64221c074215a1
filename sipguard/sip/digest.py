"""Digest access authentication: challenges, credentials and the arithmetic between them (RFC 7616, RFC 8760 §2.6).

A value is kept as it stands between its quotes: RFC 7616 §3.4 hashes ``unq(X)``, which takes off the quotes and undoes
no escape, and what is hashed must be what the other side wrote. Names of algorithms are compared without case. A
parameter given twice makes the whole value unreadable, since two readers could pick different ones. Only ``auth`` is
spoken as ``qop``: ``auth-int`` would break whenever a hop changes the body.
"""

import hashlib
import re
from typing import NamedTuple

from sipguard.errors import MalformedValue

# Strongest first, which is the order they are offered in (RFC 8760 §2.3); by the names of hashlib.
ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
_BY_CASE = {name.lower(): name for name in ALGORITHMS}
_LONGEST = 4096  # octets of one value
_SCHEME = re.compile(r"digest[ \t]++", re.IGNORECASE)
_PAIR = re.compile(
    r"[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+=[ \t]*+"
    r'("(?:[^"\\]++|\\.)*"|[A-Za-z0-9\-.!%*_+`\'~]++)[ \t]*+(?:,|\Z)',
    re.DOTALL,
)
_COUNT = re.compile(r"[0-9A-Fa-f]{8}")


class Challenge(NamedTuple):
    """What somebody asks for. ``algorithm`` is None when it is one we do not know; ``qop`` holds what is offered."""

    realm: str
    nonce: str
    algorithm: str | None
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False


class Credentials(NamedTuple):
    """What somebody answers. ``nonce_count`` is as written, eight hexadecimal digits when it is there."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str | None
    qop: str | None = None
    nonce_count: str | None = None
    cnonce: str | None = None
    opaque: str | None = None


def parse_challenge(text: str) -> Challenge:
    """Read a WWW-Authenticate or Proxy-Authenticate value. Raises MalformedValue, also for another scheme."""
    found = _parameters(text)
    offered = found.get("qop", "")
    return Challenge(
        _required(found, "realm"),
        _required(found, "nonce"),
        _algorithm(found),
        tuple(word.strip(" \t").lower() for word in offered.split(",")) if offered else (),
        found.get("opaque"),
        found.get("stale", "").lower() == "true",
    )


def parse_credentials(text: str) -> Credentials:
    """Read an Authorization or Proxy-Authorization value. Raises MalformedValue, also for another scheme."""
    found = _parameters(text)
    count = found.get("nc")
    if count is not None and not _COUNT.fullmatch(count):
        raise MalformedValue("malformed nonce count")
    return Credentials(
        _required(found, "username"),
        _required(found, "realm"),
        _required(found, "nonce"),
        _required(found, "uri"),
        _required(found, "response"),
        _algorithm(found),
        found.get("qop"),
        count,
        found.get("cnonce"),
        found.get("opaque"),
    )


def format_challenge(realm: str, nonce: str, algorithm: str, opaque: str, stale: bool) -> str:
    """A challenge of our own, one header field value. Realm and opaque hold neither quote nor backslash."""
    word = ", stale=true" if stale else ""
    return f'Digest realm="{realm}", nonce="{nonce}", opaque="{opaque}", qop="auth", algorithm={algorithm}{word}'


def format_credentials(credentials: Credentials) -> str:
    """The header field value of credentials whose values are as they stand between quotes."""
    parts = [
        f'username="{credentials.username}"',
        f'realm="{credentials.realm}"',
        f'nonce="{credentials.nonce}"',
        f'uri="{credentials.uri}"',
        f'response="{credentials.response}"',
        f"algorithm={credentials.algorithm}",
    ]
    if credentials.opaque is not None:
        parts.append(f'opaque="{credentials.opaque}"')
    if credentials.qop is not None:
        parts += [f"qop={credentials.qop}", f"nc={credentials.nonce_count}", f'cnonce="{credentials.cnonce}"']
    return "Digest " + ", ".join(parts)


def secret_of(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(A1): what a password becomes for one user of one realm (RFC 7616 §3.4.2); as good as the password there.

    ``username`` and ``password`` are text and count as UTF-8, ``realm`` is as a head has it. Raises KeyError for an
    algorithm that is not in ``ALGORITHMS``.
    """
    octets = b":".join((username.encode(), realm.encode("latin-1"), password.encode()))
    return _hash(algorithm, octets)


def response_to(secret: str, method: str, credentials: Credentials) -> str:
    """The response that proves ``secret`` (H(A1)) for these values (RFC 7616 §3.4.1), without ``qop`` as RFC 2069 did.

    Raises KeyError when the algorithm is not in ``ALGORITHMS``, None included.
    """
    algorithm = credentials.algorithm or ""
    resource = _hash(algorithm, f"{method}:{credentials.uri}".encode("latin-1"))
    if credentials.qop is None:
        text = f"{secret}:{credentials.nonce}:{resource}"
    else:
        count, cnonce, qop = credentials.nonce_count or "", credentials.cnonce or "", credentials.qop
        text = f"{secret}:{credentials.nonce}:{count}:{cnonce}:{qop}:{resource}"
    return _hash(algorithm, text.encode("latin-1"))


def answer(
    challenge: Challenge, username: str, secret: str, method: str, uri: str, count: int, cnonce: str
) -> Credentials:
    """The credentials that answer a challenge for the ``count``-th time. ``username`` is as it stands between quotes.

    Without ``auth`` among what is offered it is answered as RFC 2069 did. Raises KeyError as ``response_to`` does.
    """
    unproved = Credentials(
        username, challenge.realm, challenge.nonce, uri, "", challenge.algorithm, opaque=challenge.opaque
    )
    if "auth" in challenge.qop:
        unproved = unproved._replace(qop="auth", nonce_count=f"{count:08x}", cnonce=cnonce)
    return unproved._replace(response=response_to(secret, method, unproved))


def _hash(algorithm: str, octets: bytes) -> str:
    return hashlib.new(ALGORITHMS[algorithm], octets, usedforsecurity=False).hexdigest()


def _parameters(text: str) -> dict[str, str]:
    """The parameters of a Digest value by lower-case name, quotes taken off."""
    scheme = _SCHEME.match(text)
    if scheme is None or len(text) > _LONGEST:
        raise MalformedValue("not a Digest value")
    found: dict[str, str] = {}
    position = scheme.end()
    while True:
        pair = _PAIR.match(text, position)
        if pair is None:
            raise MalformedValue("malformed Digest value")
        name, value = pair[1].lower(), pair[2]
        if name in found:
            raise MalformedValue("Digest parameter given twice")
        found[name] = value[1:-1] if value[0] == '"' else value
        position = pair.end()
        if text[position - 1] != ",":
            return found


def _required(found: dict[str, str], name: str) -> str:
    if name not in found:
        raise MalformedValue(f"no {name} in a Digest value")
    return found[name]


def _algorithm(found: dict[str, str]) -> str | None:
    """The algorithm by its usual name; MD5 when none is named (RFC 7616 §3.3), None when it is unknown."""
    return _BY_CASE.get(found["algorithm"].lower()) if "algorithm" in found else "MD5"

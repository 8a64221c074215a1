"""Digest credentials and challenges are read or refused with MalformedValue; what is read can be written, read again,
answered and hashed.

An input is taken as credentials and as a challenge alike.
"""

from sipguard.errors import MalformedValue
from sipguard.proxy.nonces import Nonces
from sipguard.sip.digest import answer, format_credentials, parse_challenge, parse_credentials, response_to

SECRET = "0" * 32
WALL = 1_800_000_000.0


def check(data: bytes) -> None:
    """The invariant, for one value."""
    text = data.decode("latin-1")
    as_credentials(text)
    as_challenge(text)
    assert not Nonces(b"key").accept(text, 1, WALL, 60.0, 10)  # only the key's owner makes nonces


def as_credentials(text: str) -> None:
    """Read, write, read; and the response is a function of what was read."""
    try:
        credentials = parse_credentials(text)
    except MalformedValue:
        return
    if credentials.algorithm is None:
        return
    expected = response_to(SECRET, "INVITE", credentials)
    assert expected != response_to(SECRET, "BYE", credentials)
    if credentials.qop is not None and None in (credentials.nonce_count, credentials.cnonce):
        return  # no qop of ours
    if all(word is None or word.isalnum() for word in (credentials.qop, credentials.cnonce)):
        again = parse_credentials(format_credentials(credentials))
        if credentials.qop is None:  # what belongs to qop is not written without one
            credentials = credentials._replace(nonce_count=None, cnonce=None)
        assert again == credentials


def as_challenge(text: str) -> None:
    """Whatever is asked in an algorithm we know can be answered, and the answer can be read."""
    try:
        challenge = parse_challenge(text)
    except MalformedValue:
        return
    if challenge.algorithm is None:
        return
    given = answer(challenge, "user", SECRET, "INVITE", "sip:a@b", 1, "c0ffee")
    assert parse_credentials(format_credentials(given)) == given

"""Base64url without padding, read strictly (RFC 7515 §2): one text for one value.

The library decoder skips characters outside the alphabet and ignores unused bits, so many texts would decode to the
same octets; a token must not be rewritable without breaking it (PPT-14).
"""

import binascii

from sipguard.errors import MalformedValue

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")  # the standard alphabet and padding become illegal
_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", b"", b"==", b"=")
# Characters a text of length 2 or 3 (modulo 4) may end in: those whose unused low bits are zero.
_LAST = (None, None, frozenset("AQgw"), frozenset("AEIMQUYcgkosw048"))


def decode(text: str) -> bytes:
    """The octets of a text; raises MalformedValue for foreign characters, a wrong length or unused bits set."""
    remainder = len(text) & 3
    if remainder:
        last = _LAST[remainder]
        if last is None or text[-1] not in last:
            raise MalformedValue("base64url of impossible length or with unused bits set")
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + _PADDING[remainder], strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError
        raise MalformedValue("not base64url") from None


def encode(data: bytes) -> str:
    """The text of some octets."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")

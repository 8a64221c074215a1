"""What a signer signs with: something that makes ES256 signatures and keeps its key to itself (AS-29).

Two homes of a key exist: a PEM file, read here, and a hardware module, see ``runtime/hardware_keys.py``. Both
give the 64 octets r and s that a JSON Web Signature carries (RFC 7518 §3.4).
"""

from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sipguard.errors import CertificateError

# The nonce is derived from key and message (RFC 6979), so that a bad random source cannot leak the key (AS-27) ...
_DERIVED: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_RANDOM: Final = ec.ECDSA(hashes.SHA256())


class SigningKey(Protocol):
    """A P-256 private key that signs."""

    def belongs_to(self, public_key: ec.EllipticCurvePublicKey) -> bool:
        """Whether this is the private half of a certificate's key. May raise CertificateError."""

    def sign(self, octets: bytes, *, fresh: bool = False) -> bytes:
        """r and s, 32 octets each, over SHA-256 of ``octets``.

        ``fresh`` asks for a signature that differs from an earlier one of the same octets. May raise anything when the
        key is out of reach.
        """


class FileKey:
    """A key held in memory."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """``key``: on the curve P-256; ``read_key`` sees to it."""
        self._key = key
        self.public_key = key.public_key()

    def belongs_to(self, public_key: ec.EllipticCurvePublicKey) -> bool:
        """See ``SigningKey``."""
        return self.public_key == public_key

    def sign(self, octets: bytes, *, fresh: bool = False) -> bytes:
        """See ``SigningKey``."""
        r, s = decode_dss_signature(self._key.sign(octets, _RANDOM if fresh else _DERIVED))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def read_key(pem: bytes) -> FileKey:
    """The key of a PEM file. Raises CertificateError, which says nothing of what is in it."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError("the key is not an unencrypted PEM private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError("the key is not P-256")
    return FileKey(key)

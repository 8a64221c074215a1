"""A signing key that never leaves its hardware module (RFC 7512, PKCS #11): digests go in, signatures come out.

Signing stays synchronous, as everything on the way of a call is, and bounded: a module that does not answer within its
time costs one call that time, and is then left alone for a while, like one that fails several times in a row. The calls
meanwhile follow ``stir.sign.outage`` at once (AS-28). Whether the key belongs to its certificate is found out by
a signature, so the token need not hold a public key; and again when the key had to be looked up anew, because another
one may have taken its place.
"""

import hashlib
import logging
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sipguard.config.pkcs11_uri import HardwareKey
from sipguard.errors import CertificateError
from sipguard.runtime.breaker import Breaker
from sipguard.runtime.clock import Clock
from sipguard.runtime.hardware_module import HardwareModule, hardware_module

logger = logging.getLogger(__name__)

_ES256 = ec.ECDSA(hashes.SHA256())
_PATIENCE = 0.15  # seconds for one signature
_FIRST_PATIENCE = 10.0  # seconds when nobody calls: opening a token and logging in may be slow
_FAILURES = 3
_REST = 5.0  # seconds


class HardwareSigningKey:
    """A ``SigningKey`` in a token; two are equal when they are in the same place."""

    def __init__(
        self, place: HardwareKey, module: HardwareModule, clock: Clock | None = None, patience: float = _PATIENCE
    ) -> None:
        """``patience``: the seconds a call waits for a signature at most."""
        self._place = place
        self._module = module
        self._clock = clock or Clock()
        self._patience = patience
        self._breaker = Breaker(_FAILURES, _REST)
        self._trouble = ""
        self._public_key: ec.EllipticCurvePublicKey | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HardwareSigningKey) and other._place == self._place

    def __hash__(self) -> int:
        return hash(self._place)

    def belongs_to(self, public_key: ec.EllipticCurvePublicKey) -> bool:
        """See ``SigningKey``."""
        challenge = secrets.token_bytes(32)
        try:
            signature = self._module.sign(self._place, hashlib.sha256(challenge).digest(), _FIRST_PATIENCE)
        except TimeoutError:
            raise CertificateError(f"{self._place}: the module does not answer") from None
        except CertificateError as error:
            raise CertificateError(f"{self._place}: {error}") from None
        self._public_key = public_key
        return _verifies(public_key, signature.octets, challenge)

    def sign(self, octets: bytes, *, fresh: bool = False) -> bytes:
        """See ``SigningKey``; a token's signatures are always fresh. Raises CertificateError."""
        if self._breaker.resting(self._clock.monotonic()):
            raise CertificateError(f"{self._place} is left alone for a while: {self._trouble}")
        try:
            signature = self._module.sign(self._place, hashlib.sha256(octets).digest(), self._patience)
        except TimeoutError:
            raise self._failed("the module does not answer", grave=True) from None
        except CertificateError as error:
            raise self._failed(str(error)) from None
        if signature.found_anew and self._public_key and not _verifies(self._public_key, signature.octets, octets):
            raise self._failed("the token holds another key than before")
        if self._breaker.succeeded():
            logger.warning("signing.key-back", extra={"fields": {"key": str(self._place)}})
        return signature.octets

    def _failed(self, trouble: str, *, grave: bool = False) -> CertificateError:
        self._trouble = trouble
        if self._breaker.failed(self._clock.monotonic(), grave=grave):
            logger.error("signing.key-lost", extra={"fields": {"key": str(self._place), "detail": trouble}})
        return CertificateError(f"{self._place}: {trouble}")


def _verifies(public_key: ec.EllipticCurvePublicKey, signature: bytes, octets: bytes) -> bool:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), octets, _ES256)
    except InvalidSignature:
        return False
    return True


def open_hardware_key(place: HardwareKey) -> HardwareSigningKey:
    """The key at a place; it is looked for when it first signs. Raises CertificateError."""
    return HardwareSigningKey(place, hardware_module(place.module))

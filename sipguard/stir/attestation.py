"""Attestation levels and origination identifiers (ATIS-1000074 §5.2.3, RFC 8588 §4-5).

An ``origid`` says "the same source" without saying which: a keyed hash of account and traffic class, so a carrier can
act on one customer's robo-dial traffic alone, while only we can tell whose it is. Or it is the hash of the call's
record, so that no two calls share one and only our attestation log tells what it belongs to (AS-19).
"""

import hashlib
import hmac
import uuid
from enum import StrEnum
from functools import lru_cache


class Attestation(StrEnum):
    """What the signer vouches for."""

    A = "A"  # the customer, and its right to use the number
    B = "B"  # the customer only
    C = "C"  # neither: a gateway

    def capped(self, cap: "Attestation | None") -> "Attestation":
        """This level, or the cap when that vouches for less."""
        return self if cap is None or self.value >= cap.value else cap


class OriginationIdentifiers:
    """Derives origids from a secret that stays with the node's configuration."""

    def __init__(self, secret: bytes) -> None:
        """``secret``: at least 16 octets that nobody else has; changing it changes every origid."""
        if len(secret) < 16:
            raise ValueError("the secret for origination identifiers needs at least 16 octets")
        self._secret = secret
        self._derive = lru_cache(maxsize=65536)(lambda account, traffic: _derive(secret, account, traffic))

    def of(self, account: str, traffic_class: str) -> str:
        """The origid of one account's traffic of one class, a lower-case UUID."""
        return self._derive(account, traffic_class)

    def of_call(self, identifier: str) -> str:
        """The origid of one call alone, by the identifier of its attestation record."""
        return _derive(self._secret, "call\0", identifier)


def _derive(secret: bytes, account: str, traffic_class: str) -> str:
    name = f"{account}\0{traffic_class}".encode()
    return str(uuid.UUID(bytes=hmac.digest(secret, name, hashlib.sha256)[:16], version=5))

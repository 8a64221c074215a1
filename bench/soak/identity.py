"""The Identity header of the far carrier's calls: a SHAKEN PASSporT, made without sipguard and without loading the key
for each.
"""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class Signer:
    """Signs for one certificate."""

    def __init__(self, key: Path, url: str) -> None:
        loaded = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key} is not the key of a STIR certificate")
        self._key = loaded
        self._url = url
        self._header = _base64url(_json({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url}))

    def identity(self, calling: str, called: str, issued: int, origid: str) -> str:
        """The header field value for a call between two numbers (digits only)."""
        claims = {"attest": "A", "dest": {"tn": [called]}, "iat": issued, "orig": {"tn": calling}, "origid": origid}
        signed = f"{self._header}.{_base64url(_json(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return f"{signed}.{signature};info=<{self._url}>;alg=ES256;ppt=shaken"


def tampered(identity: str) -> str:
    """The same with another signature."""
    token, _, parameters = identity.partition(";")
    signed, _, signature = token.rpartition(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    return f"{signed}.{flipped};{parameters}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()

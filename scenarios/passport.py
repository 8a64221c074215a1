"""PASSporTs as others see them: made and read with PyJWT, so that sipguard is not judged by its own code."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_IDENTITY = re.compile(r"(?P<token>[\w-]+\.[\w-]+\.[\w-]+)(?P<parameters>(?:;[^;]+)*)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class OtherCarrier:
    """A carrier elsewhere that signs its calls: its key, and where its certificate is found."""

    key: Path
    url: str

    def identity(self, calling: str, called: str, issued: int, attest: str = "A") -> str:
        """An Identity header field value for a call (digits only, RFC 8224 §8.3); ``issued`` in Unix seconds."""
        claims = {
            "attest": attest,
            "dest": {"tn": [called]},
            "iat": issued,
            "orig": {"tn": calling},
            "origid": "5a7a54f6-0d1c-4c83-9a67-16f0b2f9ed21",
        }
        header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.url}
        key: Any = load_pem_private_key(self.key.read_bytes(), None)
        token = jwt.encode(claims, key, algorithm="ES256", headers=header)
        return f"{token};info=<{self.url}>;alg=ES256;ppt=shaken"


def tampered(identity: str) -> str:
    """The same header with another attestation in its claims and the signature left as it was."""
    token, _, parameters = identity.partition(";")
    header, payload, signature = token.split(".")
    claims = json.loads(jwt.utils.base64url_decode(payload))
    claims["attest"] = "A" if claims["attest"] != "A" else "B"
    forged = jwt.utils.base64url_encode(json.dumps(claims, separators=(",", ":")).encode()).decode()
    return f"{header}.{forged}.{signature};{parameters}"


@dataclass(frozen=True, slots=True)
class Read:
    """What a verified Identity header says."""

    attest: str
    orig: str
    dest: tuple[str, ...]
    origid: str
    url: str


def read(identity: str, certificate: Path) -> Read | str:
    """Verify an Identity header against a certificate file; the claims, or in one sentence what is wrong with it."""
    shape = _IDENTITY.match(identity)
    if shape is None:
        return "not token;parameters"
    leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
    key: Any = leaf.public_key()
    try:
        token = jwt.decode_complete(shape["token"], key, algorithms=["ES256"], options={"verify_iat": False})
    except jwt.PyJWTError as error:
        return str(error)
    header, claims = token["header"], token["payload"]
    url = header.get("x5u", "")
    if (header.get("ppt"), header.get("typ")) != ("shaken", "passport") or f"info=<{url}>" not in shape["parameters"]:
        return "not a SHAKEN PASSporT whose info is its x5u"
    return Read(claims["attest"], claims["orig"]["tn"], tuple(claims["dest"]["tn"]), claims["origid"], url)

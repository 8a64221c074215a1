"""What the STIR tests share: one TEST authority, its signer, and a way to write any token, right or wrong."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from sipguard.stir import base64url
from sipguard.stir.authentication import Signer, load_signer
from sipguard.stir.certificate import TrustAnchors, load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.stir.verification import MissingCertificate, Signalling, VerificationService, VerificationSettings
from sipguard.testing.sti_ca import Issued, StiCa

NOW = UnixTime(1_800_000_000)
ORIG, DEST = TN("12155551212"), TN("12155551213")
ORIGID = "123e4567-e89b-12d3-a456-426655440000"
URL = "https://certificates.example.com/leaf.pem"
HOUR = 3600

HEADER: dict[str, Any] = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": URL}
CLAIMS: dict[str, Any] = {
    "attest": "A",
    "dest": {"tn": [DEST]},
    "iat": NOW,
    "orig": {"tn": ORIG},
    "origid": ORIGID,
}
ABSENT = object()


@cache
def authority() -> StiCa:
    """The authority every verifier here trusts."""
    return StiCa.create(NOW)


@cache
def leaf() -> Issued:
    """Its signing certificate, with one service provider code."""
    return authority().issue()


@cache
def anchors() -> TrustAnchors:
    """What a verifier is configured with."""
    return load_anchors(authority().anchors_pem)


@cache
def signer() -> Signer:
    """The signer of that certificate."""
    return load_signer("default", leaf().chain_pem, leaf().key_pem, URL, NOW)


def identity(**claims: Any) -> str:
    """A field value as our own authentication service writes it."""
    values = {"orig": ORIG, "dest": [DEST], "attest": "A", "origid": ORIGID, "iat": NOW, **claims}
    return signer().sign_shaken(**values)


def segment(value: object) -> str:
    """A JSON value, a text or octets as one base64url segment."""
    if isinstance(value, dict | list):
        value = json.dumps(value, separators=(",", ":"))
    return base64url.encode(value.encode() if isinstance(value, str) else bytes(value))  # type: ignore[call-overload]


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with members replaced, or left out where the new value is ABSENT."""
    return {name: value for name, value in {**base, **changes}.items() if value is not ABSENT}


def sign(header: object, payload: object, key: Any = None) -> str:
    """A token over any two JSON values, texts or octets, signed with the good key unless another is given."""
    signing_input = f"{segment(header)}.{segment(payload)}"
    signer: Any = key or leaf().key
    signature = signer.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signature)
    return f"{signing_input}.{base64url.encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def field(token: str, parameters: str = f";info=<{URL}>;alg=ES256;ppt=shaken") -> str:
    """A field value around a token."""
    return token + parameters


def forged(**claims: Any) -> str:
    """A field value whose claims differ from the good ones, correctly signed."""
    return field(sign(HEADER, changed(CLAIMS, claims)))


def headed(parameters: str | None = None, **members: Any) -> str:
    """A field value whose protected header differs from the good one, correctly signed."""
    token = sign(changed(HEADER, members), CLAIMS)
    return field(token) if parameters is None else field(token, parameters)


def located(url: str) -> str:
    """A field value whose certificate is somewhere else, correctly signed."""
    return headed(f";info=<{url}>;alg=ES256;ppt=shaken", x5u=url)


def filled_cache(chain_pem: bytes | None = None, now: UnixTime = NOW) -> CertificateCache:
    """A cache that holds a chain under ``URL``, the good one unless another is given."""
    store = CertificateCache()
    store.store(URL, leaf().chain_pem if chain_pem is None else chain_pem, UnixTime(now + HOUR), now, anchors())
    return store


def signalling(**changes: Any) -> Signalling:
    """The request the good token belongs to."""
    return Signalling(**{"orig": (ORIG,), "dest": (DEST,), "call_id": "1@example.com", **changes})


def ask(
    values: Sequence[str],
    store: CertificateCache | None = None,
    now: UnixTime = NOW,
    settings: VerificationSettings | None = None,
    unavailable: frozenset[str] = frozenset(),
    **request: Any,
) -> Verdict | MissingCertificate:
    """What a fresh verification service says about these fields."""
    service = VerificationService(anchors(), settings)
    return service.verify(values, signalling(**request), filled_cache() if store is None else store, now, unavailable)


def judge(values: Sequence[str], **arguments: Any) -> Verdict:
    """The verdict, where no certificate is missing."""
    verdict = ask(values, **arguments)
    assert isinstance(verdict, Verdict)
    return verdict

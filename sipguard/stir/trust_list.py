"""The list of trusted certification authorities that a policy administrator signs (ATIS-1000084, CRT-20).

A JSON Web Token in compact form: ``sequence`` counts its editions, ``exp`` ends it, ``trustList`` holds the
certificates of the authorities, each in PEM or as the base64 of its DER. It counts when one of the configured
certificates of the administrator signed it; the URL in its header is not followed: whoever writes the list does not
choose its judge.
"""

import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sipguard.errors import CertificateError, MalformedValue
from sipguard.stir import base64url
from sipguard.stir.extensions import UNREADABLE, validity
from sipguard.stir.strict_json import parse_object
from sipguard.stir.unix_time import UnixTime

_LARGEST = 1024 * 1024


class TrustList(NamedTuple):
    """One edition of the list."""

    sequence: int
    expires: UnixTime
    certificates: tuple[x509.Certificate, ...]


def is_trust_list(octets: bytes) -> bool:
    """Whether a file of anchors is such a token rather than PEM."""
    return octets.lstrip()[:2] == b"ey" and octets.count(b".") == 2


def read_trust_list(octets: bytes, administrators: Iterable[x509.Certificate], now: UnixTime) -> TrustList:
    """The list in a token; raises CertificateError when it is malformed, not signed by an administrator, or expired."""
    if len(octets) > _LARGEST:
        raise CertificateError("the trust list is too large")
    try:
        header, payload, signature = octets.strip().decode("ascii").split(".")
        protected = parse_object(base64url.decode(header))
        raw, claims = base64url.decode(signature), base64url.decode(payload)
    except (MalformedValue, ValueError):
        raise CertificateError("the trust list is not a JSON Web Token") from None
    if protected.get("alg") != "ES256" or "crit" in protected or len(raw) != 64:
        raise CertificateError("the trust list is not signed with ES256")
    signing_input = f"{header}.{payload}".encode("ascii")
    if not any(_signed(certificate, raw, signing_input, now) for certificate in administrators):
        raise CertificateError("the trust list is not signed by the policy administrator")
    return _read(claims, now)


def _signed(certificate: x509.Certificate, raw: bytes, signing_input: bytes, now: UnixTime) -> bool:
    start, end = validity(certificate)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return False
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        key.verify(signature, signing_input, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return start <= now <= end


def _read(claims: bytes, now: UnixTime) -> TrustList:
    """The claims, which are somebody's we trust by now."""
    try:
        members = json.loads(claims)
    except ValueError:
        members = None
    if type(members) is not dict:
        raise CertificateError("the trust list is not an object")
    sequence, expires, listed = members.get("sequence"), members.get("exp"), members.get("trustList")
    if type(sequence) is not int or type(expires) is not int or type(listed) is not list or not listed:
        raise CertificateError("the trust list lacks sequence, exp or trustList")
    if expires <= now:
        raise CertificateError("the trust list has expired")
    return TrustList(sequence, UnixTime(expires), tuple(_certificate(entry) for entry in listed))


def _certificate(entry: object) -> x509.Certificate:
    if type(entry) is not str:
        raise CertificateError("an entry of the trust list is not a certificate")
    try:
        if "-----BEGIN" in entry:
            return x509.load_pem_x509_certificate(entry.encode())
        return x509.load_der_x509_certificate(b64decode(entry, validate=True))
    except (*UNREADABLE, Base64Error):
        raise CertificateError("an entry of the trust list is not a certificate") from None

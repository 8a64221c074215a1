"""The TEST policy administrator, and what it signs: revocation lists and the list of authorities. Never trust them."""

import base64
import datetime
import json
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir import base64url
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Issued, Shape, build, make_name, new_key

_AUTHORITY = Shape(entries=None, authority=True, digital_signature=False, cert_sign=True, policy=None)


class Revoked(NamedTuple):
    """An entry. Without an issuer it inherits the one of the entry before it (RFC 5280 §5.3.3)."""

    serial: int
    issuer: x509.Name | None = None
    extension: x509.ExtensionType | None = None  # a critical one


class Scope(NamedTuple):
    """What the issuing distribution point says."""

    indirect: bool = False
    signers_only: bool = False
    authorities_only: bool = False
    some_reasons: bool = False


def make_administrator(now: UnixTime, name: str = "TEST STI policy administrator", shape: Shape = _AUTHORITY) -> Issued:
    """A self-signed certificate that may sign revocation lists, valid for a year."""
    key, subject = new_key(), make_name(name)
    return Issued(build(subject, key, subject, key, shape, now, 365 * DAY), key)


def issue_list(
    signer: Issued,
    revoked: Sequence[Revoked],
    now: UnixTime,
    *,
    lifetime: int = DAY,
    scope: Scope | None = None,
    extension: x509.ExtensionType | None = None,
) -> bytes:
    """A list in DER that starts ``now`` and is current for ``lifetime`` seconds. ``extension``: a critical one."""
    start = datetime.datetime.fromtimestamp(now, datetime.UTC)
    end = start + datetime.timedelta(seconds=lifetime)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(start)
        .next_update(end)
        .add_extension(x509.CRLNumber(now), critical=False)
    )
    if scope is not None:
        builder = builder.add_extension(_distribution_point(scope), critical=True)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    for entry in revoked:
        builder = builder.add_revoked_certificate(_entry(entry, start))
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def issue_trust_list(
    signer: Issued, trusted: Sequence[x509.Certificate], *, sequence: int, expires: int, algorithm: str = "ES256"
) -> bytes:
    """The administrator's list of authorities, a JSON Web Token."""
    header = {"alg": algorithm, "typ": "JWT", "x5u": "https://policy-administrator.example/certificate.pem"}
    listed = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode() for certificate in trusted]
    claims = {"version": "1.0", "sequence": sequence, "exp": expires, "trustList": listed}
    signing_input = ".".join(base64url.encode(json.dumps(part).encode()) for part in (header, claims))
    if not isinstance(signer.key, ec.EllipticCurvePrivateKey):
        raise TypeError("the list is signed with ES256")
    signature = signer.key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signature)
    return f"{signing_input}.{base64url.encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}".encode()


def _entry(entry: Revoked, moment: datetime.datetime) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(moment)
    if entry.issuer is not None:
        builder = builder.add_extension(x509.CertificateIssuer([x509.DirectoryName(entry.issuer)]), critical=True)
    if entry.extension is not None:
        builder = builder.add_extension(entry.extension, critical=True)
    return builder.build()


def _distribution_point(scope: Scope) -> x509.IssuingDistributionPoint:
    url = "https://policy-administrator.example/crl"
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)],
        relative_name=None,
        only_contains_user_certs=scope.signers_only,
        only_contains_ca_certs=scope.authorities_only,
        only_some_reasons=frozenset((x509.ReasonFlags.key_compromise,)) if scope.some_reasons else None,
        indirect_crl=scope.indirect,
        only_contains_attribute_certs=False,
    )

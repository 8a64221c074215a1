"""``StiCa``: a TEST certification authority for STIR/SHAKEN, and the broken certificates tests need. Never trust it.

One authority is a root, an intermediate below it, and as many signing certificates as asked for, shaped as
ATIS-1000080 wants them: P-256 keys, critical basic constraints and key usage, key identifiers, the SHAKEN certificate
policy, a TNAuthList. A ``Shape`` breaks one rule at a time. ``issue_server`` makes the certificate of a loopback HTTPS
server, from an authority of its own: a certificate repository's TLS and the SHAKEN PKI have nothing to do with each
other. Keys are derived from nothing: two runs never share one.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sipguard.stir import claim_constraints, tn_auth_list
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime

SHAKEN_POLICY = "2.16.840.1.114569.1.1.3"
_TN_LIST_BY_REFERENCE = "1.3.6.1.5.5.7.48.14"  # id-ad-stirTNList
DAY = 86400
_YEAR = 365 * DAY
_BACKDATED = 3600  # seconds: a certificate is valid a little before it is made

_ONE_CODE = TnAuthList(("1234",))

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, its key, and the certificates of the authorities above it, nearest first, without the root."""

    certificate: x509.Certificate
    key: PrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """This certificate alone."""
        return pem(self.certificate)

    @property
    def chain_pem(self) -> bytes:
        """This certificate first, then the ones above it: what an x5u URL serves."""
        return pem(self.certificate, *self.above)

    @property
    def key_pem(self) -> bytes:
        """The unencrypted private key (PKCS #8)."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """How a certificate is made; the defaults are right, tests change one thing."""

    entries: TnAuthList | None = _ONE_CODE  # None: no TNAuthList
    tn_auth_list_der: bytes | None = None  # these octets instead of the list
    not_before: UnixTime | None = None
    not_after: UnixTime | None = None
    authority: bool = False  # basic constraints CA:TRUE
    path_length: int | None = None
    basic_constraints: bool = True
    digital_signature: bool = True
    cert_sign: bool = False
    key_usage: bool = True
    policy: str | None = SHAKEN_POLICY
    critical_extension: str | None = None  # OID of a critical extension nobody knows
    constraints: ClaimConstraints | None = None  # the kind of extension that can say them
    extensions: tuple[tuple[str, bytes], ...] = ()  # more of them, not critical: OID and DER
    tn_list_url: str | None = None  # the TNAuthList by reference
    crl_url: str | None = None
    crl_issuer: x509.Name | None = None  # who signs that list, when it is not the issuer
    authority_key_identifier: bytes | None = None  # instead of the issuer's
    key_identifiers: bool = True
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | hashes.SHA224 = field(default_factory=hashes.SHA256)


_ROOT = Shape(entries=None, authority=True, digital_signature=False, cert_sign=True, policy=None)
_INTERMEDIATE = Shape(entries=None, authority=True, path_length=0, digital_signature=False, cert_sign=True)


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates in PEM, one after the other."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def make_name(common_name: str) -> x509.Name:
    """A subject that says TEST."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "TEST sipguard, never trust"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


class StiCa:
    """A root, an intermediate, and what they issue."""

    def __init__(self, root: Issued, intermediate: Issued, now: UnixTime) -> None:
        """Use ``create``."""
        self.root = root
        self.intermediate = intermediate
        self.now = now

    @classmethod
    def create(
        cls,
        now: UnixTime,
        *,
        name: str = "TEST",
        intermediate: Shape = _INTERMEDIATE,
        root: Shape = _ROOT,
        root_key: PrivateKey | None = None,
        intermediate_key: PrivateKey | None = None,
    ) -> "StiCa":
        """An authority whose certificates start a little before ``now``: root 10 years, intermediate 5."""
        key = root_key or new_key()
        root_name = make_name(f"{name} STI root CA")
        root_certificate = build(root_name, key, root_name, key, root, now, 10 * _YEAR)
        top = Issued(root_certificate, key)
        lower_key = intermediate_key or new_key()
        lower = build(make_name(f"{name} STI intermediate CA"), lower_key, root_name, key, intermediate, now, 5 * _YEAR)
        return cls(top, Issued(lower, lower_key), now)

    @property
    def anchors_pem(self) -> bytes:
        """The root: what a verifier is configured to trust."""
        return self.root.certificate_pem

    def issue(
        self, shape: Shape | None = None, *, key: PrivateKey | None = None, common_name: str = "SHAKEN 1234"
    ) -> Issued:
        """A signing certificate from the intermediate, valid for 30 days unless its shape says otherwise."""
        return self.issue_below(self.intermediate, shape, key=key, common_name=common_name)

    def issue_below(
        self,
        issuer: Issued,
        shape: Shape | None = None,
        *,
        key: PrivateKey | None = None,
        common_name: str = "SHAKEN 1234",
    ) -> Issued:
        """A certificate from any issuer of this authority: the root, a deeper intermediate, even a leaf."""
        own_key = key or new_key()
        certificate = build(
            make_name(common_name),
            own_key,
            issuer.certificate.subject,
            issuer.key,
            shape or Shape(),
            self.now,
            30 * DAY,
        )
        above = () if issuer is self.root else (issuer.certificate, *issuer.above)
        return Issued(certificate, own_key, above)


def build(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    shape: Shape,
    now: UnixTime,
    lifetime: int,
) -> x509.Certificate:
    """One certificate of the given shape; ``lifetime`` in seconds from ``now``."""
    start = now - _BACKDATED if shape.not_before is None else shape.not_before
    end = now + lifetime if shape.not_after is None else shape.not_after
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(start, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(end, datetime.UTC))
    )
    for extension, critical in _extensions(key, issuer_key, shape):
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, shape.digest)


def _extensions(key: PrivateKey, issuer_key: PrivateKey, shape: Shape) -> list[tuple[x509.ExtensionType, bool]]:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    if shape.authority_key_identifier is not None:
        authority = x509.AuthorityKeyIdentifier(shape.authority_key_identifier, None, None)
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if shape.key_identifiers:
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
        extensions.append((authority, False))
    if shape.basic_constraints:
        extensions.append((x509.BasicConstraints(shape.authority, shape.path_length), True))
    if shape.key_usage:
        extensions.append((_key_usage(shape), True))
    if shape.policy is not None:
        policy = x509.PolicyInformation(x509.ObjectIdentifier(shape.policy), None)
        extensions.append((x509.CertificatePolicies([policy]), False))
    der = shape.tn_auth_list_der
    if der is None and shape.entries is not None:
        der = tn_auth_list.encode(shape.entries)
    if der is not None:
        extensions.append((_unknown(tn_auth_list.OID, der), False))
    if shape.constraints is not None:
        kind = claim_constraints.ENHANCED_OID if shape.constraints.must_exclude else claim_constraints.OID
        extensions.append((_unknown(kind, claim_constraints.encode(shape.constraints)), False))
    extensions += [(_unknown(oid, octets), False) for oid, octets in shape.extensions]
    if shape.tn_list_url is not None:
        location = x509.UniformResourceIdentifier(shape.tn_list_url)
        access = x509.AccessDescription(x509.ObjectIdentifier(_TN_LIST_BY_REFERENCE), location)
        extensions.append((x509.AuthorityInformationAccess([access]), False))
    if shape.crl_url is not None:
        extensions.append((_distribution_points(shape.crl_url, shape.crl_issuer), False))
    if shape.critical_extension is not None:
        extensions.append((_unknown(shape.critical_extension, b"\x05\x00"), True))
    return extensions


def _unknown(oid: str, der: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der)


def _distribution_points(url: str, issuer: x509.Name | None) -> x509.CRLDistributionPoints:
    issuers = None if issuer is None else [x509.DirectoryName(issuer)]
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, issuers)
    return x509.CRLDistributionPoints([point])


def _key_usage(shape: Shape) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=shape.digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=shape.cert_sign,
        crl_sign=shape.cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def issue_server(
    now: UnixTime, names: Sequence[str] = ("localhost", "127.0.0.1", "::1")
) -> tuple[Issued, x509.Certificate]:
    """An HTTPS server certificate for these names and addresses, and the root that a client must trust for it."""
    authority_key, key = new_key(), new_key()
    authority_name = make_name("TEST HTTPS root CA")
    authority = build(authority_name, authority_key, authority_name, authority_key, _ROOT, now, _YEAR)
    start = datetime.datetime.fromtimestamp(now - _BACKDATED, datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(make_name("TEST certificate repository"))
        .issuer_name(authority_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(Shape()), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Issued(certificate, key), authority


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

"""Certificates of signers: reading a chain and judging it against the configured trust anchors (RFC 5280 §6, RFC 8226).

``validate`` does everything about a chain that does not depend on the call: names, signatures, constraints, the TN
Authorization List. What it returns, a ``Credential``, carries the time span in which every certificate of the path is
valid, so that a call costs two comparisons and one ECDSA operation. Only the anchors given are trusted,
never a system store (CRT-20).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from sipguard.errors import CertificateError, MalformedValue
from sipguard.stir import tn_auth_list
from sipguard.stir.passport import Fault
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

_LARGEST = 65536  # octets of a chain
_MOST_CERTIFICATES = 10
_MOST_SIGNATURE_CHECKS = 24  # while looking for a path: certificates with equal names must not cost seconds
_TN_AUTH_LIST = x509.ObjectIdentifier(tn_auth_list.OID)
_SHAKEN_POLICIES = "2.16.840.1.114569.1.1."  # CRT-16: every version of the SHAKEN certificate policy
_UNDERSTOOD = frozenset(
    (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        _TN_AUTH_LIST,
    )
)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_T = TypeVar("_T", bound=x509.ExtensionType)
# What the library raises while it reads the parts of a certificate lazily.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A signer's certificate after validation."""

    public_key: ec.EllipticCurvePublicKey
    tn_auth_list: TnAuthList
    not_before: UnixTime  # the latest start and
    not_after: UnixTime  # the earliest end of any certificate on the path
    subject: str

    @property
    def spc(self) -> str | None:
        """The first service provider code."""
        codes = self.tn_auth_list.service_provider_codes
        return codes[0] if codes else None

    def valid_at(self, moment: UnixTime) -> bool:
        """Whether every certificate of the path is valid at a moment."""
        return self.not_before <= moment <= self.not_after

    def covers(self, tn: TN) -> bool:
        """Whether the holder may sign for a number: named, or no numbers are named at all (CRT-03)."""
        return not self.tn_auth_list.lists_numbers or self.tn_auth_list.covers(tn)


class TrustAnchors:
    """The certification authorities we trust, by subject name."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        """Raises CertificateError when a certificate is not that of a certification authority."""
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}
        for certificate in certificates:
            try:
                _check_authority(certificate, below=0)
            except Fault as fault:
                raise CertificateError(f"trust anchor {certificate.subject.rfc4514_string()}: {fault}") from None
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def named(self, name: x509.Name) -> list[x509.Certificate]:
        """The anchors with this subject."""
        return self._by_subject.get(name, [])

    def __len__(self) -> int:
        """How many names are trusted."""
        return len(self._by_subject)


def load_anchors(pem: bytes) -> TrustAnchors:
    """Trust anchors from a PEM file; raises CertificateError when it holds none or something unusable."""
    try:
        return TrustAnchors(x509.load_pem_x509_certificates(pem))
    except UNREADABLE as error:
        raise CertificateError(f"the trust anchors are not PEM certificates ({error})") from None


def load_chain(octets: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates behind an x5u URL, PEM (with any text around them) or one DER; raises Fault.

    The signer's certificate is the first one (RFC 9060 §7).
    """
    if len(octets) > _LARGEST:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "the certificate chain is too large")
    try:
        if b"-----BEGIN" in octets:
            chain = tuple(x509.load_pem_x509_certificates(octets))
        else:
            chain = (x509.load_der_x509_certificate(octets),)
    except UNREADABLE:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "neither PEM nor DER certificates") from None
    if len(chain) > _MOST_CERTIFICATES:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "the certificate chain is too long")
    return chain


def validate(chain: tuple[x509.Certificate, ...], anchors: TrustAnchors, now: UnixTime) -> Credential:
    """The credential a chain gives its holder; raises Fault. ``now`` only chooses between several possible paths."""
    try:
        leaf = chain[0]
        public_key = check_leaf(leaf)
        entries = read_tn_auth_list(leaf)
        span = _Path(chain[1:], anchors, now).span(leaf)
        subject = leaf.subject.rfc4514_string()
    except UNREADABLE:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "a certificate of the chain cannot be read") from None
    return Credential(public_key, entries, span[0], span[1], subject)


def read_tn_auth_list(leaf: x509.Certificate) -> TnAuthList:
    """The TN Authorization List of a certificate; raises Fault when it has none or a malformed one."""
    try:
        extension = leaf.extensions.get_extension_for_oid(_TN_AUTH_LIST)
    except x509.ExtensionNotFound:
        raise Fault(Reason.CERTIFICATE_TN_LIST, "the certificate has no TNAuthList") from None
    value = extension.value
    if not isinstance(value, x509.UnrecognizedExtension):
        raise Fault(Reason.CERTIFICATE_TN_LIST, "the TNAuthList cannot be read")
    try:
        return tn_auth_list.decode(value.value)
    except MalformedValue as error:
        raise Fault(Reason.CERTIFICATE_TN_LIST, str(error)) from None


def validity(certificate: x509.Certificate) -> tuple[UnixTime, UnixTime]:
    """First and last second in which a certificate is valid."""
    return (
        UnixTime(int(certificate.not_valid_before_utc.timestamp())),
        UnixTime(int(certificate.not_valid_after_utc.timestamp())),
    )


def check_leaf(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The key of a signer's own certificate: an end entity that may sign, with a P-256 key (CRT-11, CRT-12).

    Raises Fault, and what the library raises for a certificate that cannot be read.
    """
    if leaf.version is not x509.Version.v3:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate is not X.509 version 3")
    _check_critical(leaf)
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate is that of an authority")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate's key must not sign")
    policies = _extension(leaf, x509.CertificatePolicies)
    if policies is not None and not any(
        policy.policy_identifier.dotted_string.startswith(_SHAKEN_POLICIES) for policy in policies
    ):
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate was not issued under the SHAKEN policy")
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate's key is not P-256")
    return key


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    """A certificate that issues others, with ``below`` intermediates between it and the leaf (RFC 5280 §6.1.4)."""
    _check_critical(certificate)
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "an issuer is not an authority")
    if constraints.path_length is not None and below > constraints.path_length:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the path is longer than an authority allows")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "an issuer's key must not sign certificates")
    key = certificate.public_key()
    strong = (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    )
    if not strong:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "an issuer's key is of an unsupported kind")


def _check_critical(certificate: x509.Certificate) -> None:
    """Every critical extension is one we act on (RFC 5280 §4.2)."""
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Fault(Reason.CERTIFICATE_UNTRUSTED, "a certificate has a critical extension we don't know")


def _extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


class _Path:
    """The search for a path from a leaf to an anchor through the certificates that came along (RFC 5280 §6.1)."""

    def __init__(self, pool: tuple[x509.Certificate, ...], anchors: TrustAnchors, now: UnixTime) -> None:
        self._pool = pool
        self._anchors = anchors
        self._now = now
        self._checks_left = _MOST_SIGNATURE_CHECKS
        self._best: tuple[UnixTime, UnixTime] | None = None
        self._fault = Fault(Reason.CERTIFICATE_UNTRUSTED, "no path to a trust anchor")

    def span(self, leaf: x509.Certificate) -> tuple[UnixTime, UnixTime]:
        """First and last second in which the whole path is valid, of the best path there is; raises Fault."""
        start, end = validity(leaf)
        self._search(leaf, 0, start, end, (leaf,))
        if self._best is None:
            raise self._fault
        return self._best

    def _search(
        self,
        certificate: x509.Certificate,
        below: int,
        start: UnixTime,
        end: UnixTime,
        path: tuple[x509.Certificate, ...],
    ) -> None:
        """Follow every issuer of a certificate that has ``below`` intermediates under it, the leaf not counted."""
        for anchor in self._anchors.named(certificate.issuer):
            if self._issued(certificate, anchor, below):
                first, last = validity(anchor)
                self._offer(max(start, first), min(end, last))
        for issuer in self._pool:
            if issuer.subject != certificate.issuer or issuer in path:
                continue
            if self._issued(certificate, issuer, below):
                first, last = validity(issuer)
                deeper = below if issuer.issuer == issuer.subject else below + 1
                self._search(issuer, deeper, max(start, first), min(end, last), (*path, issuer))

    def _issued(self, certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
        if self._checks_left == 0 or not _keys_match(certificate, issuer):
            return False
        self._checks_left -= 1
        try:
            _check_authority(issuer, below)
            if not isinstance(certificate.signature_hash_algorithm, _HASHES):
                raise Fault(Reason.CERTIFICATE_UNTRUSTED, "a certificate is signed with an unsupported algorithm")
            certificate.verify_directly_issued_by(issuer)
        except InvalidSignature:
            self._fault = Fault(Reason.CERTIFICATE_UNTRUSTED, "a certificate's signature is not its issuer's")
            return False
        except Fault as fault:
            self._fault = fault
            return False
        return True

    def _offer(self, start: UnixTime, end: UnixTime) -> None:
        """Keep this path when it is valid now and the best was not, or when it lasts longer."""
        offered, best = (start <= self._now <= end, end), None
        if self._best is not None:
            best = (self._best[0] <= self._now <= self._best[1], self._best[1])
        if best is None or offered > best:
            self._best = (start, end)


def _keys_match(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key identifiers, where both sides state them, agree (CRT-09)."""
    authority = _extension(certificate, x509.AuthorityKeyIdentifier)
    subject = _extension(issuer, x509.SubjectKeyIdentifier)
    if authority is None or authority.key_identifier is None or subject is None:
        return True
    return authority.key_identifier == subject.digest

"""Certificates of signers: reading a chain and judging it against the configured trust anchors (RFC 8226).

``validate`` does everything about a chain that does not depend on the call: names, signatures, constraints, the TN
Authorization List. What it returns, a ``Credential``, carries the time span in which every certificate of the path is
valid, so that a call costs two comparisons and one ECDSA operation. Only the anchors given are trusted,
never a system store (CRT-20).
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from sipguard.errors import CertificateError
from sipguard.stir.certification_path import TrustAnchors, find_path
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.extensions import (
    UNREADABLE,
    check_critical,
    extension,
    read_claim_constraints,
    read_tn_auth_list,
    validity,
)
from sipguard.stir.passport import Fault
from sipguard.stir.revocation import Link, links_of
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

__all__ = (
    "UNREADABLE",
    "Credential",
    "TrustAnchors",
    "check_leaf",
    "load_anchors",
    "load_chain",
    "read_claim_constraints",
    "read_tn_auth_list",
    "validate",
    "validity",
)

_LARGEST = 65536  # octets of a chain
_MOST_CERTIFICATES = 10
_SHAKEN_POLICIES = "2.16.840.1.114569.1.1."  # CRT-16: every version of the SHAKEN certificate policy


@dataclass(frozen=True, slots=True)
class Credential:
    """A signer's certificate after validation."""

    public_key: ec.EllipticCurvePublicKey
    tn_auth_list: TnAuthList
    constraints: ClaimConstraints | None
    not_before: UnixTime  # the latest start and
    not_after: UnixTime  # the earliest end of any certificate on the path
    subject: str
    links: tuple[Link, ...]  # every certificate of the path but the anchor, the signer's first

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
        constraints = read_claim_constraints(leaf)
        path = find_path(chain, anchors, now)
        subject, links = leaf.subject.rfc4514_string(), links_of(path.certificates)
    except UNREADABLE:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "a certificate of the chain cannot be read") from None
    return Credential(public_key, entries, constraints, path.not_before, path.not_after, subject, links)


def check_leaf(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The key of a signer's own certificate: an end entity that may sign, with a P-256 key (CRT-11, CRT-12).

    Raises Fault, and what the library raises for a certificate that cannot be read.
    """
    if leaf.version is not x509.Version.v3:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate is not X.509 version 3")
    check_critical(leaf)
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate is that of an authority")
    usage = extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate's key must not sign")
    policies = extension(leaf, x509.CertificatePolicies)
    if policies is not None and not any(
        policy.policy_identifier.dotted_string.startswith(_SHAKEN_POLICIES) for policy in policies
    ):
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate was not issued under the SHAKEN policy")
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the certificate's key is not P-256")
    return key

"""From a signer's certificate to a trust anchor: path building and its rules (RFC 5280 §6.1, RFC 9060).

Certificates between the signer's and the anchor may come in any order, with the root or without. Where an issuer is
itself limited by a TN Authorization List, what it issues is a *delegate*: then the list served must be the path itself,
signer first, every pair joined by key identifiers (RFC 9060 §7), and no certificate reaches further than the one
above it. Paths are sought from the anchors down and the number of signature checks is bounded: strangers choose what is
in a bundle, but neither the keys that check it nor how long that takes.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sipguard.errors import CertificateError
from sipguard.stir.extensions import check_critical, extension, find_tn_auth_list, validity
from sipguard.stir.passport import Fault
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

_MOST_SIGNATURE_CHECKS = 24
_MOST_CERTIFICATES = 10  # in a path
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class Path(NamedTuple):
    """Certificates from the signer's to the anchor, and the span in which every one of them is valid."""

    certificates: tuple[x509.Certificate, ...]
    not_before: UnixTime
    not_after: UnixTime


class TrustAnchors:
    """The certification authorities we trust, by subject name."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        """Raises CertificateError when a certificate is not that of a certification authority."""
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}
        for certificate in certificates:
            try:
                check_authority(certificate)
            except Fault as fault:
                raise CertificateError(f"trust anchor {certificate.subject.rfc4514_string()}: {fault}") from None
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def named(self, name: x509.Name) -> list[x509.Certificate]:
        """The anchors with this subject."""
        return self._by_subject.get(name, [])

    def __len__(self) -> int:
        """How many names are trusted."""
        return len(self._by_subject)


def find_path(chain: tuple[x509.Certificate, ...], anchors: TrustAnchors, now: UnixTime) -> Path:
    """The best path there is for the first certificate of a chain; raises Fault.

    Of several the one that is valid ``now`` and lasts longest.
    """
    return _Search(chain, anchors, now).best()


def check_authority(certificate: x509.Certificate) -> None:
    """A certificate that may issue others (RFC 5280 §6.1.4 (k), (n)); raises Fault."""
    check_critical(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "an issuer is not an authority")
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "an issuer's key must not sign certificates")
    key = certificate.public_key()
    strong = (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    )
    if not strong:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "an issuer's key is of an unsupported kind")


def check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """That one certificate was issued by the other, by name and signature; raises Fault or InvalidSignature."""
    if not isinstance(certificate.signature_hash_algorithm, _HASHES):
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "a certificate is signed with an unsupported algorithm")
    certificate.verify_directly_issued_by(issuer)


def is_delegate(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's TN Authorization List limits what it issues (RFC 9060 §4).

    Raises Fault when the certificate reaches further than its issuer.
    """
    scope = find_tn_auth_list(issuer)
    if scope is None:
        return False
    entries = find_tn_auth_list(certificate)
    if entries is None or not scope.encompasses(entries):
        raise Fault(Reason.CERTIFICATE_SCOPE, "a delegate certificate reaches further than its parent")
    return True


def check_delegation(chain: tuple[x509.Certificate, ...]) -> None:
    """That a list of certificates, signer first, is in order where it delegates (RFC 9060 §5, §7); raises Fault.

    Made for a signer's own certificates: trust is not judged here.
    """
    for certificate, issuer in pairwise(chain):
        if certificate.issuer == issuer.subject and is_delegate(certificate, issuer):
            _check_pair(certificate, issuer)


def _check_pair(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Both key identifiers are there and agree (RFC 9060 §7)."""
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    subject = extension(issuer, x509.SubjectKeyIdentifier)
    if authority is None or subject is None or authority.key_identifier != subject.digest:
        raise Fault(Reason.CERTIFICATE_UNTRUSTED, "key identifiers of a delegate certificate do not match")


def _keys_match(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key identifiers, where both sides state them, agree (CRT-09)."""
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    subject = extension(issuer, x509.SubjectKeyIdentifier)
    if authority is None or authority.key_identifier is None or subject is None:
        return True
    return authority.key_identifier == subject.digest


class _Search:
    """Depth first from the anchors down, so that no signature is checked but with a key that is trusted already."""

    def __init__(self, chain: tuple[x509.Certificate, ...], anchors: TrustAnchors, now: UnixTime) -> None:
        self._chain = chain
        self._anchors = anchors
        self._now = now
        self._checks_left = _MOST_SIGNATURE_CHECKS
        self._best: Path | None = None
        self._fault = Fault(Reason.CERTIFICATE_UNTRUSTED, "no path to a trust anchor")

    def best(self) -> Path:
        """The best path; raises Fault."""
        for name in dict.fromkeys(certificate.issuer for certificate in self._chain):
            for anchor in self._anchors.named(name):
                self._descend(Path((anchor,), *validity(anchor)), _room(anchor, _MOST_CERTIFICATES), delegated=False)
        if self._best is None:
            raise self._fault
        return self._best

    def _descend(self, path: Path, room: int, delegated: bool) -> None:
        """Try everything a path's lowest certificate may have issued; ``room`` intermediates may follow it."""
        issuer = path.certificates[0]
        for certificate in self._chain:
            if certificate.issuer != issuer.subject or certificate in path.certificates:
                continue
            step = self._step(certificate, issuer, room)
            if step is None:
                continue
            first, last = validity(certificate)
            longer = Path((certificate, *path.certificates), max(path.not_before, first), min(path.not_after, last))
            if certificate is self._chain[0]:
                self._offer(longer, delegated or step)
            else:
                self._descend(longer, _room(certificate, room), delegated or step)

    def _step(self, certificate: x509.Certificate, issuer: x509.Certificate, room: int) -> bool | None:
        """None when one did not issue the other, or not what it must be; else whether it delegated."""
        if self._checks_left == 0 or not _keys_match(certificate, issuer):
            return None
        self._checks_left -= 1
        try:
            check_issued(certificate, issuer)
            if certificate is not self._chain[0]:
                check_authority(certificate)
                if room == 0 and not _self_issued(certificate):
                    raise Fault(Reason.CERTIFICATE_UNTRUSTED, "the path is longer than an authority allows")
            if not is_delegate(certificate, issuer):
                return False
            _check_pair(certificate, issuer)
        except InvalidSignature:
            self._fault = Fault(Reason.CERTIFICATE_UNTRUSTED, "a certificate's signature is not its issuer's")
            return None
        except Fault as fault:
            self._fault = fault
            return None
        return True

    def _offer(self, path: Path, delegated: bool) -> None:
        """Keep this path when it is valid now and the best was not, or when it lasts longer."""
        if delegated and path.certificates[:-1] != self._chain[: len(path.certificates) - 1]:
            self._fault = Fault(Reason.CERTIFICATE_UNTRUSTED, "the path of a delegate certificate is not in order")
            return
        if self._best is None or self._merit(path) > self._merit(self._best):
            self._best = path

    def _merit(self, path: Path) -> tuple[bool, int]:
        return path.not_before <= self._now <= path.not_after, path.not_after


def _room(certificate: x509.Certificate, room: int) -> int:
    """How many intermediates may follow an authority that had room itself (RFC 5280 §6.1.4 (l), (m))."""
    left = room if _self_issued(certificate) else room - 1
    constraints = extension(certificate, x509.BasicConstraints)
    length = None if constraints is None else constraints.path_length
    return left if length is None else min(left, length)


def _self_issued(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject

"""Which certificates were taken back: revocation lists, direct and indirect, and what they say (RFC 5280 §5, §6.3).

In the SHAKEN ecosystem one list, signed by the policy administrator, speaks about the certificates of every authority:
an *indirect* list, whose entries name the issuer they are about or inherit the name of the entry before (§5.3.3). Only
signers the operator configured may sign such a list. An authority's own list counts for its own certificates,
whatever names stand in it.

A call never waits for a list. The register holds what was read so far; a revoked certificate stays revoked when its
list is out of date, and whether *not known to be revoked* is good enough is the operator's choice (``hard``).
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from sipguard.stir.extensions import UNREADABLE, extension, validity
from sipguard.stir.passport import Fault
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

LARGEST = 8 * 1024 * 1024  # octets of a list
_KEPT_WITHOUT_AN_END = 24 * 3600  # seconds a list without nextUpdate counts as current
_CLOCK_SKEW = 300
_MOST_LISTS = 256
_FOREVER = UnixTime(1 << 62)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = frozenset((ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.AUTHORITY_KEY_IDENTIFIER))
_UNDERSTOOD_IN_ENTRIES = frozenset((CRLEntryExtensionOID.CERTIFICATE_ISSUER, CRLEntryExtensionOID.CRL_REASON))


@dataclass(frozen=True, slots=True)
class DistributionPoint:
    """Where a certificate's list is, and who signs it when that is not the certificate's issuer."""

    url: str
    crl_issuer: x509.Name | None


@dataclass(frozen=True, slots=True)
class Link:
    """What must be known of one certificate of a path to tell whether it was revoked."""

    issuer: x509.Certificate
    serial: int
    authority: bool  # whether it issues others
    point: DistributionPoint | None


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One list after its signature was checked. ``indirect``: it may speak about the certificates of any issuer."""

    issuer: x509.Name
    this_update: UnixTime
    next_update: UnixTime
    indirect: bool
    signers: bool  # it speaks about certificates of signers
    authorities: bool  # it speaks about certificates of authorities
    entries: frozenset[tuple[x509.Name, int]]

    def speaks_for(self, link: Link) -> bool:
        """Whether a certificate would be on this list if it were revoked."""
        if not (self.authorities if link.authority else self.signers):
            return False
        if link.point is not None and link.point.crl_issuer not in (None, self.issuer):
            return False
        return self.indirect or self.issuer == link.issuer.subject


def links_of(path: Sequence[x509.Certificate]) -> tuple[Link, ...]:
    """The links of a path from the signer's certificate to the anchor, which itself cannot be revoked."""
    return tuple(
        Link(issuer, certificate.serial_number, certificate is not path[0], _distribution_point(certificate))
        for certificate, issuer in pairwise(path)
    )


def _distribution_point(certificate: x509.Certificate) -> DistributionPoint | None:
    """The first distribution point with a URL (ATIS-1000080 wants exactly one, CRT-17)."""
    for point in extension(certificate, x509.CRLDistributionPoints) or ():
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier):
                issuers = [entry.value for entry in point.crl_issuer or () if isinstance(entry, x509.DirectoryName)]
                return DistributionPoint(name.value, issuers[0] if issuers else None)
    return None


def read_list(
    octets: bytes,
    administrators: Iterable[x509.Certificate],
    issuers: Iterable[x509.Certificate],
    now: UnixTime,
) -> RevocationList:
    """A list in DER or PEM; raises Fault when it must not be used.

    ``administrators`` may sign indirect lists; ``issuers`` are the authorities whose certificates name this list.
    """
    if len(octets) > LARGEST:
        raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list is too large")
    try:
        armoured = b"-----BEGIN" in octets[:4096]
        crl = x509.load_pem_x509_crl(octets) if armoured else x509.load_der_x509_crl(octets)
        indirect = any(_signed_by(crl, certificate, now) for certificate in administrators)
        if not indirect and not any(_signed_by(crl, certificate, now) for certificate in issuers):
            raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list is not signed by anybody who may")
        return _read(crl, indirect)
    except UNREADABLE:
        raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list cannot be read") from None


def _signed_by(crl: x509.CertificateRevocationList, signer: x509.Certificate, now: UnixTime) -> bool:
    if signer.subject != crl.issuer or not isinstance(crl.signature_hash_algorithm, _HASHES):
        return False
    usage = extension(signer, x509.KeyUsage)
    start, end = validity(signer)
    key = signer.public_key()
    if (usage is not None and not usage.crl_sign) or not start <= now <= end:
        return False
    return isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) and crl.is_signature_valid(key)


def _read(crl: x509.CertificateRevocationList, indirect: bool) -> RevocationList:
    for entry in crl.extensions:
        if entry.critical and entry.oid not in _UNDERSTOOD:  # a delta list is one of these
            raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list has a critical extension we don't know")
    scope = None
    with suppress(x509.ExtensionNotFound):
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    if scope is not None and (scope.only_contains_attribute_certs or scope.only_some_reasons):
        raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list is a partial one")
    this_update = UnixTime(int(crl.last_update_utc.timestamp()))
    end = crl.next_update_utc
    return RevocationList(
        issuer=crl.issuer,
        this_update=this_update,
        next_update=UnixTime(this_update + _KEPT_WITHOUT_AN_END if end is None else int(end.timestamp())),
        indirect=indirect,
        signers=scope is None or not scope.only_contains_ca_certs,
        authorities=scope is None or not scope.only_contains_user_certs,
        entries=frozenset(_entries(crl, indirect)),
    )


def _entries(crl: x509.CertificateRevocationList, indirect: bool) -> Iterable[tuple[x509.Name, int]]:
    """Issuer and serial number of every entry; the issuer is inherited from the entry before (RFC 5280 §5.3.3)."""
    issuer = crl.issuer
    for entry in crl:
        for part in entry.extensions:
            if isinstance(part.value, x509.CertificateIssuer):
                issuer = _directory_name(part.value)
            elif part.critical and part.oid not in _UNDERSTOOD_IN_ENTRIES:
                raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list has a critical extension we don't know")
        if indirect or issuer == crl.issuer:
            yield issuer, entry.serial_number


def _directory_name(names: x509.CertificateIssuer) -> x509.Name:
    for name in names:
        if isinstance(name, x509.DirectoryName):
            return name.value
    raise Fault(Reason.CERTIFICATE_STATUS, "an entry of the revocation list names no issuer")


class RevocationRegister:
    """The lists taken so far, by source. ``generation`` changes whenever an earlier judgement may be out of date."""

    def __init__(
        self,
        administrators: Sequence[x509.Certificate] = (),
        authorities: Sequence[x509.Certificate] = (),
        configured: str | None = None,
        *,
        hard: bool = False,
    ) -> None:
        """``administrators`` may sign lists about anybody's certificates, ``authorities`` about their own.

        ``configured`` is the one source to use in place of those that certificates name.
        ``hard``: a certificate that no current list speaks for is refused.
        """
        self._administrators = tuple(administrators)
        self._authorities = tuple(authorities)
        self.configured = configured
        self.hard = hard
        self.generation = 0
        self._lists: OrderedDict[str, RevocationList] = OrderedDict()

    def sources(self, links: Iterable[Link]) -> list[tuple[str, x509.Certificate]]:
        """The sources of these certificates' lists, each with an authority that may sign it."""
        return [(link.point.url, link.issuer) for link in links if self.configured is None and link.point is not None]

    def find(self, source: str) -> RevocationList | None:
        """The list of a source, current or not."""
        return self._lists.get(source)

    def read(self, octets: bytes, issuers: Sequence[x509.Certificate], now: UnixTime) -> RevocationList:
        """A list that ``issuers`` or those the register knows may sign; raises Fault. Changes nothing: lists are long,
        and this may be done in a thread."""
        return read_list(octets, self._administrators, (*self._authorities, *issuers), now)

    def put(self, source: str, crl: RevocationList, now: UnixTime) -> None:
        """Take a list; raises Fault when it is from the future, or older than the one it would replace."""
        known = self._lists.get(source)
        if crl == known:
            return
        if crl.this_update > now + _CLOCK_SKEW:
            raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list is from the future")
        if known is not None and crl.this_update < known.this_update:
            raise Fault(Reason.CERTIFICATE_STATUS, "the revocation list is older than the one we have")
        self._lists[source] = crl
        self._lists.move_to_end(source)
        if len(self._lists) > _MOST_LISTS:
            self._lists.popitem(last=False)
        self.generation += 1

    def judge(self, links: Sequence[Link], now: UnixTime) -> tuple[Reason | None, str, UnixTime]:
        """What speaks against a path, in detail, and until when that holds unless ``generation`` changes before.

        An entry on any list counts, also on one that is out of date.
        """
        for link in links:
            key = (link.issuer.subject, link.serial)
            if any(key in crl.entries for crl in self._lists.values()):
                return Reason.CERTIFICATE_REVOKED, "a certificate of the path was revoked", _FOREVER
        return self._demand(links, now) if self.hard else (None, "", _FOREVER)

    def _demand(self, links: Sequence[Link], now: UnixTime) -> tuple[Reason | None, str, UnixTime]:
        """Every certificate must be spoken for by a list that is current."""
        until = _FOREVER
        for link in links:
            crl = self._list_for(link)
            if crl is None:
                return Reason.CERTIFICATE_STATUS, "no revocation list speaks for a certificate of the path", _FOREVER
            if crl.next_update < now:
                return Reason.CERTIFICATE_STATUS, "a revocation list of the path is out of date", _FOREVER
            until = min(until, UnixTime(crl.next_update + 1))
        return None, "", until

    def _list_for(self, link: Link) -> RevocationList | None:
        """The list a certificate would be on; one that names none is spoken for by the most recent that covers it."""
        source = self.configured or (None if link.point is None else link.point.url)
        lists = self._lists.values() if source is None else filter(None, (self._lists.get(source),))
        speaking = [crl for crl in lists if crl.speaks_for(link)]
        return max(speaking, key=lambda crl: crl.next_update, default=None)

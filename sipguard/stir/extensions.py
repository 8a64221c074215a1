"""Reading the parts of one certificate that STIR cares about, each with the reason when it cannot be read.

The library parses lazily: whatever is read for the first time may raise one of ``UNREADABLE``. Callers that judge
strangers' certificates catch those around the whole of their work.
"""

from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from sipguard.errors import MalformedValue
from sipguard.stir import claim_constraints, tn_auth_list
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.passport import Fault
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_TN_AUTH_LIST = x509.ObjectIdentifier(tn_auth_list.OID)
_CONSTRAINTS = x509.ObjectIdentifier(claim_constraints.OID)
_ENHANCED_CONSTRAINTS = x509.ObjectIdentifier(claim_constraints.ENHANCED_OID)
_TN_LIST_BY_REFERENCE = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.14")  # id-ad-stirTNList
_UNDERSTOOD = frozenset(
    (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        _TN_AUTH_LIST,
        _CONSTRAINTS,
        _ENHANCED_CONSTRAINTS,
    )
)
_T = TypeVar("_T", bound=x509.ExtensionType)


def extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    """The value of an extension the library knows; None when there is none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def check_critical(certificate: x509.Certificate) -> None:
    """Every critical extension is one we act on (RFC 5280 §4.2); raises Fault."""
    for entry in certificate.extensions:
        if entry.critical and entry.oid not in _UNDERSTOOD:
            raise Fault(Reason.CERTIFICATE_UNTRUSTED, "a certificate has a critical extension we don't know")


def validity(certificate: x509.Certificate) -> tuple[UnixTime, UnixTime]:
    """First and last second in which a certificate is valid."""
    return (
        UnixTime(int(certificate.not_valid_before_utc.timestamp())),
        UnixTime(int(certificate.not_valid_after_utc.timestamp())),
    )


def read_tn_auth_list(leaf: x509.Certificate) -> TnAuthList:
    """The TN Authorization List of a certificate; raises Fault when it has none or a malformed one."""
    entries = find_tn_auth_list(leaf)
    if entries is None:
        raise Fault(Reason.CERTIFICATE_TN_LIST, "the certificate has no TNAuthList")
    return entries


def find_tn_auth_list(certificate: x509.Certificate) -> TnAuthList | None:
    """The TN Authorization List of a certificate, or None; raises Fault when it is malformed or somewhere else.

    A list by reference (RFC 8226 §10.1) is not followed: no call waits for it, and no certificate counts without it.
    """
    value = _unknown(certificate, _TN_AUTH_LIST)
    if value is None:
        _refuse_reference(certificate)
        return None
    try:
        return tn_auth_list.decode(value)
    except MalformedValue as error:
        raise Fault(Reason.CERTIFICATE_TN_LIST, str(error)) from None


def read_claim_constraints(leaf: x509.Certificate) -> ClaimConstraints | None:
    """What a certificate lets its holder claim; None when it does not say.

    Raises Fault when the extension is malformed, or when there are both kinds of it (RFC 9118 §6).
    """
    plain, enhanced = _unknown(leaf, _CONSTRAINTS), _unknown(leaf, _ENHANCED_CONSTRAINTS)
    if plain is not None and enhanced is not None:
        raise Fault(Reason.CERTIFICATE_MALFORMED, "the certificate has both kinds of JWT claim constraints")
    value = plain if enhanced is None else enhanced
    if value is None:
        return None
    try:
        return claim_constraints.decode(value, enhanced=enhanced is not None)
    except MalformedValue as error:
        raise Fault(Reason.CERTIFICATE_MALFORMED, str(error)) from None


def _unknown(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    """The octets of an extension the library has no class for."""
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return None
    if not isinstance(value, x509.UnrecognizedExtension):
        raise Fault(Reason.CERTIFICATE_MALFORMED, "an extension of STIR cannot be read")
    return value.value


def _refuse_reference(certificate: x509.Certificate) -> None:
    for access in extension(certificate, x509.AuthorityInformationAccess) or ():
        if access.access_method == _TN_LIST_BY_REFERENCE:
            location = access.access_location
            secure = isinstance(location, x509.UniformResourceIdentifier) and location.value[:8].lower() == "https://"
            detail = "is by reference, which is not followed" if secure else "is by reference, and not by https"
            raise Fault(Reason.CERTIFICATE_TN_REFERENCE, f"the TNAuthList {detail}")

"""A chain of certificates in words, and what of the SHAKEN profile it breaks (ATIS-1000080 §6.4.1; CRT-11 to CRT-17).

A finding is an *error* where a verifier refuses the certificate, and a *warning* where the profile asks for something
that certificates in use do without: 22 % of them, in a public survey, have another common name than the profile's.
The rules of refusal are those of ``stir.certificate``, so the two cannot differ.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sipguard.errors import CertificateError
from sipguard.stir.certificate import check_leaf
from sipguard.stir.certification_path import TrustAnchors, find_path
from sipguard.stir.extensions import (
    UNREADABLE,
    extension,
    find_tn_auth_list,
    read_claim_constraints,
    read_tn_auth_list,
    validity,
)
from sipguard.stir.fault import Fault
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime

_LEAST_SERIAL_BITS = 64
_T = TypeVar("_T", bound=x509.ExtensionType)
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign",
)  # fmt: skip


class Finding(NamedTuple):
    """Something a certificate breaks: ``level`` is error or warning, ``rule`` the requirement."""

    level: str
    rule: str
    text: str


def report_chain(chain: tuple[x509.Certificate, ...], now: UnixTime) -> list[dict[str, Any]]:
    """Facts and findings about every certificate, in the order they came in."""
    reports = []
    for place, certificate in enumerate(chain):
        above = chain[place + 1] if place + 1 < len(chain) else None
        try:
            facts = _facts(certificate, now)
            findings = [*_findings(certificate, place, now), *_order(certificate, above)]
        except UNREADABLE as error:
            facts, findings = {"subject": "unreadable"}, [Finding("error", "CRT-11", f"cannot be read: {error}")]
        if place == 0:
            findings += _path(chain, now)
        reports.append({**facts, "findings": [finding._asdict() for finding in dict.fromkeys(findings)]})
    return reports


def explain_tn_auth_list(entries: TnAuthList) -> list[str]:
    """The list in words."""
    lines = [f"service provider code {code}" for code in entries.service_provider_codes]
    for entry in entries.ranges:
        last = str(int(entry.start) + entry.count - 1).zfill(len(entry.start))
        lines.append(f"{entry.count} numbers, +{entry.start} to +{last}")
    lines += [f"number +{number}" if number.isdigit() else f"number {number}" for number in entries.numbers]
    return lines


def _path(chain: tuple[x509.Certificate, ...], now: UnixTime) -> Iterator[Finding]:
    """What keeps the chain from holding together, if its last certificate were trusted: signatures, delegation."""
    try:
        if len(chain) > 1:
            find_path(chain, TrustAnchors(chain[-1:]), now)
    except Fault as fault:
        yield Finding("error", "CRT-08" if "delegate" in fault.detail else "CRT-21", fault.detail)
    except CertificateError:
        return  # said about the last certificate itself
    except UNREADABLE:
        return  # said about the one that cannot be read


def _facts(certificate: x509.Certificate, now: UnixTime) -> dict[str, Any]:
    first, last = validity(certificate)
    constraints, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    policies = extension(certificate, x509.CertificatePolicies) or ()
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:X}",
        "not_before": _time(first),
        "not_after": _time(last),
        "state": "not yet valid" if now < first else "expired" if now > last else "valid",
        "days_left": (last - now) // 86400,
        "key": _key(certificate),
        "signature": certificate.signature_algorithm_oid._name,
        "authority": bool(constraints and constraints.ca),
        "path_length": constraints.path_length if constraints else None,
        "key_usage": [] if usage is None else [name for name in _USAGES if getattr(usage, name)],
        "policies": [policy.policy_identifier.dotted_string for policy in policies],
        "tn_auth_list": _explained_list(certificate),
        "claim_constraints": list(_explained_constraints(certificate)),
        "crl": list(_distribution_points(certificate)),
    }


def _findings(certificate: x509.Certificate, place: int, now: UnixTime) -> Iterator[Finding]:
    """Everything about one certificate; the first of a chain is the signer's."""
    constraints = extension(certificate, x509.BasicConstraints)
    authority = bool(constraints and constraints.ca)
    if place == 0:
        try:
            check_leaf(certificate)
        except Fault as fault:
            yield Finding("error", _rule(fault.detail), fault.detail)
    if place == 0 and not authority:
        try:
            yield from _list_findings(read_tn_auth_list(certificate), certificate)
        except Fault as fault:
            yield Finding("error", "CRT-04" if "reference" in fault.detail else "CRT-01", fault.detail)
        try:
            read_claim_constraints(certificate)
        except Fault as fault:
            yield Finding("error", "CRT-07" if "both" in fault.detail else "CRT-05", fault.detail)
    elif not authority:
        yield Finding("error", "CRT-21", "not an authority, so it issued nothing")
    else:
        try:
            TrustAnchors((certificate,))
        except CertificateError as error:
            yield Finding("error", "CRT-12", str(error).rpartition(": ")[2])
    first, last = validity(certificate)
    if not first <= now <= last:
        yield Finding("error", "CRT-21", "not yet valid" if now < first else "expired")
    yield from _profile(certificate)
    yield from _constraint_profile(certificate, authority)
    yield from _subject_profile(certificate, authority)
    if not authority:
        yield from _revocation_profile(certificate)


def _rule(detail: str) -> str:
    """The requirement a refusal of the verifier belongs to."""
    if "policy" in detail:
        return "CRT-16"
    return "CRT-12" if "authority" in detail or "must not sign" in detail else "CRT-11"


def _profile(certificate: x509.Certificate) -> Iterator[Finding]:
    digest = certificate.signature_hash_algorithm
    if certificate.signature_algorithm_oid != x509.SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        accepted = isinstance(digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512)
        name = certificate.signature_algorithm_oid._name
        yield Finding("warning" if accepted else "error", "CRT-11", f"signed with {name}, not ecdsa-with-SHA256")
    if certificate.serial_number.bit_length() < _LEAST_SERIAL_BITS - 8:  # random serials may begin with zeros
        yield Finding("warning", "CRT-11", "the serial number has fewer than 64 bits")
    identifier = extension(certificate, x509.SubjectKeyIdentifier)
    if identifier is None:
        yield Finding("warning", "CRT-13", "no subject key identifier")
    elif identifier.digest != x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest:
        yield Finding("warning", "CRT-13", "the subject key identifier is not the SHA-1 of the key")
    if extension(certificate, x509.AuthorityKeyIdentifier) is None and certificate.issuer != certificate.subject:
        yield Finding("warning", "CRT-13", "no authority key identifier")
    policies = _whole(certificate, x509.CertificatePolicies)
    if policies is None and certificate.issuer != certificate.subject:
        yield Finding("warning", "CRT-16", "no certificate policy")
    elif policies is not None and (len(policies.value) != 1 or policies.critical):
        yield Finding("warning", "CRT-16", "certificate policies are critical, or more than one")


def _constraint_profile(certificate: x509.Certificate, authority: bool) -> Iterator[Finding]:
    constraints, usage = _whole(certificate, x509.BasicConstraints), _whole(certificate, x509.KeyUsage)
    if constraints is None or not constraints.critical:
        yield Finding("warning", "CRT-12", "basic constraints are missing or not critical")
    if usage is None or not usage.critical:
        yield Finding("warning", "CRT-12", "key usage is missing or not critical")
    elif not authority and [name for name in _USAGES if getattr(usage.value, name)] != ["digital_signature"]:
        yield Finding("warning", "CRT-12", "key usage is not digital signature alone")


def _subject_profile(certificate: x509.Certificate, authority: bool) -> Iterator[Finding]:
    names = {attribute.oid: str(attribute.value) for attribute in certificate.subject}
    missing = [
        name
        for name, oid in (
            ("C", NameOID.COUNTRY_NAME),
            ("O", NameOID.ORGANIZATION_NAME),
            ("CN", NameOID.COMMON_NAME),
        )
        if oid not in names
    ]
    if missing:
        yield Finding("warning", "CRT-14", f"the subject has no {', '.join(missing)}")
    common_name = names.get(NameOID.COMMON_NAME, "")
    if authority and certificate.issuer == certificate.subject and "root" not in common_name.lower():
        yield Finding("warning", "CRT-14", "a root whose common name does not say so")


def _list_findings(entries: TnAuthList, certificate: x509.Certificate) -> Iterator[Finding]:
    codes = entries.service_provider_codes
    if entries.lists_numbers and not codes:
        return  # a delegate certificate names numbers instead (RFC 9060)
    if len(codes) != 1:
        yield Finding("warning", "CRT-15", f"{len(codes)} service provider codes; the profile wants one")
    for code in codes:
        if not (code.isascii() and code.isalnum() and code == code.upper()):
            yield Finding("warning", "CRT-15", f"service provider code {code} is not digits and capitals")
    names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if codes and names != [f"SHAKEN {codes[0]}"]:
        yield Finding("warning", "CRT-14", f'the common name is not "SHAKEN {codes[0]}"')


def _revocation_profile(certificate: x509.Certificate) -> Iterator[Finding]:
    points = list(extension(certificate, x509.CRLDistributionPoints) or ())
    if len(points) != 1:
        yield Finding("warning", "CRT-17", f"{len(points)} CRL distribution points; the profile wants one")
        return
    urls = [name.value for name in points[0].full_name or () if isinstance(name, x509.UniformResourceIdentifier)]
    if not any(url.startswith(("http://", "https://")) for url in urls):
        yield Finding("warning", "CRT-17", "the CRL distribution point has no HTTP URL")
    if not points[0].crl_issuer:
        yield Finding("warning", "CRT-17", "the CRL distribution point names no issuer: not the policy administrator's")


def _order(certificate: x509.Certificate, above: x509.Certificate | None) -> Iterator[Finding]:
    """A chain goes upwards without gaps (RFC 9060 §7); a verifier sorts what it needs, others may not."""
    if above is None:
        return
    if certificate.issuer != above.subject:
        yield Finding("warning", "CRT-09", "the next certificate of the chain is not its issuer's")
        return
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    subject = extension(above, x509.SubjectKeyIdentifier)
    if authority is not None and subject is not None and authority.key_identifier not in (None, subject.digest):
        yield Finding("error", "CRT-09", "the authority key identifier is not that of the next certificate")


def _explained_list(certificate: x509.Certificate) -> list[str]:
    try:
        entries = find_tn_auth_list(certificate)
    except Fault as fault:
        return [str(fault)]
    return [] if entries is None else explain_tn_auth_list(entries)


def _explained_constraints(certificate: x509.Certificate) -> Iterator[str]:
    try:
        constraints = read_claim_constraints(certificate)
    except Fault:
        return  # among the findings
    if constraints is None:
        return
    yield from (f"a token must have the claim {name}" for name in constraints.must_include)
    yield from (f"a token must not have the claim {name}" for name in constraints.must_exclude)
    for name, values in constraints.permitted_values:
        yield f"the claim {name} must be one of {', '.join(sorted(values))}"


def _distribution_points(certificate: x509.Certificate) -> Iterator[str]:
    for point in extension(certificate, x509.CRLDistributionPoints) or ():
        urls = " ".join(str(name.value) for name in point.full_name or ())
        issuers = [
            name.value.rfc4514_string() for name in point.crl_issuer or () if isinstance(name, x509.DirectoryName)
        ]
        yield f"{urls}, signed by {'; '.join(issuers)}" if issuers else urls


def _whole(certificate: x509.Certificate, kind: type[_T]) -> x509.Extension[_T] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__


def _time(moment: UnixTime) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")

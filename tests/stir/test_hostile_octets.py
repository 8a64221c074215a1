"""Certificates with every extension, constraints, revocation and trust lists, damaged in any way: never a crash."""

from functools import cache

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.errors import CertificateError, MalformedValue
from sipguard.stir.certificate import Credential
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.claim_constraints import ClaimConstraints, decode, encode
from sipguard.stir.fault import Fault
from sipguard.stir.revocation import RevocationList, read_list
from sipguard.stir.tn_auth_list import NumberRange, TnAuthList
from sipguard.stir.trust_list import TrustList, read_trust_list
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.policy_administrator import Revoked, Scope, issue_list, issue_trust_list, make_administrator
from sipguard.testing.sti_ca import Issued, Shape
from tests.stir.kit import NOW, ORIG, anchors, authority

CONSTRAINTS = ClaimConstraints(("a",), (("b", frozenset(("c", "d"))),), ("e",))
LISTED = TnAuthList(("1234",), (NumberRange(ORIG, 10),), (ORIG,))


@cache
def administrator() -> Issued:
    """Who signs lists."""
    return make_administrator(NOW)


@cache
def certificate() -> bytes:
    """A certificate with every extension we read."""
    shape = Shape(
        entries=LISTED,
        constraints=CONSTRAINTS,
        tn_list_url="https://lists.example/tn",
        crl_url="https://policy-administrator.example/crl",
        crl_issuer=administrator().certificate.subject,
    )
    return authority().issue_below(authority().root, shape).certificate.public_bytes(Encoding.DER)


@cache
def crl() -> bytes:
    """A list with several issuers."""
    entries = [
        Revoked(1, authority().root.certificate.subject),
        Revoked(2),
        Revoked(3, administrator().certificate.subject),
    ]
    return issue_list(administrator(), entries, NOW, scope=Scope(indirect=True))


def damage(octets: bytes, position: int, change: bytes) -> bytes:
    """The octets with some of them replaced."""
    position %= len(octets)
    return octets[:position] + change + octets[position + len(change) :]


@pytest.mark.clause("VS-37", "CRT-05", "CRT-17")
@settings(deadline=None)
@given(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=6))
def test_any_damaged_certificate_is_an_outcome(position: int, change: bytes) -> None:
    """A credential or a failure with a reason."""
    octets = damage(certificate(), position, change)
    outcome = CertificateCache().store("https://a.example/", octets, UnixTime(NOW + 60), NOW, anchors())
    assert isinstance(outcome, Credential | CertificateFailure)
    assert octets == certificate() or isinstance(outcome, CertificateFailure)


@pytest.mark.clause("CRT-18")
@settings(deadline=None)
@given(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=6))
def test_any_damaged_list_is_refused(position: int, change: bytes) -> None:
    """No octet of a list can be changed without anybody noticing."""
    octets = damage(crl(), position, change)
    trusted = (administrator().certificate,)
    if octets == crl():
        assert isinstance(read_list(octets, trusted, (), NOW), RevocationList)
    else:
        with pytest.raises(Fault):
            read_list(octets, trusted, (), NOW)


@pytest.mark.clause("CRT-05", "CRT-06")
@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_octets_are_constraints_or_refused(octets: bytes) -> None:
    """Also what begins like some."""
    for data in (octets, encode(CONSTRAINTS)[: len(octets)] + octets):
        for enhanced in (True, False):
            try:
                decode(data, enhanced=enhanced)
            except MalformedValue:
                continue


@pytest.mark.clause("CRT-20")
@settings(deadline=None)
@given(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4))
def test_any_damaged_trust_list_is_refused(position: int, change: bytes) -> None:
    """One clear error, whatever was changed."""
    token = issue_trust_list(administrator(), [authority().root.certificate], sequence=1, expires=NOW + 1)
    octets = damage(token, position, change)
    try:
        assert isinstance(read_trust_list(octets, (administrator().certificate,), NOW), TrustList)
        assert octets.strip() == token
    except CertificateError:
        assert octets != token

"""The policy administrator's list of trusted authorities (CRT-20)."""

import json
from typing import Any

import pytest

from sipguard.errors import CertificateError
from sipguard.stir import base64url
from sipguard.stir.trust_list import is_trust_list, read_trust_list
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.policy_administrator import issue_trust_list, make_administrator
from sipguard.testing.sti_ca import DAY, Shape, StiCa
from tests.stir.kit import NOW, authority, segment, sign

ADMINISTRATOR = make_administrator(NOW)
TRUSTED = (ADMINISTRATOR.certificate,)
ROOTS = (authority().root.certificate, StiCa.create(NOW, name="OTHER").root.certificate)


def token(sequence: int = 3, expires: int = NOW + DAY, **changes: Any) -> bytes:
    """A good list, unless something is changed."""
    return issue_trust_list(ADMINISTRATOR, ROOTS, sequence=sequence, expires=expires, **changes)


def signed(claims: object) -> bytes:
    """Any claims with the administrator's signature."""
    return sign({"alg": "ES256", "typ": "JWT"}, claims, ADMINISTRATOR.key).encode()


@pytest.mark.clause("CRT-20")
def test_a_list_that_the_administrator_signed_counts() -> None:
    """Its authorities, edition and end; the certificates may be PEM as well."""
    listed = read_trust_list(token() + b"\n", TRUSTED, NOW)
    assert listed == (3, NOW + DAY, ROOTS)
    pem = authority().root.certificate_pem.decode()
    claims = {"sequence": 1, "exp": NOW + 1, "trustList": [pem]}
    assert read_trust_list(signed(claims), TRUSTED, NOW).certificates == ROOTS[:1]


@pytest.mark.clause("CRT-20")
def test_nobody_else_signs_it() -> None:
    """Not another key, not one that has expired, no other algorithm, no changed octet."""
    for octets, trusted, now in (
        (token(), (make_administrator(NOW).certificate,), NOW),
        (token(), (), NOW),
        (token(expires=NOW + 1000 * DAY), TRUSTED, UnixTime(NOW + 999 * DAY)),
        (token(algorithm="none"), TRUSTED, NOW),
        (token(algorithm="HS256"), TRUSTED, NOW),
        (token()[:-4] + b"AAAA", TRUSTED, NOW),
        (token().replace(b".", b".A", 1), TRUSTED, NOW),
    ):
        with pytest.raises(CertificateError):
            read_trust_list(octets, trusted, now)


@pytest.mark.clause("CRT-20")
def test_an_expired_list_does_not_count() -> None:
    """It ends with exp."""
    assert read_trust_list(token(expires=NOW + 1), TRUSTED, NOW).expires == NOW + 1
    with pytest.raises(CertificateError, match="expired"):
        read_trust_list(token(expires=NOW), TRUSTED, NOW)


@pytest.mark.clause("CRT-20")
@pytest.mark.parametrize(
    "claims",
    [
        [],
        b"{",
        {},
        {"sequence": "1", "exp": NOW + 1, "trustList": ["x"]},
        {"sequence": True, "exp": NOW + 1, "trustList": ["x"]},
        {"sequence": 1, "exp": NOW + 1, "trustList": []},
        {"sequence": 1, "exp": NOW + 1, "trustList": ["x"]},
        {"sequence": 1, "exp": NOW + 1, "trustList": [7]},
        {"sequence": 1, "exp": NOW + 1, "trustList": ["-----BEGIN CERTIFICATE-----"]},
        {"sequence": 1, "exp": NOW + 1, "trustList": ["AAAA"]},
    ],
)
def test_a_list_that_is_none_is_one_clear_error(claims: object) -> None:
    """Even the administrator's signature makes no list of it."""
    with pytest.raises(CertificateError, match="trust list"):
        read_trust_list(signed(claims), TRUSTED, NOW)


@pytest.mark.parametrize("octets", [b"", b"a.b.c", b"..", b"\xff.\xff.\xff", b"ey" * 600_000])
def test_other_octets_are_no_token(octets: bytes) -> None:
    """Nothing raises anything else."""
    with pytest.raises(CertificateError):
        read_trust_list(octets, TRUSTED, NOW)


def test_a_token_is_told_from_pem() -> None:
    """By its first octets and its dots."""
    assert is_trust_list(token())
    assert not is_trust_list(authority().anchors_pem)
    assert json.loads(base64url.decode(token().decode().split(".")[0]))["alg"] == "ES256"
    assert segment({"alg": "ES256"})[:2] == "ey"


def test_the_administrator_has_a_p256_key() -> None:
    """ES256 is made with no other."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from sipguard.testing.sti_ca import build, make_name

    key = ec.generate_private_key(ec.SECP384R1())
    other = build(make_name("TEST"), key, make_name("TEST"), key, Shape(), NOW, DAY)
    with pytest.raises(CertificateError, match="not signed by the policy administrator"):
        read_trust_list(token(), (other,), NOW)

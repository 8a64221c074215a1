"""Signing (RFC 8224 §4, §6.1, RFC 8225 §9, RFC 8588)."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from sipguard.errors import CertificateError
from sipguard.stir import base64url
from sipguard.stir.authentication import Signer, load_signer
from sipguard.stir.claim_constraints import ClaimConstraints
from sipguard.stir.identity_header import parse_identity
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.stir.verification import VerificationService
from sipguard.testing.sti_ca import DAY, Issued, Shape
from tests.stir.kit import (
    DEST,
    NOW,
    ORIG,
    ORIGID,
    URL,
    anchors,
    authority,
    filled_cache,
    identity,
    judge,
    leaf,
    segment,
    signalling,
    signer,
)


@pytest.mark.clause("PPT-01", "AS-12", "AS-21", "RFC 8225 9", "RFC 8588 8")
def test_what_is_signed_is_canonical() -> None:
    """Header and claims in lexicographic order, without white space; x5u and ppt repeat the parameters."""
    token, parameters = parse_identity(identity())
    header, payload, _ = token.split(".")
    assert base64url.decode(header).decode() == ('{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"' + URL + '"}')
    assert base64url.decode(payload).decode() == (
        f'{{"attest":"A","dest":{{"tn":["{DEST}"]}},"iat":{NOW},"orig":{{"tn":"{ORIG}"}},"origid":"{ORIGID}"}}'
    )
    assert parameters == (URL, "ES256", "shaken")


@pytest.mark.clause("AS-27")
def test_another_implementation_verifies_it() -> None:
    """PyJWT accepts the token as ES256 with the certificate's key; the signature is 64 octets."""
    token, _ = parse_identity(identity(attest="B"))
    claims = jwt.decode(token, leaf().key.public_key(), algorithms=["ES256"], options={"verify_iat": False})  # type: ignore[arg-type]
    assert claims == {
        "attest": "B",
        "dest": {"tn": [DEST]},
        "iat": NOW,
        "orig": {"tn": ORIG},
        "origid": ORIGID,
    }
    assert len(base64url.decode(token.rpartition(".")[2])) == 64


def _fresh() -> Signer:
    """A signer that has signed nothing yet."""
    return load_signer("default", leaf().chain_pem, leaf().key_pem, URL, NOW)


@pytest.mark.clause("AS-27", "RFC 6979")
def test_the_same_claims_give_the_same_signature() -> None:
    """The nonce is derived from key and message, so a bad random source cannot leak the key."""
    claims = (ORIG, [DEST], "A", ORIGID)
    assert _fresh().sign_shaken(*claims, NOW) == _fresh().sign_shaken(*claims, NOW)
    assert _fresh().sign_shaken(*claims, NOW) != _fresh().sign_shaken(*claims, UnixTime(NOW + 1))


@pytest.mark.clause("VS-12", "AS-27")
def test_two_calls_in_one_second_carry_different_tokens() -> None:
    """The same claims asked for twice are signed afresh, so that no replay cache refuses the second call."""
    signer = _fresh()
    tokens = [signer.sign_shaken(ORIG, [DEST], "A", ORIGID, iat) for iat in (NOW, UnixTime(NOW + 1), NOW, NOW)]
    assert len(set(tokens)) == 4
    service = VerificationService(anchors())
    for call_id, token in enumerate(tokens):
        verdict = service.verify([token], signalling(call_id=str(call_id)), filled_cache(), NOW)
        assert isinstance(verdict, Verdict)
        assert verdict.reason is None


def test_what_was_signed_long_ago_is_forgotten() -> None:
    """A signer remembers a bounded number of claims."""
    signer = _fresh()
    first = signer.sign_shaken(ORIG, [DEST], "A", "", NOW)
    for number in range(2 * 5000):
        signer.sign_shaken(ORIG, [DEST], "A", str(number), NOW)
    assert signer.sign_shaken(ORIG, [DEST], "A", "", NOW) == first


@pytest.mark.clause("PPT-05")
def test_several_destinations_are_sorted() -> None:
    """dest holds every called number, in order."""
    token, _ = parse_identity(identity(dest=[TN("2"), TN("12"), TN("*67")]))
    assert json.loads(base64url.decode(token.split(".")[1]))["dest"] == {"tn": ["*67", "12", "2"]}


@pytest.mark.clause("EMG-13", "PPT-05", "RFC 9027 3")
@pytest.mark.parametrize("urn", ["urn:service:sos", 'urn:service:sos."],"x":["\\'])
def test_a_service_is_called_by_its_urn(urn: str) -> None:
    """A destination that is no number is a uri, whatever somebody wrote into it."""
    token, _ = parse_identity(signer().sign_shaken(ORIG, (urn,), "A", ORIGID, NOW))
    assert json.loads(base64url.decode(token.split(".")[1]))["dest"] == {"uri": [urn]}


@pytest.mark.clause("AS-20")
def test_the_full_form_is_written() -> None:
    """SHAKEN never uses the compact form."""
    assert not parse_identity(identity()).compact


def test_our_own_verification_accepts_every_level() -> None:
    """What is signed here is verified here."""
    for level in "ABC":
        assert judge([identity(attest=level)]).attest == level


@pytest.mark.clause("CRT-01")
def test_a_signer_knows_its_certificate() -> None:
    """Provider code and validity are those of the chain."""
    assert (signer().name, signer().spc, signer().url) == ("default", "1234", URL)
    assert signer().not_after == NOW + 30 * DAY
    assert signer().valid_at(NOW)
    assert not signer().valid_at(UnixTime(NOW + 31 * DAY))


def _refused(issued: Issued, because: str, url: str = URL, key_pem: bytes | None = None) -> None:
    with pytest.raises(CertificateError, match=because) as caught:
        load_signer("main", issued.chain_pem, issued.key_pem if key_pem is None else key_pem, url, NOW)
    assert "\n" not in str(caught.value)
    assert "PRIVATE" not in str(caught.value)
    assert str(caught.value).startswith("certificate 'main': ")


@pytest.mark.clause("AS-05", "AS-29")
def test_what_cannot_sign_is_found_when_it_is_loaded() -> None:
    """A key that does not match, an expired or foreign certificate, a bad URL: one line, without key material."""
    issue = authority().issue
    _refused(leaf(), "does not belong", key_pem=issue().key_pem)
    _refused(issue(Shape(not_after=UnixTime(NOW - 1))), "expired")
    _refused(issue(Shape(not_before=UnixTime(NOW + 1))), "not yet valid")
    _refused(issue(Shape(entries=None)), "TNAuthList")
    _refused(issue(Shape(authority=True)), "authority")
    _refused(issue(key=ec.generate_private_key(ec.SECP384R1())), "P-256")
    _refused(leaf(), "PEM private key", key_pem=b"")
    _refused(leaf(), "PEM private key", key_pem=leaf().certificate_pem)
    _refused(Issued(leaf().certificate, authority().issue().key), "does not belong")
    encrypted = leaf().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    _refused(leaf(), "unencrypted", key_pem=encrypted)
    for url in ("http://a.example/c", "https://a.example/c?x", "https://a.example/c#x", 'https://a.example/"', "x"):
        _refused(leaf(), "URL", url=url)
    with pytest.raises(CertificateError, match="neither PEM nor DER"):
        load_signer("main", b"", leaf().key_pem, URL, NOW)


@pytest.mark.clause("AS-29")
def test_the_key_is_not_in_the_representation() -> None:
    """Printing a signer shows nothing of the key."""
    assert "PRIVATE" not in repr(signer())
    assert not hasattr(signer(), "key")


def limited(**shape: Any) -> Signer:
    """A signer whose certificate has this shape."""
    issued = authority().issue(Shape(**shape))
    return load_signer("limited", issued.chain_pem, issued.key_pem, URL, NOW)


@pytest.mark.clause("CRT-05", "CRT-06", "RFC 8226 8")
def test_a_signer_keeps_to_its_constraints() -> None:
    """What a verifier would refuse is not signed: a value, a missing claim, a forbidden one; of other types as well."""
    only_b = limited(constraints=ClaimConstraints((), (("attest", frozenset("BC")),)))
    assert only_b.sign_shaken(ORIG, [DEST], "B", ORIGID, NOW)
    with pytest.raises(CertificateError, match="does not permit this value"):
        only_b.sign_shaken(ORIG, [DEST], "A", ORIGID, NOW)
    demanding = limited(constraints=ClaimConstraints(("confidence",)))
    with pytest.raises(CertificateError, match="demands the claim"):
        demanding.sign_shaken(ORIG, [DEST], "A", ORIGID, NOW)
    assert demanding.signature(f"e30.{segment({'confidence': 'high'})}")
    with pytest.raises(CertificateError, match="demands the claim"):
        demanding.signature(f"e30.{segment({'iat': NOW})}")


@pytest.mark.clause("CRT-03", "CRT-10", "RFC 9060 5")
def test_a_signer_knows_its_numbers() -> None:
    """A certificate that lists numbers covers those; one with a provider code covers what its provider has."""
    one = limited(entries=TnAuthList((), (), (ORIG,)))
    assert one.covers(ORIG)
    assert not one.covers(DEST)
    assert limited().covers(DEST)


@pytest.mark.clause("CRT-10", "RFC 9060 5")
def test_a_delegate_outside_its_parent_signs_nothing() -> None:
    """It is refused when it is loaded: every verifier would refuse its tokens."""
    shape = Shape(entries=TnAuthList((), (), (ORIG,)), authority=True, digital_signature=False, cert_sign=True)
    parent = authority().issue_below(authority().root, shape, common_name="SHAKEN parent")
    for entries, good in ((TnAuthList((), (), (ORIG,)), True), (TnAuthList((), (), (ORIG, DEST)), False)):
        issued = authority().issue_below(parent, Shape(entries=entries))
        if good:
            assert load_signer("delegate", issued.chain_pem, issued.key_pem, URL, NOW).url == URL
        else:
            with pytest.raises(CertificateError, match="reaches further than its parent"):
                load_signer("delegate", issued.chain_pem, issued.key_pem, URL, NOW)

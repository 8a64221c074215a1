"""Token contents (RFC 8225, RFC 8588) beyond the fault table."""

import pytest

from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.claims import ShakenClaims
from sipguard.stir.passport import Fault, read_claims, read_header
from sipguard.stir.verdict import Reason, Verdict
from tests.stir.kit import (
    CLAIMS,
    DEST,
    HEADER,
    NOW,
    ORIG,
    ORIGID,
    URL,
    ask,
    changed,
    field,
    segment,
    sign,
)


def test_a_header_is_read() -> None:
    """Order and unknown members don't matter; ppt may be absent."""
    assert read_header(segment(HEADER)) == ("shaken", URL)
    assert read_header(segment({"x5u": URL, "kid": "1", "typ": "passport", "alg": "ES256"})) == (None, URL)


@pytest.mark.clause("PPT-09", "PPT-10")
def test_claims_we_do_not_know_are_ignored() -> None:
    """Extensions only add: the base claims are read as before."""
    extra = {**CLAIMS, "confidence": "high", "zzz": [[["x"]]], "Zoë": None}
    claims = read_claims(segment(extra), "shaken")
    assert claims._replace(members=CLAIMS) == read_claims(segment(CLAIMS), "shaken")
    assert claims.members == extra


@pytest.mark.clause("PPT-04")
def test_several_destinations_of_both_kinds() -> None:
    """dest may hold numbers and URIs."""
    claims = read_claims(
        segment(changed(CLAIMS, {"dest": {"tn": [DEST, "911"], "uri": ["sip:bob@example.com"]}})), "shaken"
    )
    assert (claims.dest_tn, claims.dest_uri) == ((DEST, "911"), ("sip:bob@example.com",))
    assert (claims.orig_tn, claims.orig_uri, claims.own) == (ORIG, None, ShakenClaims("A", ORIGID, None))


@pytest.mark.clause("PIT-6")
def test_a_dest_that_is_not_an_array_is_refused_as_in_rfc_8946() -> None:
    """The div-o example has dest.tn as a string: the rule, not the example, decides."""
    with pytest.raises(Fault) as caught:
        read_claims(segment(changed(CLAIMS, {"dest": {"tn": "12155551214"}})), "shaken")
    assert caught.value.reason is Reason.CLAIMS


@pytest.mark.clause("PIT-13")
def test_orig_and_dest_as_json_strings_are_refused() -> None:
    """The reference library writes them as strings that hold JSON."""
    for name, text in (("orig", f'{{"tn":"{ORIG}"}}'), ("dest", f'{{"tn":["{DEST}"]}}')):
        with pytest.raises(Fault):
            read_claims(segment(changed(CLAIMS, {name: text})), "shaken")


@pytest.mark.clause("PIT-3")
@pytest.mark.parametrize("text", ['{"attest":"A" "dest":{}}', '{"dest":{"tn":["1"],"iat":1}'])
def test_printed_objects_without_commas_or_braces_are_not_json(text: str) -> None:
    """RFC 8225 9.1 and RFC 8588 6 print such objects."""
    with pytest.raises(Fault) as caught:
        read_claims(segment(text), "shaken")
    assert caught.value.reason is Reason.MALFORMED_TOKEN


@pytest.mark.clause("PIT-4", "VS-08")
def test_info_and_x5u_differ_in_the_rfc_8224_example() -> None:
    """RFC 8224 4.1.1 prints one location in info and another in x5u: refused, and neither is fetched."""
    header = {"alg": "ES256", "typ": "passport", "x5u": "https://cert.example.org/passport.cer"}
    claims = {"dest": {"uri": ["sip:alice@example.com"]}, "iat": NOW, "orig": {"tn": ORIG}}
    value = field(sign(header, claims), ";info=<https://biloxi.example.org/biloxi.cert>")
    verdict = ask([value], CertificateCache(), dest=(), to_uri="sip:alice@example.com")
    assert isinstance(verdict, Verdict)
    assert verdict.reason is Reason.INFO_MISMATCH

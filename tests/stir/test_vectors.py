"""Every published and derived vector gives its expected result (``tests/stir/vectors``).

The tokens come with their keys; a TEST authority vouches for each key at the vector's time, so that everything but the
vector itself is in order. What another PASSporT type decides is expected to fail until that type is in the table.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sipguard.errors import MalformedValue
from sipguard.stir import base64url, claim_constraints, tn_auth_list
from sipguard.stir.certificate import load_anchors, read_claim_constraints, read_tn_auth_list
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.strict_json import parse_object
from sipguard.stir.tn_auth_list import NumberRange
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason, Verdict, Verstat
from sipguard.stir.verification import Signalling, VerificationService
from sipguard.testing.sti_ca import StiCa

DIRECTORY = Path(__file__).parent / "vectors"
LATER = pytest.mark.xfail(strict=True, reason="this PASSporT type or constraint is not in the type table yet")

EXPECTED: dict[str, Any] = {
    "derived-shaken-valid": None,
    "derived-sig-high-s": None,
    "derived-whitespace": None,
    "derived-unsorted": None,
    "derived-rcd-in-shaken": None,
    "derived-alg-hs256-pubkey": Reason.ALGORITHM,
    "derived-alg-none": Reason.ALGORITHM,
    "derived-attest-lower": Reason.CLAIMS,
    "derived-attest-missing": Reason.CLAIMS,
    "derived-dest-empty": Reason.CLAIMS,
    "derived-dest-string": Reason.CLAIMS,
    "derived-iat-bool": Reason.CLAIMS,
    "derived-iat-missing": Reason.CLAIMS,
    "derived-iat-string": Reason.CLAIMS,
    "derived-orig-array": Reason.CLAIMS,
    "derived-origid-missing": Reason.CLAIMS,
    "derived-nested-deep": Reason.MALFORMED_TOKEN,
    "derived-sig-63": Reason.MALFORMED_TOKEN,
    "derived-sig-65": Reason.MALFORMED_TOKEN,
    "derived-sig-empty": Reason.MALFORMED_TOKEN,
    "derived-sig-junk-chars": Reason.MALFORMED_TOKEN,
    "derived-sig-std-alphabet": Reason.MALFORMED_TOKEN,
    "derived-sig-trailing-bits": Reason.MALFORMED_TOKEN,
    "derived-two-segments": Reason.MALFORMED_TOKEN,
    "derived-unsupported-ppt": Reason.UNSUPPORTED_PPT,
    "derived-x5u-fragment": Reason.X5U_REFUSED,
    "derived-x5u-http": Reason.X5U_REFUSED,
    "derived-x5u-loopback": Reason.X5U_REFUSED,
    "derived-x5u-query": Reason.X5U_REFUSED,
    "derived-x5u-userinfo": Reason.X5U_REFUSED,
    # Published examples with known defects: they must be refused, whatever their RFC says about them.
    "rfc8224-5.1-compact": Reason.COMPACT_FORM,
    "rfc8225-7.1-full": Reason.PPT_MISMATCH,
    "rfc8225-A1-as-key": Reason.PPT_MISMATCH,
    "rfc8225-appendix-A": Reason.PPT_MISMATCH,
    "rfc8688-jcard-jws": Reason.MALFORMED_TOKEN,
    "rfc8688-shaken": Reason.X5U_REFUSED,
    "rfc8816-oob": Reason.PPT_MISMATCH,
}
# What the other types will decide: None is "passed", True is "refused as invalid".
EXPECTED_LATER: dict[str, Any] = {
    "derived-div-orig-changed": True,
    "derived-rcd-bad-digest": True,
    "derived-rcd-good": None,
    "derived-rcd-jcd-and-jcl": True,
    "mky-derived-8225-9.1": None,
    "rfc8443-rph": True,
    "rfc8946-base": None,
    "rfc8946-div": True,
    "rfc8946-div-o": True,
}
CERTIFICATES = {"rfc9118-cert"}


def load(name: str) -> Any:
    """One vector file."""
    return json.loads((DIRECTORY / f"{name}.json").read_text())


@cache
def authority(now: UnixTime) -> StiCa:
    """The authority that vouches for the keys of a time."""
    return StiCa.create(now)


def field_of(vector: dict[str, Any]) -> tuple[str, str]:
    """The field value that carries a vector's token, and the URL its certificate is at."""
    if "identity_header" in vector:
        value = str(vector["identity_header"])
        return value, value.partition("<")[2].partition(">")[0]
    segments = vector["token"].split(".")
    try:
        header = json.loads(base64url.decode(segments[0]))
    except ValueError:
        header = {}
    url = header.get("x5u", "https://www.example.com/cert.cer")
    ppt = f";ppt={header['ppt']}" if "ppt" in header else ""
    return f"{vector['token']};info=<{url}>;alg=ES256{ppt}", url


def judge(vector: dict[str, Any]) -> Verdict:
    """The verdict at the vector's time, its certificate trusted, its numbers those of the call."""
    now = UnixTime(vector.get("valid_at") or 1443208345)
    value, url = field_of(vector)
    anchors = load_anchors(authority(now).anchors_pem)
    cache_ = CertificateCache()
    key = vector.get("private_key_pem")
    issued = authority(now).issue(key=load_pem_private_key(key.encode(), None) if key else None)  # type: ignore[arg-type]
    cache_.store(url, issued.chain_pem, UnixTime(now + 60), now, anchors)
    try:
        payload = json.loads(vector.get("payload_json") or "{}")
    except (ValueError, RecursionError):
        payload = {}
    orig, dest = payload.get("orig", {}), payload.get("dest", {})
    numbers = dest.get("tn", [])
    request = (
        Signalling(
            (orig.get("tn", ""),), tuple(numbers) if isinstance(numbers, list) else (numbers,), "vector@example.com"
        )
        if isinstance(orig.get("tn", ""), str)
        else Signalling((), (), "vector@example.com")
    )
    verdict = VerificationService(anchors).verify([value], request, cache_, now)
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.clause(
    "PPT-02",
    "PPT-03",
    "PPT-04",
    "PPT-07",
    "PPT-12",
    "PPT-13",
    "PPT-14",
    "VS-03",
    "VS-07",
    "VS-14",
    "VS-31",
    "PIT-1",
    "PIT-2",
    "PIT-5",
    "PIT-8",
    "PIT-9",
)
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_vector_gives_its_expected_result(name: str) -> None:
    """A vector passes, or is refused for the reason that its file states."""
    verdict = judge(load(name))
    assert verdict.reason is EXPECTED[name], verdict.best.detail
    if EXPECTED[name] is Reason.UNSUPPORTED_PPT:
        assert verdict.verstat is Verstat.NONE
    else:
        assert verdict.verstat is (Verstat.PASSED if EXPECTED[name] is None else Verstat.FAILED)


@LATER
@pytest.mark.parametrize("name", sorted(EXPECTED_LATER))
def test_a_vector_of_another_type_gives_its_expected_result(name: str) -> None:
    """Base, div, rph and rcd PASSporTs pass or are refused as their files state."""
    verdict = judge(load(name))
    assert verdict.verstat is (Verstat.FAILED if EXPECTED_LATER[name] else Verstat.PASSED)


@pytest.mark.parametrize("name", sorted(EXPECTED_LATER))
def test_a_type_we_do_not_understand_is_never_passed(name: str) -> None:
    """Until then none of them counts as a verified call."""
    assert judge(load(name)).verstat is not Verstat.PASSED


def test_no_vector_is_left_out() -> None:
    """Every vector in the index has its place in a table of this file."""
    names = {entry["name"] for entry in load("index")}
    assert names == EXPECTED.keys() | EXPECTED_LATER.keys() | CERTIFICATES


@pytest.mark.clause("PPT-01", "PIT-1")
def test_the_appendix_a_serialisation() -> None:
    """RFC 8225 Appendix A: header and payload encode as printed (its signature verifies with neither printed key)."""
    vector = load("rfc8225-appendix-A")
    assert base64url.encode(vector["header_json"].encode()) == vector["serialisation_expected"]["header_b64"]
    assert base64url.encode(vector["payload_json"].encode()) == vector["serialisation_expected"]["payload_b64"]


@pytest.mark.clause("PIT-2")
def test_a_string_iat_is_refused_though_the_rfc_signed_one() -> None:
    """RFC 8225 7.1 is signed over a string iat (erratum 5985): the claims don't pass, whatever the signature."""
    payload = parse_object(base64url.decode(load("rfc8225-7.1-full")["token"].split(".")[1]))
    assert payload["iat"] == "1443208345"


@pytest.mark.clause("PIT-7")
def test_the_rph_example_is_not_json() -> None:
    """RFC 8443 4.1 prints a payload that is not JSON; the reader says so."""
    with pytest.raises(MalformedValue):
        parse_object(base64url.decode(load("rfc8443-rph")["token"].split(".")[1]))


@pytest.mark.clause("CRT-01", "CRT-06", "RFC 9118 5")
def test_the_rfc_9118_certificate_names_its_provider() -> None:
    """The certificate of RFC 9118 holds service provider code 1234."""
    vector = load("rfc9118-cert")
    certificate = x509.load_pem_x509_certificate(vector["cert_pem"].encode())
    assert read_tn_auth_list(certificate).service_provider_codes == tuple(vector["expected"]["tnauthlist"]["spc"])


@pytest.mark.clause("CRT-05", "CRT-06", "RFC 9118 5")
def test_the_rfc_9118_certificate_constrains_claims() -> None:
    """Its constraints (confidence must be there, high or medium; no priority) are read and written."""
    vector = load("rfc9118-cert")
    certificate = x509.load_pem_x509_certificate(vector["cert_pem"].encode())
    expected = vector["expected"]["enhanced_jwt_claim_constraints"]
    constraints = read_claim_constraints(certificate)
    assert constraints is not None
    assert constraints.must_include == tuple(expected["mustInclude"])
    assert constraints.permitted_values == tuple(
        (claim, frozenset(values)) for claim, values in expected["permittedValues"].items()
    )
    assert constraints.must_exclude == tuple(expected["mustExclude"])
    der = bytes.fromhex(vector["extensions"][claim_constraints.ENHANCED_OID])
    assert claim_constraints.encode(constraints) == der


LISTS = {entry["name"]: entry for entry in json.loads((DIRECTORY / "tnauthlist.json").read_text())}
NOT_OCTETS = {"libstirshaken-url"}  # given by its first octets only


@pytest.mark.clause("CRT-01", "CRT-02", "CRT-15", "RFC 8226 9", "PIT-13", "PIT-14")
@pytest.mark.parametrize("name", sorted(LISTS.keys() - NOT_OCTETS))
def test_a_tn_authorization_list_is_read_or_refused(name: str) -> None:
    """A list is read as its vector says, or refused without reading past its end."""
    entry = LISTS[name]
    der = bytes.fromhex(entry["der"])
    if entry["valid"] is False:
        with pytest.raises(MalformedValue):
            tn_auth_list.decode(der)
        return
    entries = tn_auth_list.decode(der)
    parsed = entry["parsed"]
    assert entries.service_provider_codes == tuple(parsed.get("spc", ()))
    assert entries.numbers == tuple(parsed.get("one", ()))
    assert entries.ranges == tuple(NumberRange(start, count) for start, count in parsed.get("range", ()))
    assert all(entries.covers(number) for number in entry.get("covers", ()))
    assert not any(entries.covers(number) for number in entry.get("excludes", ()))
    assert tn_auth_list.encode(entries) == der


@pytest.mark.clause("PIT-13")
def test_a_list_that_is_a_url_is_refused() -> None:
    """An IA5String with a URL in place of the sequence, as the reference library's certificate has it."""
    url = b"https://sti-ca.example/sp"
    with pytest.raises(MalformedValue):
        tn_auth_list.decode(bytes((0x16, len(url))) + url)

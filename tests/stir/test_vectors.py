"""Every published and derived vector gives its expected result (``tests/stir/vectors``).

The tokens come with their keys; a TEST authority vouches for each key at the vector's time, so that everything but the
vector itself is in order.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sipguard.errors import MalformedValue
from sipguard.sip.date import parse_date
from sipguard.stir import base64url, claim_constraints, tn_auth_list
from sipguard.stir.certificate import load_anchors, read_claim_constraints, read_tn_auth_list
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.media_key import fingerprints
from sipguard.stir.strict_json import parse_object
from sipguard.stir.tn_auth_list import NumberRange
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import PriorityVerdict, Reason, Verdict, Verstat
from sipguard.stir.verification import Signalling, VerificationService
from sipguard.testing.sti_ca import StiCa

DIRECTORY = Path(__file__).parent / "vectors"

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
    "rfc8225-7.1-full": Reason.CLAIMS,
    "rfc8225-A1-as-key": Reason.SIGNATURE,
    "rfc8225-appendix-A": Reason.SIGNATURE,
    "rfc8688-jcard-jws": Reason.MALFORMED_TOKEN,
    "rfc8688-shaken": Reason.X5U_REFUSED,
    "rfc8816-oob": Reason.CLAIMS,
    # Other types.
    "derived-div-orig-changed": Reason.DIVERSION,
    "derived-rcd-bad-digest": Reason.DIGEST,
    "derived-rcd-good": None,
    "derived-rcd-jcd-and-jcl": Reason.CLAIMS,
    "mky-derived-8225-9.1": None,
    "rfc8946-base": None,
    "rfc8946-div": Reason.DIVERSION,
    "rfc8946-div-o": Reason.CLAIMS,
}
ELSEWHERE = {"rfc9118-cert", "rfc8443-rph"}  # a certificate, and a priority that vouches for no number: tests below


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


def request_of(vector: dict[str, Any], **changes: Any) -> Signalling:
    """The call a vector's token belongs to, as far as its claims can be read."""
    try:
        payload = json.loads(vector.get("canonical_payload") or vector.get("payload_json") or "{}")
    except (ValueError, RecursionError):
        payload = {}
    orig, dest = payload.get("orig", {}), payload.get("dest", {})
    if not isinstance(orig.get("tn", ""), str):
        return Signalling((), (), "vector@example.com")
    numbers = dest.get("tn", [])
    sdp = "".join(f"a=fingerprint:{line}\r\n" for line in vector.get("sdp_fingerprints", ()))
    parts: dict[str, Any] = {
        "orig": (orig.get("tn", ""),),
        "dest": tuple(numbers) if isinstance(numbers, list) else (numbers,),
        "to_uri": next(iter(dest.get("uri", ())), None),
        "call_id": "vector@example.com",
        "media_keys": fingerprints(sdp.encode()),
    }
    return Signalling(**{**parts, **changes})


def judge(vector: dict[str, Any], *beside: dict[str, Any], **changes: Any) -> Verdict:
    """The verdict at the vector's time, its certificate trusted, its numbers those of the call."""
    now = UnixTime(vector.get("valid_at") or 1443208345)
    value, url = field_of(vector)
    anchors = load_anchors(authority(now).anchors_pem)
    cache_ = CertificateCache()
    key = vector.get("private_key_pem")
    if key is None and vector.get("public_key_pem") == load("rfc8946-base")["public_key_pem"]:
        key = load("rfc8946-base")["private_key_pem"]
    issued = authority(now).issue(key=load_pem_private_key(key.encode(), None) if key else None)  # type: ignore[arg-type]
    cache_.store(url, issued.chain_pem, UnixTime(now + 60), now, anchors)
    request = request_of(vector, **changes)
    verdict = VerificationService(anchors).verify(
        [value, *(field_of(other)[0] for other in beside)], request, cache_, now
    )
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
    "PPT-06",
    "DIV-08",
    "DIV-11",
    "RCD-01",
    "RCD-02",
    "RCD-03",
    "PIT-1",
    "PIT-2",
    "PIT-5",
    "PIT-6",
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


@pytest.mark.clause("DIV-06", "DIV-08", "PIT-6", "RFC 8946 4.2")
def test_the_rfc_8946_chain_is_broken_as_printed() -> None:
    """The example's div.tn has twelve digits where the call went to eleven: the chain does not link, and we say so."""
    base, div = load("rfc8946-base"), load("rfc8946-div")
    verdict = judge(base, div, request_tn="12155551214")
    assert [result.reason for result in verdict.results] == [None, Reason.DIVERSION]
    assert verdict.diversions == (("121555551213", Verstat.FAILED),)
    changed = judge(base, load("derived-div-orig-changed"), request_tn="12155551214")
    assert changed.verstat is Verstat.FAILED
    assert {result.reason for result in changed.results} == {Reason.DIVERSION}


@pytest.mark.clause("PIT-2", "VS-15")
def test_the_rfc_8224_compact_example_cannot_verify() -> None:
    """RFC 8224 5.1: rebuilt from the request as RFC 8225 says, the payload has a number where a string was signed."""
    vector = load("rfc8224-5.1-compact")
    rebuilt = vector["reconstruct"]
    date = parse_date(rebuilt["Date"])
    assert date == vector["valid_at"]
    full = load("rfc8225-7.1-full")
    verdict = judge(
        {**vector, "private_key_pem": full["private_key_pem"]},
        orig=(rebuilt["orig_tn"],),
        dest=(),
        to_uri=rebuilt["dest_uri"],
        date=UnixTime(vector["valid_at"]),
    )
    assert verdict.reason is Reason.SIGNATURE


@pytest.mark.clause("PIT-7", "RPH-01")
def test_the_rph_example_is_refused_and_says_nothing_of_the_number() -> None:
    """RFC 8443 4.1: not JSON, line feeds inside; the priority failed, and the calling number was not validated."""
    verdict = judge(load("rfc8443-rph"))
    assert verdict.results[0].reason is Reason.MALFORMED_TOKEN
    assert (verdict.priority, verdict.verstat) == (PriorityVerdict.FAILED, Verstat.NONE)


@pytest.mark.clause("PIT-6")
def test_the_enclosed_token_of_the_div_o_example() -> None:
    """The div-o example encloses the base example as it is."""
    payload = json.loads(load("rfc8946-div-o")["payload_json"])
    assert payload["opt"] == load("rfc8946-base")["token"]


def test_no_vector_is_left_out() -> None:
    """Every vector in the index has its place in a table of this file."""
    names = {entry["name"] for entry in load("index")}
    assert names == EXPECTED.keys() | ELSEWHERE


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

"""Whatever the octets, verification gives a verdict (VS-37): random texts and mutations of a good field."""

import contextlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.errors import MalformedValue
from sipguard.stir import tn_auth_list
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.identity_header import parse_identity
from sipguard.stir.media_key import fingerprints
from sipguard.stir.passport_writer import sign_div
from sipguard.stir.strict_json import parse_object
from sipguard.stir.telephone_number import DialPlan, canonicalise
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import PriorityVerdict, Verdict, Verstat
from sipguard.stir.verification import VerificationService
from tests.stir.kit import (
    CLAIMS,
    DEST,
    HEADER,
    NOW,
    ORIG,
    URL,
    anchors,
    field,
    filled_cache,
    identity,
    leaf,
    sign,
    signalling,
    signer,
)

LATIN = st.text(st.characters(max_codepoint=255), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SERVICE = VerificationService(anchors())
STORE = filled_cache()
GOOD = identity()
DIVERSION = sign_div(signer(), ORIG, [ORIG], DEST, NOW)


def verdict_of(value: str) -> Verdict:
    """Whatever is asked, a verdict: every certificate is given up at once."""
    outcome = SERVICE.verify(
        [value], signalling(), STORE, NOW, frozenset((getattr(parsed(value), "info", None) or "",))
    )
    if not isinstance(outcome, Verdict):
        outcome = SERVICE.verify([value], signalling(), STORE, NOW, frozenset((outcome.url,)))
    assert isinstance(outcome, Verdict)
    assert outcome.best.detail.isascii()
    return outcome


def parsed(value: str) -> object:
    """The parameters of a field, where it has any."""
    try:
        return parse_identity(value).parameters
    except MalformedValue:
        return None


@pytest.mark.clause("VS-37")
@settings(deadline=None)
@given(LATIN)
def test_any_text_is_a_verdict(text: str) -> None:
    """Any Latin-1 text in place of a field value fails without an exception."""
    assert verdict_of(text).verstat is not Verstat.PASSED


@pytest.mark.clause("VS-37", "VS-14")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, GOOD.index(";") - 1), st.characters(max_codepoint=255))
def test_any_changed_character_of_a_token_fails(position: int, character: str) -> None:
    """Changing one character of the token, any to any other, makes it fail."""
    if GOOD[position] != character:
        assert verdict_of(GOOD[:position] + character + GOOD[position + 1 :]).verstat is not Verstat.PASSED


@pytest.mark.clause("VS-37")
@settings(deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), LATIN)
def test_any_cut_or_insertion_is_a_verdict(start: int, length: int, text: str) -> None:
    """Replacing any stretch of the field by any text never raises."""
    verdict_of(GOOD[:start] + text + GOOD[start + length :])


@pytest.mark.clause("VS-37", "PPT-13")
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(HEADER)), JSON)
def test_any_header_member_is_a_verdict(name: str, value: object) -> None:
    """Any JSON value for any member of the protected header never raises."""
    verdict_of(field(sign({**HEADER, name: value}, CLAIMS)))


@pytest.mark.clause("VS-37", "PPT-13")
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(CLAIMS)), JSON)
def test_any_claim_is_a_verdict(name: str, value: object) -> None:
    """Any JSON value for any claim never raises."""
    verdict_of(field(sign(HEADER, {**CLAIMS, name: value})))


TYPED = {
    **CLAIMS,
    "div": {"tn": DEST, "hi": "1.1"},
    "opt": GOOD.partition(";")[0],
    "rph": {"auth": ["esnet.0"]},
    "sph": "psap-callback",
    "rcd": {"nam": "Q", "jcd": ["vcard", [["photo", {}, "uri", "https://e.example/p"]]]},
    "rcdi": {"/nam": "sha256-AAAA", "/jcd/1/0/3": "sha256-AAAA"},
    "crn": "Hello",
    "mky": [{"alg": "sha-256", "dig": "AB"}],
}
CALL = signalling(request_tn=ORIG, resource_priority=("esnet.0",), callback=True, date=NOW)


def judged(*values: str) -> Verdict:
    """A verdict on several fields, whatever certificates they name given up."""
    unavailable: frozenset[str] = frozenset()
    for _ in range(20):
        outcome = SERVICE.verify(values, CALL, STORE, NOW, unavailable)
        if isinstance(outcome, Verdict):
            assert all(result.detail.isascii() and result.detail.isprintable() for result in outcome.results)
            assert outcome.priority in PriorityVerdict
            assert all(isinstance(number, str) for number, _ in outcome.diversions)
            return outcome
        unavailable |= {outcome.url}
    raise AssertionError("more certificates are asked for than there are fields")


@pytest.mark.clause("VS-37", "PPT-13")
@settings(max_examples=400, deadline=None)
@given(st.sampled_from([None, "shaken", "div", "div-o", "rph", "rcd"]), st.sampled_from(sorted(TYPED)), JSON)
def test_any_claim_of_any_type_is_a_verdict(ppt: str | None, name: str, value: object) -> None:
    """Any JSON value for any claim of any type never raises, alone and beside good fields."""
    header = {key: member for key, member in {**HEADER, "ppt": ppt}.items() if member is not None}
    members = {**TYPED, name: value}
    if ppt == "div":
        members.pop("opt", None)
    text = field(sign(header, members), f";info=<{URL}>" + (f";ppt={ppt}" if ppt else ""))
    judged(text)
    judged(GOOD, text, DIVERSION)


NUMBERS = st.sampled_from([ORIG, DEST, "1", "2", "3", "4"])


@pytest.mark.clause("DIV-14", "VS-37")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8), st.permutations(range(9)))
def test_any_graph_of_diversions_ends(links: list[tuple[str, str]], order: list[int]) -> None:
    """The chain holds exactly when the target can be reached from the called number, whatever else there is."""
    values = [GOOD, *(sign_div(signer(), ORIG, [after], before, NOW) for before, after in links)]
    verdict = judged(*(values[index] for index in order if index < len(values)))
    reached = {DEST}
    for _ in links:
        reached |= {after for before, after in links if before in reached}
    diverted = any(before == DEST for before, _ in links)
    assert (verdict.verstat is Verstat.PASSED) is (ORIG in reached or not diverted)


@pytest.mark.clause("VS-37", "VS-15")
@settings(max_examples=150, deadline=None)
@given(LATIN)
def test_any_compact_form_is_a_verdict(text: str) -> None:
    """Two periods and anything."""
    assert judged(f"..{text};info=<{URL}>").verstat is not Verstat.PASSED


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_body_has_fingerprints_or_none(body: bytes) -> None:
    """Whatever stands in a body, its fingerprints are canonical."""
    for key in fingerprints(body + b"\r\na=fingerprint:sha-1 " + body.hex().encode() + b"\r\n"):
        assert key.algorithm == key.algorithm.lower()
        assert ":" not in key.digest


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_are_an_object_or_refused(data: bytes) -> None:
    """The JSON reader gives an object or MalformedValue."""
    with contextlib.suppress(MalformedValue):
        assert isinstance(parse_object(data), dict)


@pytest.mark.clause("CRT-24")
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_any_changed_chain_is_an_outcome(position: int, octets: bytes) -> None:
    """Any damage to a DER certificate leaves a failure behind, or a credential if the damage is outside of it."""
    der = leaf().certificate.public_bytes(Encoding.DER)
    damaged = der[:position] + octets + der[position + len(octets) :]
    outcome = CertificateCache().store("https://a.example/", damaged, UnixTime(NOW + 60), NOW, anchors())
    assert isinstance(outcome, CertificateFailure)  # its issuer is not in the chain, so never a credential


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_octets_are_a_tn_auth_list_or_refused(data: bytes) -> None:
    """The DER reader gives a list that encodes to the same octets, or MalformedValue."""
    try:
        entries = tn_auth_list.decode(data)
    except MalformedValue:
        return
    assert tn_auth_list.decode(tn_auth_list.encode(entries)) == entries


@pytest.mark.clause("AS-09", "RFC 8224 8.3")
@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_user_part_is_a_number_or_none(user: str) -> None:
    """A canonical number is ASCII digits, * and # only, and canonical already."""
    tn = canonicalise(user, DialPlan())
    if tn is not None:
        assert set(tn) <= set("0123456789*#")

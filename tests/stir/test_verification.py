"""The verification service as a whole (RFC 8224 §6.2); single faults are in ``test_faults``."""

import time

import pytest

from sipguard.stir import base64url
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason, Verdict, Verstat
from sipguard.stir.verification import MissingCertificate, VerificationService, VerificationSettings
from sipguard.stir.x5u import X5uRules
from sipguard.testing.sti_ca import Issued, Shape, new_key
from tests.stir.kit import (
    CLAIMS,
    DEST,
    HEADER,
    HOUR,
    NOW,
    ORIG,
    ORIGID,
    URL,
    anchors,
    ask,
    authority,
    field,
    filled_cache,
    forged,
    identity,
    judge,
    leaf,
    located,
    segment,
    sign,
    signalling,
)

OTHER_URL = "https://other.example.com/leaf.pem"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_a_good_token_passes_and_tells_what_it_says() -> None:
    """The result holds type, attestation, origid, provider code, URL and time."""
    verdict = judge([identity(attest="B")])
    best = verdict.best
    assert (verdict.verstat, verdict.reason, verdict.code, verdict.attest) == (Verstat.PASSED, None, None, "B")
    assert (best.ppt, best.origid, best.spc, best.x5u, best.iat) == ("shaken", ORIGID, "1234", URL, NOW)
    assert verdict.results == (best,)


@pytest.mark.clause("VS-01", "VS-02", "PIT-5")
def test_one_good_header_among_five_is_enough() -> None:
    """Garbage, an unsupported type, a stale token and one for other numbers spoil nothing, wherever they stand."""
    bad = [
        "garbage",
        identity().replace("ppt=shaken", "ppt=rcd"),
        identity(iat=UnixTime(NOW - 500)),
        identity(dest=[ORIG]),
    ]
    for position in range(5):
        values = [*bad[:position], identity(), *bad[position:]]
        verdict = judge(values)
        assert verdict.verstat is Verstat.PASSED
        assert len(verdict.results) == 5


@pytest.mark.clause("VS-09", "VS-17")
def test_a_good_header_for_other_numbers_never_rescues() -> None:
    """A token that is right for another call beside a forged one for this call: failed."""
    stolen = identity(orig=DEST, dest=[ORIG])
    forgery = field(sign(HEADER, CLAIMS, new_key()))
    verdict = judge([stolen, forgery])
    assert (verdict.verstat, verdict.reason) == (Verstat.FAILED, Reason.SIGNATURE)
    assert judge([stolen]).reason is Reason.ORIG_MISMATCH


@pytest.mark.clause("VS-14")
def test_the_octets_received_are_what_was_signed() -> None:
    """Unsorted members, white space and unknown claims verify as they stand."""
    spaced = sign(
        '{ "x5u":"' + URL + '", "typ":"passport", "ppt":"shaken", "alg":"ES256" }', {**CLAIMS, "zzz": [1, {"a": None}]}
    )
    assert judge([field(spaced)]).verstat is Verstat.PASSED


@pytest.mark.clause("VS-17")
def test_several_called_numbers() -> None:
    """dest may name several; one of them is the called one."""
    assert judge([forged(dest={"tn": ["12155550000", DEST, "911"], "uri": ["sip:x@example.com"]})]).reason is None


@pytest.mark.clause("VS-09", "AS-23")
def test_any_asserted_identity_may_be_the_one_signed() -> None:
    """A P-Asserted-Identity may come as a SIP and a tel URI."""
    assert judge([identity()], orig=("12155550000", ORIG)).reason is None


@pytest.mark.clause("VS-10")
@pytest.mark.parametrize("age", [-60, -59, 0, 59, 60])
def test_freshness_holds_in_both_directions(age: int) -> None:
    """A minute of delay or of clock difference is fine."""
    assert judge([identity(iat=UnixTime(NOW - age))]).reason is None


@pytest.mark.clause("VS-10")
def test_the_window_is_configured() -> None:
    """A larger window accepts an older token."""
    old = identity(iat=UnixTime(NOW - 100))
    assert judge([old]).reason is Reason.STALE
    assert judge([old], settings=VerificationSettings(window=100)).reason is None


@pytest.mark.clause("VS-10", "VS-11", "RFC 8224 6.2 step 4")
def test_date_is_consulted_and_not_required() -> None:
    """Without Date, or with a stale one beside a fresh iat, iat counts; the disagreement is told."""
    assert judge([identity()]).best.detail == ""
    verdict = judge([identity()], date=UnixTime(NOW - HOUR))
    assert verdict.verstat is Verstat.PASSED
    assert "Date" in verdict.best.detail


@pytest.mark.clause("VS-13")
def test_iat_lies_within_the_certificates_validity() -> None:
    """A certificate that became valid after the token was signed does not vouch for it."""
    fresh = authority().issue(Shape(not_before=UnixTime(NOW - 10)))
    store = filled_cache(fresh.chain_pem)
    early, late = ({**CLAIMS, "iat": NOW - age} for age in (30, 5))
    verdict = judge([field(sign(HEADER, early, fresh.key))], store=store)
    assert (verdict.reason, verdict.code) == (Reason.CERTIFICATE_EXPIRED, 437)
    assert judge([field(sign(HEADER, late, fresh.key))], store=store).reason is None


@pytest.mark.clause("VS-35", "VS-19")
def test_a_missing_certificate_is_asked_for_and_then_known() -> None:
    """Cold cache: the URL is named; once stored, the verdict; given up, 436 and no validation."""
    store = CertificateCache()
    assert ask([identity()], store) == MissingCertificate(URL)
    given_up = judge([identity()], store=store, unavailable=frozenset((URL,)))
    assert (given_up.verstat, given_up.reason, given_up.code) == (Verstat.NONE, Reason.CERTIFICATE_UNAVAILABLE, 436)
    store.fail(URL, "timeout", UnixTime(NOW + 30))
    assert judge([identity()], store=store).best.detail == "timeout"
    store.store(URL, leaf().chain_pem, UnixTime(NOW + HOUR), NOW, anchors())
    assert judge([identity()], store=store).verstat is Verstat.PASSED


@pytest.mark.clause("VS-31", "VS-33", "PPT-13")
@pytest.mark.parametrize(
    "value",
    [
        identity(iat=UnixTime(NOW - 61)),
        identity(orig=DEST),
        identity(dest=[ORIG]),
        forged(attest="D"),
        forged(origid="x"),
        located("https://127.0.0.1/x"),
        located("http://a.example/x"),
        field(sign(HEADER, CLAIMS) + "=="),
        "x",
    ],
)
def test_cheap_checks_come_before_any_fetch(value: str) -> None:
    """A token that fails anyway costs no certificate."""
    assert isinstance(ask([value], CertificateCache()), Verdict)


@pytest.mark.clause("VS-19")
def test_a_dead_repository_beside_a_good_header_delays_nothing() -> None:
    """Once a header has passed, no certificate is asked for any more; the other result says so."""
    verdict = judge([located(OTHER_URL), identity()])
    assert verdict.verstat is Verstat.PASSED
    assert {result.x5u: result.reason for result in verdict.results} == {
        URL: None,
        OTHER_URL: Reason.CERTIFICATE_UNAVAILABLE,
    }


@pytest.mark.clause("VS-19")
def test_a_second_repository_is_tried_when_the_first_fails() -> None:
    """Given up on one URL, the next header's certificate is asked for."""
    values = [located(OTHER_URL), identity()]
    assert ask(values, CertificateCache()) == MissingCertificate(OTHER_URL)
    assert ask(values, CertificateCache(), unavailable=frozenset((OTHER_URL,))) == MissingCertificate(URL)
    assert judge(values, store=CertificateCache(), unavailable=frozenset((OTHER_URL, URL))).code == 436


@pytest.mark.clause("VS-31")
def test_a_private_repository_can_be_allowed() -> None:
    """Tests and demonstrations name their loopback repository."""
    settings = VerificationSettings(x5u=X5uRules(allow_private_hosts=frozenset(("127.0.0.1",))))
    url = "https://127.0.0.1:9443/leaf.pem"
    assert ask([located(url)], settings=settings) == MissingCertificate(url)


def verify_with(service: VerificationService, value: str, call_id: str, now: UnixTime = NOW) -> Reason | None:
    """The reason one service gives for one call."""
    verdict = service.verify([value], signalling(call_id=call_id), filled_cache(now=now), now)
    assert isinstance(verdict, Verdict)
    return verdict.reason


@pytest.mark.clause("VS-12", "VS-36", "RFC 8224 12.1")
def test_a_token_is_good_for_one_call() -> None:
    """The same token with another Call-ID is a replay; with the same Call-ID it is a retransmission or a spiral."""
    service = VerificationService(anchors())
    value = identity()
    assert verify_with(service, value, "a") is None
    assert verify_with(service, value, "a") is None
    assert verify_with(service, value, "b") is Reason.REPLAYED
    assert verify_with(service, value, "a") is None
    assert verify_with(service, identity(origid=ORIGID[:-1] + "1"), "b") is None


@pytest.mark.clause("VS-12", "PPT-14")
def test_rewriting_the_signature_does_not_hide_a_replay() -> None:
    """The second valid signature that anybody can compute from a first is the same token."""
    service = VerificationService(anchors())
    signing_input, _, text = sign(HEADER, CLAIMS).rpartition(".")
    octets = base64url.decode(text)
    negated = P256_ORDER - int.from_bytes(octets[32:], "big")
    twin = field(f"{signing_input}.{base64url.encode(octets[:32] + negated.to_bytes(32, 'big'))}")
    assert verify_with(service, twin, "a") is None
    assert verify_with(service, field(f"{signing_input}.{text}"), "b") is Reason.REPLAYED


@pytest.mark.clause("VS-12")
def test_only_good_tokens_are_remembered_and_not_for_ever() -> None:
    """A forged copy cannot block the real call, and the number remembered is bounded."""
    service = VerificationService(anchors(), VerificationSettings(replay_capacity=2))
    value = identity()
    forged_copy = value.replace(segment(CLAIMS), segment({**CLAIMS, "attest": "B"}))
    assert verify_with(service, forged_copy, "a") is Reason.SIGNATURE
    assert verify_with(service, value, "b") is None
    for number in (1, 2):
        assert verify_with(service, identity(iat=UnixTime(NOW + number)), "c") is None
    assert verify_with(service, value, "d") is None


@pytest.mark.clause("VS-37")
def test_many_headers_cost_little() -> None:
    """A request full of Identity fields is bounded work: the first sixteen are judged."""
    verdict = judge([identity(attest="B")[:-1] + "x"] * 200 + [identity()])
    assert len(verdict.results) == 16


@pytest.mark.clause("VS-37")
@pytest.mark.parametrize(
    "value",
    ["x" * 60000, ";" * 60000, "a." * 30000 + ";info=<x>", "A;info=<" + "x" * 60000, identity() + ";x=" + "y" * 60000],
)
def test_the_largest_fields_take_a_millisecond(value: str) -> None:
    """Sixty thousand octets of anything are refused at once."""
    start = time.process_time()
    for _ in range(20):
        judge([value])
    assert (time.process_time() - start) / 20 < 0.005


def two_generations() -> tuple[CertificateCache, Issued, UnixTime]:
    """A cache that knows the old certificate of a URL, the new one, and a time at which it is worth asking again."""
    return filled_cache(), authority().issue(), UnixTime(NOW + 61)


@pytest.mark.clause("CRT-25")
def test_a_new_key_under_the_same_url() -> None:
    """The signature does not match: the certificate is asked for again, once, and the new one passes."""
    store, new, later = two_generations()
    value = field(sign(HEADER, {**CLAIMS, "iat": later}, new.key))
    assert ask([value], store, later) == MissingCertificate(URL)
    store.store(URL, new.chain_pem, UnixTime(later + HOUR), later, anchors())
    assert judge([value], store=store, now=later).verstat is Verstat.PASSED


@pytest.mark.clause("CRT-25")
def test_a_forged_token_costs_one_fetch_a_minute() -> None:
    """Fetched again and still wrong, or not to be had: the signature is wrong, and the known certificate stays."""
    store, _, later = two_generations()
    forgery = field(sign(HEADER, {**CLAIMS, "iat": later}, new_key()))
    good = identity(iat=later)
    assert judge([forgery], store=filled_cache(now=later), now=later).reason is Reason.SIGNATURE
    assert judge([forgery], store=store, now=later, unavailable=frozenset((URL,))).reason is Reason.SIGNATURE
    store.fail(URL, "timeout", UnixTime(later + 30))
    assert judge([forgery], store=store, now=later).reason is Reason.SIGNATURE
    assert judge([good], store=store, now=later).verstat is Verstat.PASSED
    assert judge([good, forgery], store=filled_cache(), now=later).verstat is Verstat.PASSED


@pytest.mark.clause("VS-04", "RFC 8225 8.1")
def test_a_type_in_the_token_alone_fails() -> None:
    """A token of an unknown type does not pass for a base PASSporT because its header field names no type."""
    for ppt in ("foo", "shaken", "div"):
        token = sign({**HEADER, "ppt": ppt}, CLAIMS)
        assert judge([field(token, f";info=<{URL}>")]).reason is Reason.PPT_MISMATCH


@pytest.mark.clause("PPT-09")
@pytest.mark.parametrize("ppt", ["div", "rph", "rcd", "shaken", None])
@pytest.mark.parametrize("claim", ["iat", "orig", "dest"])
def test_no_type_replaces_the_base_claims(ppt: str | None, claim: str) -> None:
    """Extensions only add: without caller, called identity or time every type fails."""
    own = {"div": {"tn": DEST}, "rph": {"auth": ["ets.0"]}, "rcd": {"nam": "Q"}, "zzz": 1}
    members = {name: value for name, value in {**CLAIMS, **own}.items() if name != claim}
    header = {name: value for name, value in {**HEADER, "ppt": ppt}.items() if value is not None}
    value = field(sign(header, members), f";info=<{URL}>" + (f";ppt={ppt}" if ppt else ""))
    assert judge([value], resource_priority=("ets.0",)).results[0].reason is Reason.CLAIMS


@pytest.mark.clause("VS-01", "RFC 8224 6.2")
def test_a_base_passport_passes_without_attestation() -> None:
    """A token without a type vouches for the number and attests nothing; URIs may be called."""
    header = {name: value for name, value in HEADER.items() if name != "ppt"}
    members = {"dest": {"uri": ["sip:bob@example.com"]}, "iat": NOW, "orig": {"tn": ORIG}}
    verdict = judge([field(sign(header, members), f";info=<{URL}>")], dest=(), to_uri="sip:bob@example.com")
    assert (verdict.verstat, verdict.attest, verdict.best.ppt) == (Verstat.PASSED, None, None)
    assert judge([field(sign(header, members), f";info=<{URL}>")]).reason is Reason.DEST_MISMATCH

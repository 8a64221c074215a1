"""Retargeted calls: chains of div PASSporTs, and the ones we would add (RFC 8946)."""

import itertools
from typing import Any

import pytest

from sipguard.stir import base64url
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.diversion import Diverted, passports_for_retarget
from sipguard.stir.passport import Claims, read_claims
from sipguard.stir.passport_writer import sign_base, sign_div, sign_rph
from sipguard.stir.telephone_number import TN
from sipguard.stir.tn_auth_list import TnAuthList
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason, Verdict, Verstat
from sipguard.stir.verification import MissingCertificate, Signalling, VerificationService, VerificationSettings
from sipguard.testing.sti_ca import Shape
from tests.stir.kit import (
    CLAIMS,
    DEST,
    HEADER,
    NOW,
    ORIG,
    URL,
    anchors,
    ask,
    authority,
    changed,
    field,
    filled_cache,
    forged,
    identity,
    judge,
    located,
    segment,
    sign,
    signer,
)

SECOND, THIRD, OTHER = "12155550002", "12155550003", "12155550009"
HOUR = 3600


def div(before: str, after: str, orig: str = ORIG, iat: int = NOW) -> str:
    """A diversion by the trusted signer."""
    return sign_div(signer(), orig, [after], before, UnixTime(iat))


def broken(value: str) -> str:
    """The same field with the signature of another token."""
    token, semicolon, parameters = value.partition(";")
    other = div(OTHER, OTHER).partition(";")[0].rpartition(".")[2]
    return f"{token.rpartition('.')[0]}.{other}{semicolon}{parameters}"


def retargeted(*values: str, to: str = DEST, target: str = SECOND, **arguments: Any) -> Verdict:
    """The verdict on a call whose Request-URI is now another number than To."""
    return judge(values, dest=(to,), request_tn=target, **arguments)


def reasons(verdict: Verdict) -> list[Reason | None]:
    """Why each header is not good."""
    return [result.reason for result in verdict.results]


@pytest.mark.clause("DIV-06", "VS-17", "RFC 8946 4.2")
def test_a_chain_in_any_order_leads_to_the_target() -> None:
    """Original, first and second diversion: every order of the header fields passes with the original's attestation."""
    headers = [identity(attest="B"), div(DEST, SECOND), div(SECOND, THIRD)]
    for order in itertools.permutations(headers):
        verdict = retargeted(*order, target=THIRD)
        assert (verdict.verstat, verdict.attest) == (Verstat.PASSED, "B")
        assert reasons(verdict) == [None, None, None]
        assert verdict.best.ppt == "shaken"


@pytest.mark.clause("DIV-06", "VS-12", "RFC 8224 12.1")
def test_what_came_with_the_call_before_is_no_replay() -> None:
    """The original, and diversions in between, were seen with other calls; the outermost must not have been."""
    service = VerificationService(anchors())
    values = [identity(), div(DEST, SECOND), div(SECOND, THIRD)]
    seen: dict[str, Any] = {"orig": (ORIG,), "dest": (DEST,)}

    def reason(count: int, target: str, call_id: str) -> Reason | None:
        verdict = service.verify(
            values[:count], Signalling(**seen, request_tn=TN(target), call_id=call_id), filled_cache(), NOW
        )
        assert isinstance(verdict, Verdict)
        return verdict.reason

    assert reason(1, DEST, "a") is None
    assert reason(2, SECOND, "b") is None
    assert reason(3, THIRD, "c") is None
    assert reason(3, THIRD, "c") is None
    assert reason(3, THIRD, "d") is Reason.REPLAYED
    assert reason(2, SECOND, "d") is Reason.REPLAYED
    assert reason(1, DEST, "d") is Reason.REPLAYED


@pytest.mark.clause("VS-12")
def test_an_original_that_was_seen_diverted_is_remembered() -> None:
    """Whoever saw it under a diversion cannot call with it alone, nor beside a diversion that is no part of it."""
    service = VerificationService(anchors())

    def reason(values: list[str], target: str, call_id: str) -> Reason | None:
        signalling = Signalling(orig=(ORIG,), dest=(DEST,), request_tn=TN(target), call_id=call_id)
        verdict = service.verify(values, signalling, filled_cache(), NOW)
        assert isinstance(verdict, Verdict)
        return verdict.results[0].reason

    original = identity()
    assert reason([original, div(DEST, SECOND)], SECOND, "a") is None
    assert reason([original], DEST, "b") is Reason.REPLAYED
    assert reason([original, div(OTHER, THIRD)], THIRD, "c") is Reason.REPLAYED


@pytest.mark.clause("VS-12", "DIV-09")
def test_the_memory_of_forwarded_calls_is_another_one() -> None:
    """A token that came with a call may leave with one: once, and as old as originals may be."""
    service = VerificationService(anchors(), VerificationSettings(original_window=HOUR))
    assert service.forwarded is service.forwarded
    value = identity(iat=UnixTime(NOW - 600))

    def reason(at: VerificationService, call_id: str) -> Reason | None:
        verdict = at.verify(
            [value], Signalling(orig=(ORIG,), dest=(DEST,), request_tn=DEST, call_id=call_id), filled_cache(), NOW
        )
        assert isinstance(verdict, Verdict)
        return verdict.reason

    assert reason(service, "a") is Reason.STALE
    assert reason(service.forwarded, "b") is None
    assert reason(service.forwarded, "c") is Reason.REPLAYED


@pytest.mark.clause("DIV-15")
def test_each_diversion_is_reported() -> None:
    """The diverting numbers and whether their diversions hold, beside the verdict on the caller."""
    verdict = retargeted(identity(), div(DEST, SECOND), div(OTHER, THIRD))
    assert verdict.diversions == ((DEST, Verstat.PASSED), (OTHER, Verstat.FAILED))


@pytest.mark.clause("DIV-07", "RFC 8946 4.2 step 1")
def test_the_outermost_leads_to_the_request_uri_and_to_is_not_used() -> None:
    """To may still be the first number, or already the last, or something else; the Request-URI decides."""
    for to in (DEST, SECOND, OTHER):
        assert retargeted(identity(), div(DEST, SECOND), to=to).verstat is Verstat.PASSED
    verdict = retargeted(identity(), div(DEST, SECOND), target=THIRD)
    assert (verdict.verstat, verdict.reason) == (Verstat.FAILED, Reason.DIVERSION)


@pytest.mark.clause("VS-17", "DIV-07")
def test_without_a_diversion_to_decides() -> None:
    """A call that was retargeted by somebody who signs nothing is compared with To."""
    assert judge([identity()], request_tn=SECOND).verstat is Verstat.PASSED
    assert judge([identity()], dest=(SECOND,), request_tn=DEST).reason is Reason.DEST_MISMATCH


@pytest.mark.clause("DIV-08", "RFC 8946 4.2 step 3")
def test_the_caller_is_the_same_all_along() -> None:
    """A diversion for another caller, in any place, breaks the chain."""
    assert retargeted(identity(), div(DEST, SECOND, orig=OTHER)).reason is Reason.DIVERSION
    verdict = retargeted(identity(), div(DEST, SECOND, orig=OTHER), div(SECOND, THIRD), target=THIRD)
    assert (verdict.verstat, verdict.reason) == (Verstat.FAILED, Reason.DIVERSION)
    verdict = retargeted(identity(orig=OTHER), div(DEST, SECOND, orig=OTHER))
    assert verdict.reason is Reason.ORIG_MISMATCH


@pytest.mark.clause("DIV-09", "RFC 8946 4.2 step 4")
def test_both_ends_are_fresh() -> None:
    """A stale outermost diversion fails, and by default an old original under a fresh diversion too."""
    assert retargeted(identity(), div(DEST, SECOND, iat=NOW - 61)).reason is Reason.STALE
    old = identity(iat=UnixTime(NOW - 61))
    assert retargeted(old, div(DEST, SECOND)).reason is Reason.STALE
    assert retargeted(identity(), div(DEST, SECOND, iat=NOW - 61), div(SECOND, THIRD), target=THIRD).reason is (
        Reason.STALE
    )


@pytest.mark.clause("DIV-09", "RFC 8946 4.2 step 4")
def test_transferred_calls_may_have_an_old_original() -> None:
    """An operator may allow older originals, up to three hours whatever is configured; the outermost stays fresh."""
    settings = VerificationSettings(original_window=24 * HOUR)
    for age, reason in ((HOUR // 2, None), (3 * HOUR + 1, Reason.STALE)):
        values = identity(iat=UnixTime(NOW - age)), div(DEST, SECOND)
        assert retargeted(*values, settings=settings).reason is reason
    assert retargeted(identity(), div(DEST, SECOND, iat=NOW - 61), settings=settings).reason is Reason.STALE
    assert judge([identity(iat=UnixTime(NOW - 61))], settings=settings).reason is Reason.STALE


@pytest.mark.clause("DIV-10", "RFC 8946 4.2 step 5")
@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_signature_of_the_chain_counts(position: int) -> None:
    """A broken signature of the original, the middle or the outermost breaks the chain."""
    values = [identity(), div(DEST, SECOND), div(SECOND, THIRD)]
    values[position] = broken(values[position])
    verdict = retargeted(*values, target=THIRD)
    assert verdict.verstat is Verstat.FAILED
    assert verdict.reason is Reason.SIGNATURE
    assert verdict.results[0].reason is not None


@pytest.mark.clause("VS-01", "DIV-06")
def test_a_bad_diversion_beside_a_good_one_takes_nothing_away() -> None:
    """A forged copy of the link, a foreign one and a malformed one leave the sound chain as it is."""
    values = [identity(), broken(div(DEST, SECOND)), div(DEST, THIRD), div(DEST, SECOND), "x;info=<x>;ppt=div"]
    for order in itertools.permutations(values, len(values)):
        if order[0] == values[-1]:
            assert retargeted(*order).verstat is Verstat.PASSED


@pytest.mark.clause("DIV-10", "VS-03", "RFC 8946 4.2 step 5")
def test_the_chain_of_a_type_we_do_not_understand_is_ignored() -> None:
    """Its diversion counts as absent too: no validation, 428 where one is required."""
    unknown = identity().replace("ppt=shaken", "ppt=foo")
    verdict = retargeted(unknown, div(DEST, SECOND))
    assert (verdict.verstat, verdict.code) == (Verstat.NONE, 428)


@pytest.mark.clause("DIV-10")
def test_a_diversion_alone_proves_nothing() -> None:
    """Without its original a diversion is refused."""
    verdict = retargeted(div(DEST, SECOND))
    assert (verdict.verstat, verdict.reason) == (Verstat.FAILED, Reason.DIVERSION)


@pytest.mark.clause("DIV-14")
def test_a_loop_ends() -> None:
    """Back where it started the original stands for itself; a loop that leads nowhere fails."""
    loop = [identity(), div(DEST, SECOND), div(SECOND, DEST)]
    assert retargeted(*loop, target=DEST).verstat is Verstat.PASSED
    assert retargeted(*loop, target=THIRD).reason is Reason.DIVERSION
    assert retargeted(div(SECOND, DEST), div(DEST, SECOND)).verstat is Verstat.FAILED
    assert retargeted(identity(), div(DEST, DEST), div(DEST, SECOND)).verstat is Verstat.PASSED


@pytest.mark.clause("DIV-14")
def test_the_longest_chain_that_fits() -> None:
    """Fifteen diversions are followed; what is beyond the sixteenth header field is not read."""
    numbers = [DEST, *(f"1215555{n:04}" for n in range(1, 16))]
    chain = [identity(), *(div(a, b) for a, b in itertools.pairwise(numbers))]
    assert len(chain) == 16
    assert retargeted(*reversed(chain), target=numbers[-1]).verstat is Verstat.PASSED
    assert retargeted(*chain, div(numbers[-1], ORIG), target=ORIG).verstat is Verstat.FAILED


@pytest.mark.clause("DIV-05", "RFC 8946 4.1")
def test_one_diversion_serves_several_originals() -> None:
    """A shaken and an rph PASSporT of the same caller and called number share their diversion."""
    priority = sign_rph(signer(), ORIG, [DEST], ["ets.0"], NOW)
    settings = VerificationSettings(priority_authorities={"ets": frozenset(("1234",))})
    verdict = retargeted(priority, div(DEST, SECOND), identity(), settings=settings, resource_priority=("ets.0",))
    assert reasons(verdict) == [None, None, None]
    assert verdict.priority == "RPH-Validation-Passed"


@pytest.mark.clause("DIV-06")
def test_several_chains_at_once() -> None:
    """Two originals with different called numbers, each with its own diversion: one good chain is enough."""
    good = [identity(), div(DEST, SECOND)]
    verdict = retargeted(*good, identity(dest=[OTHER]), broken(div(OTHER, SECOND)))
    assert verdict.verstat is Verstat.PASSED
    assert reasons(verdict)[:3] == [None, None, Reason.DIVERSION]


@pytest.mark.clause("DIV-04", "RFC 8946 4.2 step 2")
def test_the_diverter_has_authority_over_the_diverting_number() -> None:
    """A certificate for other numbers may not divert this one; one for this number need not cover the caller."""
    url = "https://certificates.example.com/delegate.pem"
    for number, reason in ((DEST, None), (OTHER, Reason.DIVERSION)):
        issued = authority().issue(Shape(entries=TnAuthList((), (), (number,))))  # type: ignore[arg-type]
        store = filled_cache()
        store.store(url, issued.chain_pem, UnixTime(NOW + 60), NOW, anchors())
        claims = {"dest": {"tn": [SECOND]}, "div": {"tn": DEST}, "iat": NOW, "orig": {"tn": ORIG}}
        token = sign({**HEADER, "ppt": "div", "x5u": url}, claims, issued.key)
        verdict = retargeted(identity(), field(token, f";info=<{url}>;ppt=div"), store=store)
        assert verdict.results[0].reason is reason
        assert verdict.results[1].reason in (None, Reason.CERTIFICATE_SCOPE)


@pytest.mark.clause("VS-35", "VS-19")
def test_certificates_of_a_chain_are_asked_for() -> None:
    """The verdict waits for every certificate on the way, and for none of a chain that leads elsewhere."""
    url = "https://other.example.com/leaf.pem"
    claims = {"dest": {"tn": [SECOND]}, "div": {"tn": DEST}, "iat": NOW, "orig": {"tn": ORIG}}
    link = field(sign({**HEADER, "ppt": "div", "x5u": url}, claims), f";info=<{url}>;ppt=div")
    call = {"dest": (DEST,), "request_tn": SECOND}
    assert ask([identity(), link], CertificateCache(), **call) == MissingCertificate(URL)
    assert ask([identity(), link], **call) == MissingCertificate(url)
    verdict = ask([identity(), link], unavailable=frozenset((url,)), **call)
    assert isinstance(verdict, Verdict)
    assert reasons(verdict) == [Reason.CERTIFICATE_UNAVAILABLE, Reason.CERTIFICATE_UNAVAILABLE]
    assert (verdict.verstat, verdict.code) == (Verstat.NONE, 436)
    assert isinstance(ask([identity(), link], **{**call, "request_tn": OTHER}), Verdict)


def test_other_destinations_are_uris() -> None:
    """A call retargeted from a number to a name, and from a name to a number."""
    alice, bob = "sip:alice@example.com", "sip:bob@example.com"
    verdict = judge([identity(), div(DEST, bob)], request_uri=bob)
    assert verdict.verstat is Verstat.PASSED
    base = sign_base(signer(), ORIG, [alice], NOW)
    verdict = judge([base, div(alice, SECOND)], dest=(), to_uri=alice, request_tn=SECOND)
    assert verdict.results[1].reason is Reason.CERTIFICATE_SCOPE  # a TNAuthList says nothing about a name
    assert verdict.verstat is Verstat.FAILED


def enclosing(inside: str, before: str = DEST, after: str = SECOND, **claims: Any) -> str:
    """A div-o around a token."""
    members = {
        "dest": {"tn": [after]},
        "div": {"tn": before},
        "iat": NOW,
        "opt": inside.partition(";")[0],
        "orig": {"tn": ORIG},
    }
    return field(sign(changed(HEADER, {"ppt": "div-o"}), changed(members, claims)), f";info=<{URL}>;ppt=div-o")


@pytest.mark.clause("DIV-11", "RFC 8946 5.1")
def test_a_div_o_carries_its_chain() -> None:
    """One header field holds the original, and the diversion of a diversion."""
    verdict = retargeted(enclosing(identity(attest="B")))
    assert (verdict.verstat, verdict.attest, verdict.best.ppt) == (Verstat.PASSED, "B", "div-o")
    twice = enclosing(enclosing(identity(attest="C")), SECOND, THIRD)
    verdict = retargeted(twice, target=THIRD)
    assert (verdict.verstat, verdict.attest, verdict.diversions) == (
        Verstat.PASSED,
        "C",
        ((SECOND, Verstat.PASSED),),
    )


@pytest.mark.clause("DIV-11", "DIV-08", "DIV-09", "DIV-10", "RFC 8946 5.1")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda: enclosing(identity(), after=THIRD), Reason.DEST_MISMATCH),
        (lambda: enclosing(identity(), before=OTHER), Reason.DIVERSION),
        (lambda: enclosing(identity(orig=OTHER)), Reason.ORIG_MISMATCH),
        (lambda: enclosing(identity(), orig={"tn": OTHER}), Reason.ORIG_MISMATCH),
        (lambda: enclosing(identity(iat=UnixTime(NOW - 61))), Reason.STALE),
        (lambda: enclosing(identity(), iat=NOW - 61), Reason.STALE),
        (lambda: enclosing(broken(identity())), Reason.SIGNATURE),
        (lambda: broken(enclosing(identity())), Reason.SIGNATURE),
        (lambda: enclosing(forged(attest="D")), Reason.CLAIMS),
        (lambda: enclosing(located("http://a.example/x")), Reason.X5U_REFUSED),
        (lambda: enclosing(div(DEST, SECOND)), Reason.UNSUPPORTED_PPT),
        (lambda: enclosing(field(sign(changed(HEADER, {"ppt": "foo"}), CLAIMS))), Reason.UNSUPPORTED_PPT),
        (lambda: enclosing("..AAAA"), Reason.CLAIMS),
        (lambda: enclosing("a.b"), Reason.CLAIMS),
        (lambda: enclosing("a.b.c"), Reason.MALFORMED_TOKEN),
        (lambda: enclosing(identity(), opt=1), Reason.CLAIMS),
    ],
)
def test_a_faulty_div_o_is_refused(value: Any, reason: Reason) -> None:
    """Every link and every check holds inside a div-o as it does between header fields."""
    verdict = retargeted(value())
    assert reasons(verdict) == [reason], verdict.best.detail
    assert verdict.verstat is not Verstat.PASSED


@pytest.mark.clause("DIV-11", "PPT-13")
def test_nesting_is_bounded() -> None:
    """Four PASSporTs one inside the other are read, a fifth is not."""
    value = identity()
    for depth in range(2, 7):
        value = enclosing(value, DEST, DEST)
        verdict = retargeted(value, target=DEST)
        assert (verdict.verstat is Verstat.PASSED) is (depth <= 4), depth


@pytest.mark.clause("DIV-11", "RFC 8946 3")
def test_a_div_holds_no_opt() -> None:
    """Only div-o encloses."""
    members = {"dest": {"tn": [SECOND]}, "div": {"tn": DEST}, "iat": NOW, "opt": "a.b.c", "orig": {"tn": ORIG}}
    value = field(sign(changed(HEADER, {"ppt": "div"}), members), f";info=<{URL}>;ppt=div")
    assert retargeted(identity(), value).results[1].reason is Reason.CLAIMS


@pytest.mark.parametrize(
    "claim", [None, {}, {"tn": [DEST]}, {"tn": DEST, "uri": "sip:a@b"}, {"tn": "+1"}, {"hi": "1"}, [DEST]]
)
def test_a_div_names_exactly_one_identity(claim: object) -> None:
    """Anything else is not a diversion."""
    members = {"dest": {"tn": [SECOND]}, "div": claim, "iat": NOW, "orig": {"tn": ORIG}}
    value = field(sign(changed(HEADER, {"ppt": "div"}), members), f";info=<{URL}>;ppt=div")
    assert retargeted(value).reason is Reason.CLAIMS


def received(value: str) -> Claims:
    """The claims of a header field as a retargeting entity reads them."""
    token, _, parameters = value.partition(";")
    return read_claims(token.split(".")[1], parameters.rpartition("ppt=")[2] or None)


def ours(_: str) -> bool:
    """A certificate that covers everything."""
    return True


@pytest.mark.clause("DIV-01", "RFC 8946 3")
def test_no_diversion_when_the_canonical_number_stays() -> None:
    """Forwarding to the same number in another spelling adds nothing."""
    assert passports_for_retarget([received(identity())], DEST, DEST, ours) == ()


@pytest.mark.clause("DIV-02", "RFC 8946 4.1")
def test_no_diversion_of_an_unsigned_call() -> None:
    """Nothing was signed, so there is nothing to divert from."""
    assert passports_for_retarget([], DEST, SECOND, ours) == ()


@pytest.mark.clause("DIV-03", "RFC 8946 3")
def test_what_a_diversion_says() -> None:
    """Caller and time are the original's, div is one old number, dest the new one; it verifies as a chain."""
    original = forged(dest={"tn": [DEST, OTHER]}, iat=NOW - 5)
    (added,) = passports_for_retarget([received(original)], DEST, SECOND, ours)
    assert added == Diverted(ORIG, SECOND, DEST, UnixTime(NOW - 5))
    value = sign_div(signer(), added.orig, [added.dest], added.div, added.iat)
    assert value.startswith(segment('{"alg":"ES256","ppt":"div","typ":"passport","x5u":"' + URL + '"}') + ".")
    assert value.split(".")[1] == segment(
        f'{{"dest":{{"tn":["{SECOND}"]}},"div":{{"tn":"{DEST}"}},"iat":{NOW - 5},"orig":{{"tn":"{ORIG}"}}}}'
    )
    assert retargeted(original, value).verstat is Verstat.PASSED


@pytest.mark.clause("DIV-04", "RFC 8946 4.1")
def test_no_diversion_of_a_number_that_is_not_ours() -> None:
    """Without authority over the diverting number nothing is signed."""
    assert passports_for_retarget([received(identity())], DEST, SECOND, lambda number: number != DEST) == ()


@pytest.mark.clause("DIV-05", "RFC 8946 4.1")
def test_how_many_diversions() -> None:
    """One where the originals agree, one each where they differ, and later ones only from the current target."""
    priority = sign_rph(signer(), ORIG, [DEST], ["ets.0"], NOW)
    originals = [received(identity()), received(priority)]
    assert len(passports_for_retarget(originals, DEST, SECOND, ours)) == 1
    differing = [received(identity()), received(identity(orig=OTHER))]
    assert [added.orig for added in passports_for_retarget(differing, DEST, SECOND, ours)] == [ORIG, OTHER]
    chain = [received(identity()), received(div(DEST, SECOND))]
    assert passports_for_retarget(chain, SECOND, THIRD, ours) == (Diverted(ORIG, THIRD, SECOND, NOW),)
    assert passports_for_retarget(chain, OTHER, THIRD, ours) == ()


@pytest.mark.clause("DIV-13", "RFC 8946 8")
def test_the_history_index_is_carried() -> None:
    """div.hi is read and written, and does not disturb the chain."""
    value = sign_div(signer(), ORIG, [SECOND], DEST, NOW, history_index="1.1")
    assert f'"div":{{"hi":"1.1","tn":"{DEST}"}}'.encode() in base64url.decode(value.split(".")[1])
    verdict = retargeted(identity(), value)
    assert verdict.verstat is Verstat.PASSED
    extension = verdict.results[1].extension
    assert extension == (DEST, "1.1", None)

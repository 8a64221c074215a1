"""How results combine (RFC 8224 §6.2, §6.2.1, §6.2.2)."""

import pytest

from sipguard.stir.verdict import HeaderResult, Reason, Verstat, combine

GOOD = HeaderResult("shaken", attest="B")


def failed(reason: Reason) -> HeaderResult:
    """A header that failed for a reason."""
    return HeaderResult("shaken", reason, attest="A")


@pytest.mark.clause("VS-01")
@pytest.mark.parametrize("reason", list(Reason))
def test_one_good_header_is_enough(reason: Reason) -> None:
    """A bad header beside a good one changes nothing, in either order."""
    for results in ((GOOD, failed(reason)), (failed(reason), GOOD)):
        verdict = combine(results)
        assert verdict.verstat is Verstat.PASSED
        assert (verdict.reason, verdict.code, verdict.attest) == (None, None, "B")


@pytest.mark.clause("VS-18")
def test_no_header_is_none() -> None:
    """Without an Identity header field there is nothing to say."""
    verdict = combine(())
    assert (verdict.verstat, verdict.reason, verdict.code) == (Verstat.NONE, Reason.MISSING, 428)


@pytest.mark.clause("VS-03", "VS-18")
def test_unsupported_types_count_as_absent() -> None:
    """Only unsupported types: no validation took place; a failed one beside them decides."""
    ignored = failed(Reason.UNSUPPORTED_PPT)
    assert (combine((ignored,)).verstat, combine((ignored,)).code) == (Verstat.NONE, 428)
    assert combine((ignored, failed(Reason.SIGNATURE))).verstat is Verstat.FAILED


@pytest.mark.clause("VS-19")
def test_436_only_when_no_certificate_could_be_had() -> None:
    """A certificate that was there and did not do outranks one that could not be fetched."""
    unavailable = failed(Reason.CERTIFICATE_UNAVAILABLE)
    assert (combine((unavailable,)).verstat, combine((unavailable,)).code) == (Verstat.NONE, 436)
    assert combine((unavailable, failed(Reason.CERTIFICATE_UNTRUSTED))).code == 437
    assert combine((failed(Reason.SIGNATURE), unavailable)).code == 438


def test_the_header_that_came_furthest_is_told() -> None:
    """Of two bad headers the one that passed more checks says more."""
    verdict = combine((failed(Reason.SIGNATURE), failed(Reason.MALFORMED_HEADER), failed(Reason.STALE)))
    assert verdict.reason is Reason.SIGNATURE
    assert verdict.attest is None


@pytest.mark.clause("VS-22", "RFC 8224 6.2.2")
def test_reasons_are_a_stable_list_with_codes() -> None:
    """Names and codes are what records, metrics and responses show."""
    assert {str(reason): (reason.code, reason.phrase) for reason in Reason} == {
        "missing": (428, "Use Identity Header"),
        "unsupported-ppt": (428, "Use Identity Header"),
        "malformed-header": (438, "Invalid Identity Header"),
        "info-missing": (438, "Invalid Identity Header"),
        "compact-form": (438, "Invalid Identity Header"),
        "malformed-token": (438, "Invalid Identity Header"),
        "algorithm": (438, "Invalid Identity Header"),
        "ppt-mismatch": (438, "Invalid Identity Header"),
        "info-mismatch": (438, "Invalid Identity Header"),
        "claims": (438, "Invalid Identity Header"),
        "x5u-refused": (436, "Bad Identity Info"),
        "stale": (403, "Stale Date"),
        "orig-mismatch": (438, "Invalid Identity Header"),
        "dest-mismatch": (438, "Invalid Identity Header"),
        "diversion": (438, "Invalid Identity Header"),
        "media-key": (438, "Invalid Identity Header"),
        "priority-mismatch": (438, "Invalid Identity Header"),
        "digest": (438, "Invalid Identity Header"),
        "certificate-unavailable": (436, "Bad Identity Info"),
        "certificate-malformed": (437, "Unsupported Credential"),
        "certificate-untrusted": (437, "Unsupported Credential"),
        "certificate-expired": (437, "Unsupported Credential"),
        "certificate-tn-list": (437, "Unsupported Credential"),
        "certificate-scope": (437, "Unsupported Credential"),
        "certificate-tn-reference": (437, "Unsupported Credential"),
        "certificate-status": (437, "Unsupported Credential"),
        "certificate-revoked": (437, "Unsupported Credential"),
        "signature": (438, "Invalid Identity Header"),
        "claims-not-permitted": (438, "Invalid Identity Header"),
        "replayed": (438, "Invalid Identity Header"),
    }


@pytest.mark.clause("VS-25")
def test_verstat_values_are_those_of_3gpp() -> None:
    """The three values of the tel URI parameter."""
    assert [str(value) for value in Verstat] == ["TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"]

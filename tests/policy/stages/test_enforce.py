"""The enforcement stage."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Callback, Refusal, Verified
from sipguard.policy.rules import RULES
from sipguard.policy.settings import PolicySettings
from sipguard.policy.stages.enforce import RULE_OF, examine
from sipguard.stir.claims import PriorityClaims
from sipguard.stir.verdict import HeaderResult, Reason, combine
from tests.policy.kit import CONVERSATIONAL, OWNED, call_of, failed, invite, passed, view_of

STRICT = PolicySettings(verify_on_failure="reject", verify_on_unavailable="reject", verify_require=True)
ABSENT = (Reason.MISSING, Reason.UNSUPPORTED_PPT)


def enforced(verdict, policy=None, trunk=CONVERSATIONAL, *headers, uri=f"sip:+{OWNED}@p"):
    """What policy makes of a verdict."""
    call = call_of(invite(uri, "<sip:+14155550199@c>", None, *headers), trunk=trunk, account=None)
    call.verified = None if verdict is None else Verified(verdict)
    return examine(call, view_of(policy=policy or PolicySettings()))


@pytest.mark.clause("VS-30", "RFC 8224 6.2.1")
@pytest.mark.parametrize("reason", list(Reason))
def test_the_default_lets_every_call_through(reason):
    """By default a bad verdict is measured and tagged, not refused."""
    assert enforced(failed(reason)) is None


@pytest.mark.clause("VS-18", "VS-19", "VS-20", "VS-21", "VS-22", "RFC 8224 6.2.2")
@pytest.mark.parametrize("reason", list(Reason))
def test_a_strict_policy_refuses_each_reason_with_its_code(reason):
    """Every reason is refused by the rule whose answer is the code of RFC 8224."""
    finding = enforced(failed(reason), STRICT)
    assert isinstance(finding, Refusal)
    assert RULES[finding.rule].code == reason.code
    assert RULES[finding.rule].phrase == reason.phrase


def test_rule_names_tell_what_was_wrong():
    """The names an operator reads in the record say which check failed; like is told with like."""
    assert [RULE_OF[reason] for reason in (Reason.STALE, Reason.SIGNATURE, Reason.REPLAYED, Reason.DEST_MISMATCH)] == [
        "stir.stale",
        "stir.signature",
        "stir.replayed",
        "stir.dest-mismatch",
    ]
    assert RULE_OF[Reason.CERTIFICATE_TN_LIST] == RULE_OF[Reason.CERTIFICATE_UNTRUSTED] == "stir.certificate-untrusted"
    assert RULE_OF[Reason.ALGORITHM] == RULE_OF[Reason.CLAIMS] == "stir.malformed"
    assert {RULE_OF[reason] for reason in Reason} == {name for name in RULES if name.startswith("stir.")}


def test_a_good_call_passes_the_strict_policy():
    """A passed verdict is never refused."""
    assert enforced(passed(), STRICT) is None


@pytest.mark.clause("VS-18")
@pytest.mark.parametrize("reason", ABSENT)
def test_a_missing_identity_is_its_own_choice(reason):
    """Refusing bad signatures does not refuse unsigned calls, and the other way round."""
    assert enforced(failed(reason), replace(STRICT, verify_require=False)) is None
    assert enforced(failed(reason), PolicySettings(verify_require=True)) is not None
    assert enforced(failed(Reason.SIGNATURE), PolicySettings(verify_require=True)) is None


@pytest.mark.clause("VS-19")
def test_an_unavailable_certificate_is_its_own_choice():
    """A certificate that could not be had is not a wrong one."""
    verdict = failed(Reason.CERTIFICATE_UNAVAILABLE)
    assert enforced(verdict, replace(STRICT, verify_on_unavailable="tag")) is None
    assert enforced(verdict, PolicySettings(verify_on_unavailable="reject")) is not None


@pytest.mark.parametrize(
    ("reason", "strict", "lenient"),
    [
        (Reason.SIGNATURE, {"on_failure": "reject"}, {"on_failure": "tag"}),
        (Reason.CERTIFICATE_UNAVAILABLE, {"on_unavailable": "reject"}, {"on_unavailable": "tag"}),
        (Reason.MISSING, {"require_identity": True}, {"require_identity": False}),
    ],
)
def test_a_trunk_overrides_the_policy(reason, strict, lenient):
    """A trunk may be stricter or more lenient than the policy."""
    assert enforced(failed(reason), trunk=replace(CONVERSATIONAL, **strict)) is not None
    assert enforced(failed(reason), STRICT, replace(CONVERSATIONAL, **lenient)) is None


@pytest.mark.clause("VS-39")
@pytest.mark.parametrize("uri", ["sip:911@p", "tel:911", "urn:service:sos.fire"])
def test_an_emergency_call_is_never_refused_for_its_verdict(uri):
    """A bad or missing signature does not stop a call to an emergency number."""
    for reason in Reason:
        assert enforced(failed(reason), STRICT, uri=uri) is None


@pytest.mark.clause("EMG-09", "EMG-10", "RFC 7090 5.3")
def test_a_trusted_call_back_is_never_refused():
    """A call back from an emergency centre passes when a trusted trunk says so, and not on a stranger's word."""
    header = "Priority: PSAP-Callback"
    assert enforced(failed(Reason.SIGNATURE), STRICT, CONVERSATIONAL, header) is None
    assert enforced(failed(Reason.SIGNATURE), STRICT, replace(CONVERSATIONAL, trusted=False), header) is not None
    assert enforced(failed(Reason.SIGNATURE), STRICT, CONVERSATIONAL, "Priority: urgent") is not None


@pytest.mark.clause("EMG-09", "RPH-05", "RFC 9027 4")
def test_a_call_back_that_an_authority_vouches_for():
    """A good rph PASSporT with sph stands for a trusted trunk's word."""
    untrusted = replace(CONVERSATIONAL, trusted=False)
    for callback in (True, False):
        vouched = HeaderResult("rph", extension=PriorityClaims(("esnet.0",), callback))
        verdict = combine((HeaderResult("shaken", Reason.SIGNATURE), vouched))
        found = enforced(verdict, STRICT, untrusted, "Priority: psap-callback")
        assert found == Callback("vouched") if callback else isinstance(found, Refusal)
        assert isinstance(enforced(verdict, STRICT, untrusted), Refusal)


@pytest.mark.clause("RPH-02")
def test_a_failed_priority_is_no_reason_to_refuse():
    """The call is an ordinary call; only the number decides."""
    failed_priority = HeaderResult("rph", Reason.SIGNATURE)
    strict = replace(STRICT, verify_require=False)
    assert enforced(combine((failed_priority,)), strict) is None
    assert enforced(combine((failed_priority, HeaderResult("shaken"))), STRICT) is None


@pytest.mark.clause("VS-38")
def test_what_was_not_verified_is_not_judged():
    """A request without a verdict passes."""
    assert enforced(None, STRICT) is None


def test_a_call_to_no_number_is_judged_like_any_other():
    """A Request-URI that cannot be read does not excuse a bad signature."""
    assert enforced(failed(Reason.SIGNATURE), STRICT, uri="sip:%zz@p") is not None

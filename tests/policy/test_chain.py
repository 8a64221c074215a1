"""The chain: the order of the stages, what a mode makes of a refusal, and where a parked call resumes."""

from dataclasses import replace

import pytest

from sipguard.policy import chain
from sipguard.policy.account import AccountState
from sipguard.policy.chain import ORIGINATION, TERMINATION, run
from sipguard.policy.decision import FORWARD, Decision
from sipguard.policy.finding import Refusal
from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.rules import RULES, Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import OnMismatch, TrafficClass
from sipguard.stir.attestation import Attestation
from sipguard.stir.verdict import Reason
from sipguard.stir.verification import MissingCertificate
from tests.policy.kit import (
    CONVERSATIONAL,
    CUSTOMER,
    DELEGATED,
    DIALER,
    EMERGENCY,
    FOREIGN,
    LISTED,
    OWNED,
    VERIFIED,
    FakeSigner,
    FakeVerification,
    call_of,
    directory,
    failed,
    in_state,
    invite,
    passed,
    tagged_book,
    view_of,
)

CALLED = "sip:+14155550150@proxy.example"
ANONYMOUS = "<sip:anonymous@anonymous.invalid>"


def customer_call(from_=f"<sip:+{OWNED}@pbx>", *headers, uri=CALLED, **parts):
    """A customer's call."""
    return call_of(invite(uri, from_, None, *headers), **parts)


def network_call(uri=f"sip:+{OWNED}@p", *headers, trunk=CONVERSATIONAL):
    """A call from the network."""
    return call_of(invite(uri, f"<sip:+{FOREIGN}@c>", None, *headers), trunk=trunk, account=None)


def modes(**changes):
    """A policy with rules in other modes; underscores stand for the dots and dashes that names need."""
    names = {name.replace(".", "_").replace("-", "_"): name for name in RULES}
    return PolicySettings(modes={names[key]: mode for key, mode in changes.items()})


def test_the_stages_are_in_the_documented_order():
    """Emergency comes first, the route and what leaves by it last; verification is measured before it is enforced."""
    assert [stage.name for stage in ORIGINATION] == [
        "emergency", "account", "rate", "rotation", "caller-id", "end-user", "diversion", "caller-number",
        "display-name", "display-number", "do-not-originate", "destination", "do-not-call", "hours", "repeated",
        "velocity", "wangiri", "concurrency", "hugging", "robodial", "attest", "sign", "route", "egress", "privacy",
    ]  # fmt: skip
    assert [stage.name for stage in TERMINATION] == [
        "callback", "rate", "verify", "enforce", "network-caller", "concurrency", "route", "egress", "privacy",
    ]  # fmt: skip


@pytest.mark.clause("AS-22")
@pytest.mark.parametrize(
    ("from_", "headers", "level"),
    [
        (f"<sip:+{OWNED}@pbx>", (), Attestation.A),
        (f"<sip:+{DELEGATED}@pbx>", (), Attestation.A),
        (f"<sip:+{VERIFIED}@pbx>", (), Attestation.B),
        (ANONYMOUS, (f"P-Asserted-Identity: <sip:+{OWNED}@pbx>",), Attestation.A),
    ],
)
def test_an_authorised_call_leaves_signed(from_, headers, level):
    """Owned and delegated numbers leave with A, verified ones with B, anonymous ones under the asserted number."""
    call = customer_call(from_, *headers)
    assert run(call, view_of()) is FORWARD
    assert call.attested is not None
    assert call.attested.level is level
    assert call.signed is not None
    assert call.routed is not None
    assert call.routed.trunks == (CONVERSATIONAL,)


@pytest.mark.parametrize(
    ("call", "rule", "code"),
    [
        (customer_call(f"<sip:+{FOREIGN}@pbx>"), "caller-id.not-owned", 403),
        (
            customer_call(f"<sip:+{OWNED}@pbx>", f"P-Asserted-Identity: <tel:+{FOREIGN}>"),
            "caller-id.asserted-not-owned",
            403,
        ),
        (customer_call(ANONYMOUS), "caller-id.missing", 403),
        (customer_call(f"<sip:+{LISTED}@pbx>"), "caller-id.do-not-originate", 403),
        (customer_call(account=in_state(AccountState.SUSPENDED)), "account.suspended", 403),
        (customer_call(account=in_state(AccountState.TERMINATED)), "account.terminated", 403),
        (customer_call(uri="sip:alice@p"), "destination.invalid", 484),
        (customer_call(f"<sip:+{DELEGATED}@pbx>", uri="sip:911@p"), "emergency.unprovisioned", 403),
        (network_call("sip:+14155550150@p"), "destination.unknown", 404),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_rule_refuses_with_its_answer(call, rule, code):
    """The first rule that matches decides, with its own code, phrase and Reason."""
    decision = run(call, view_of())
    assert isinstance(decision, Decision)
    assert (decision.rule, decision.code, decision.phrase) == (rule, code, RULES[rule].phrase)
    assert decision.reason(PolicySettings()) == f'SIP;cause={code};text="{rule}"'
    assert call.trail[-1] == (call.trail[-1][0], "refuse", rule)


def test_the_account_comes_before_the_number():
    """A suspended account is refused as such, whatever it presents."""
    decision = run(customer_call(f"<sip:+{FOREIGN}@pbx>", account=in_state(AccountState.SUSPENDED)), view_of())
    assert isinstance(decision, Decision)
    assert decision.rule == "account.suspended"


def test_only_unprovisioned_emergency_calls_and_outages_alert():
    """An operator is woken for an emergency call that was refused, not for a forged number."""
    unprovisioned = run(customer_call(f"<sip:+{DELEGATED}@pbx>", uri="sip:911@p"), view_of())
    forged = run(customer_call(f"<sip:+{FOREIGN}@pbx>"), view_of())
    assert isinstance(unprovisioned, Decision)
    assert isinstance(forged, Decision)
    assert (unprovisioned.alert, forged.alert) == (True, False)


@pytest.mark.clause("EMG-04")
@pytest.mark.parametrize(
    "call",
    [
        customer_call(f"<sip:+{OWNED}@pbx>", f"P-Preferred-Identity: <sip:+{FOREIGN}@x>", uri="sip:911@p"),
        customer_call(account=in_state(AccountState.SUSPENDED), uri="sip:911@p"),
        customer_call(account=in_state(AccountState.TERMINATED), uri="sip:911@p"),
        customer_call(uri="urn:service:sos.fire"),
        customer_call(f"<sip:+{OWNED}@pbx>", "P-Asserted-Identity: <<", uri="sip:911@p"),
    ],
)
def test_nothing_stops_a_provisioned_emergency_call(call):
    """Rules that would refuse an ordinary call are recorded and not applied; the emergency trunk is taken."""
    book = tagged_book()
    view = view_of(policy=modes(robodial_tag=Mode.BLOCK), traffic=book)
    assert run(call, view) is FORWARD
    assert call.routed is not None
    assert call.routed.trunks == (EMERGENCY,)
    assert call.classified is not None
    assert call.classified.traffic_class is TrafficClass.EMERGENCY


@pytest.mark.clause("EMG-04")
def test_what_an_emergency_call_would_have_been_refused_for_is_on_record():
    """Measured refusals of an emergency call are reported."""
    call = customer_call(account=in_state(AccountState.SUSPENDED), uri="sip:911@p")
    run(call, view_of())
    assert [refusal.rule for refusal in call.reported] == ["account.suspended"]


@pytest.mark.clause("EMG-04", "AS-28")
def test_a_signing_outage_does_not_stop_an_emergency_call():
    """Where the operator refuses unsigned calls, an emergency call leaves unsigned."""
    call = customer_call(uri="sip:911@p")
    view = view_of(signer=FakeSigner(RuntimeError()), policy=PolicySettings(sign_outage="refuse"))
    assert run(call, view) is FORWARD
    assert call.signed is None
    assert [refusal.rule for refusal in call.reported] == ["sign.outage"]


@pytest.mark.clause("EMG-05")
def test_an_emergency_call_is_signed():
    """A provisioned 911 call leaves with a PASSporT for 911."""
    signer = FakeSigner()
    run(customer_call(uri="tel:911"), view_of(signer=signer))
    assert signer.signed[0][:3] == (OWNED, ("911",), "A")


@pytest.mark.clause("AS-28")
def test_a_signing_outage_refuses_where_configured():
    """With sign_outage refuse, a call that cannot be signed is answered 503."""
    decision = run(customer_call(), view_of(signer=None, policy=PolicySettings(sign_outage="refuse")))
    assert isinstance(decision, Decision)
    assert (decision.code, decision.phrase, decision.alert) == (503, "Signing Unavailable", True)


def test_a_rule_in_report_is_recorded_and_not_applied():
    """A dry run lets the call go and keeps what it would have been refused for."""
    call = customer_call(account=in_state(AccountState.SUSPENDED))
    assert run(call, view_of(policy=modes(account_suspended=Mode.REPORT))) is FORWARD
    assert [refusal.rule for refusal in call.reported] == ["account.suspended"]


def test_a_rule_that_is_off_is_not_even_recorded():
    """Off means that nothing is said, beside the trail of the stage."""
    call = customer_call(account=in_state(AccountState.SUSPENDED))
    assert run(call, view_of(policy=modes(account_suspended=Mode.OFF))) is FORWARD
    assert call.reported == []


def test_a_dry_run_of_the_caller_rule_never_signs_a():
    """A foreign number in report mode goes out with B, and its trail says that there is no right to it."""
    call = customer_call(f"<sip:+{FOREIGN}@pbx>")
    assert run(call, view_of(policy=modes(caller_id_not_owned=Mode.REPORT))) is FORWARD
    assert call.attested is not None
    assert call.attested.level is Attestation.B
    assert ("caller-id", "pass", "no-right", "caller-id.not-owned") in call.trail


@pytest.mark.parametrize("choice", [OnMismatch.DOWNGRADE, OnMismatch.REPORT])
def test_a_downgraded_call_is_never_signed_a(choice):
    """A number without a right gets B at most."""
    call = customer_call(f"<sip:+{FOREIGN}@pbx>", trunk=replace(CUSTOMER, on_mismatch=choice))
    assert run(call, view_of()) is FORWARD
    assert call.attested is not None
    assert call.attested.level is Attestation.B


def test_a_replaced_number_is_the_one_that_is_signed():
    """After a replacement the signature is for the number that leaves."""
    signer = FakeSigner()
    run(
        customer_call(f"<sip:+{FOREIGN}@pbx>", trunk=replace(CUSTOMER, on_mismatch=OnMismatch.REPLACE)),
        view_of(signer=signer),
    )
    assert signer.signed[0][0] == OWNED


def test_tagged_traffic_leaves_by_the_segregated_route():
    """With the rule in divert, a tagged account's call takes the dialer trunk under an origid of its own."""
    call = customer_call()
    assert run(call, view_of(policy=modes(robodial_tag=Mode.DIVERT), traffic=tagged_book())) is FORWARD
    assert call.routed is not None
    assert call.routed.trunks == (DIALER,)
    assert call.attested is not None
    assert call.attested.origid == "acme/dialer"


def test_tagged_traffic_without_a_segregated_route_goes_nowhere():
    """Tagged calls that leave by the conversational route: none, ever."""
    view = view_of(
        policy=modes(robodial_tag=Mode.DIVERT),
        traffic=tagged_book(),
        directory=directory(trunks=(CUSTOMER, CONVERSATIONAL)),
    )
    decision = run(customer_call(), view)
    assert isinstance(decision, Decision)
    assert (decision.rule, decision.code) == ("destination.no-route", 480)


@pytest.mark.clause("BLK-04", "ATIS-1000099")
def test_a_blocked_dialer_gets_603():
    """The analytics family answers 603 Network Blocked."""
    decision = run(customer_call(), view_of(policy=modes(robodial_tag=Mode.BLOCK), traffic=tagged_book()))
    assert isinstance(decision, Decision)
    assert (decision.code, decision.phrase) == (603, "Network Blocked")


def test_a_good_call_from_the_network_reaches_its_customer():
    """A verified call goes to the trunk of the called number."""
    call = network_call()
    assert run(call, view_of()) is FORWARD
    assert call.verified is not None
    assert call.routed is not None
    assert call.routed.trunks == (CUSTOMER,)


@pytest.mark.clause("RFC 8224 6.2.2")
@pytest.mark.parametrize(
    ("reason", "code", "phrase"),
    [
        (Reason.STALE, 403, "Stale Date"),
        (Reason.MISSING, 428, "Use Identity Header"),
        (Reason.CERTIFICATE_UNAVAILABLE, 436, "Bad Identity Info"),
        (Reason.CERTIFICATE_UNTRUSTED, 437, "Unsupported Credential"),
        (Reason.SIGNATURE, 438, "Invalid Identity Header"),
        (Reason.DEST_MISMATCH, 438, "Invalid Identity Header"),
    ],
)
def test_a_strict_trunk_answers_as_rfc_8224_says(reason, code, phrase):
    """Each kind of failure is refused with its own code and phrase, and no Reason of ours beside it."""
    trunk = replace(CONVERSATIONAL, on_failure="reject", on_unavailable="reject", require_identity=True)
    decision = run(network_call(trunk=trunk), view_of(verification=FakeVerification(failed(reason))))
    assert isinstance(decision, Decision)
    assert (decision.code, decision.phrase, decision.reason(PolicySettings())) == (code, phrase, None)


@pytest.mark.clause("VS-30")
def test_a_bad_signature_is_delivered_by_default():
    """A failed verdict goes to the customer as it is."""
    call = network_call()
    assert run(call, view_of(verification=FakeVerification(failed(Reason.SIGNATURE)))) is FORWARD
    assert call.verified is not None
    assert call.verified.verdict.reason is Reason.SIGNATURE


def test_a_parked_call_resumes_at_the_stage_that_asked():
    """After the answer the stage that needed a certificate runs again, and no stage before it."""
    call = network_call()
    view = view_of(verification=FakeVerification(MissingCertificate("https://c.example/a.pem"), passed()))
    need = run(call, view)
    assert need == CertificateNeed("https://c.example/a.pem")
    assert (call.position, call.trail) == (2, [("callback", "pass"), ("rate", "pass")])
    call.answers[need] = Answer(True)
    assert run(call, view) is FORWARD
    assert [entry[0] for entry in call.trail] == [
        "callback", "rate", "verify", "enforce", "network-caller", "concurrency", "route", "egress", "privacy",
    ]  # fmt: skip


def test_a_refusal_becomes_the_answer_of_its_rule():
    """Refusals made outside the chain get the same table's answer."""
    decision = chain.refuse(Refusal("source.unknown", "no trunk at 192.0.2.9"))
    assert (decision.code, decision.phrase, decision.detail) == (403, "Forbidden", "no trunk at 192.0.2.9")

"""What begins the watch for changing caller numbers."""

from dataclasses import replace

import pytest

from sipguard.policy.finding import Callback, Emergency
from sipguard.policy.rotation import caller_of, note_answer, note_refusal, pair_of
from sipguard.sip.response import build_response
from tests.policy.kit import CONVERSATIONAL, CUSTOMER, OWNED, VERIFIED, call_of, invite, view_of


@pytest.mark.clause("policy: evading filters")
@pytest.mark.parametrize(
    ("rule", "begins"),
    [
        ("caller-id.not-owned", True), ("caller-id.rotation", True), ("destination.country", True),
        ("robodial.tag", True), ("destination.no-route", False), ("limit.rate", False), ("account.suspended", False),
        ("node.draining", False), ("sign.outage", False),
    ],
)  # fmt: skip
def test_refusals_that_another_number_might_avoid(rule: str, begins: bool) -> None:
    """Of the number, of the destination, by analytics; not for too many calls, or for what is wrong with us."""
    view = view_of()
    note_refusal(call_of(), rule, view, 1.0)
    assert bool(view.rotation) is begins


@pytest.mark.parametrize(
    ("phrase", "reason", "begins"),
    [
        ("Network Blocked", None, True), ("network blocked", None, True), ("Decline", None, False),
        ("Decline", 'Q.850;cause=21;location=LN;text="v=analytics1;url=x"', True), ("Decline", "Q.850;cause=21", False),
    ],
)  # fmt: skip
def test_a_603_of_analytics_is_told_from_a_persons(phrase: str, reason: str | None, begins: bool) -> None:
    """By its phrase or by its Reason (ATIS-1000099)."""
    view, call = view_of(), call_of()
    response = build_response(call.request, 603, phrase, "tag", (("reason", reason),) if reason else ())
    note_answer(call, response, view, 1.0)
    assert bool(view.rotation) is begins


def test_only_calls_of_accounts_to_numbers_are_counted() -> None:
    """No account, many callers, no number, a call for help or back from help: none of them is one."""
    assert pair_of(call_of()) == ("acme", "14155550150")
    assert pair_of(call_of(trunk=replace(CUSTOMER, gateway=True))) is None
    assert pair_of(call_of(trunk=CONVERSATIONAL, account=None)) is None
    assert pair_of(call_of(invite("sip:alice@p"))) is None
    assert pair_of(call_of(invite("sip:%zz@p"))) is None
    for name, finding in (("emergency", Emergency("911", None)), ("callback", Callback("marked"))):
        call = call_of()
        setattr(call, name, finding)
        assert pair_of(call) is None


@pytest.mark.parametrize("field", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_a_caller_is_what_the_call_presents(field: str) -> None:
    """Changing the number in any identity field is changing the caller; another spelling is not, nor another field."""
    first, second = call_of(), call_of(invite(from_="<sip:4155550100@pbx>"))
    assert caller_of(first) == caller_of(second)
    same = call_of(invite("sip:+14155550150@p", f"<sip:+{OWNED}@pbx>", None, f"{field}: <tel:+{OWNED}>"))
    assert caller_of(same) == caller_of(first)
    other = call_of(invite("sip:+14155550150@p", f"<sip:+{OWNED}@pbx>", None, f"{field}: <sip:+{VERIFIED}@pbx>"))
    assert caller_of(other) != caller_of(first)
    assert caller_of(call_of(invite(from_="<sip:alice@pbx>"))) != caller_of(first)

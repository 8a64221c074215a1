"""Emergency: the first stage, so that nothing else can refuse the call (EMG-04).

An emergency number is one of the trunk's country, or of the country that the caller's number is registered in: a German
number behind an American trunk dials 110. The call is provisioned when the caller's number (a P-Asserted-Identity
number, else From) is registered for the account, paid for, and in the country whose number was dialled. Any one
presented number that is registered will do: the registration carries the dispatchable location, and a person waits at
the other end.

What happens otherwise is the operator's explicit choice, per account, per country or for all (``Unprovisioned``). Some
providers must not refuse (47 CFR 9.11). A choice that cannot be carried out becomes another: without a trunk for
announcements the call is refused; a 933 test of a caller with nothing to test is, rather than trouble a call centre. A
rule mode other than ``block`` routes what would be refused: an emergency call is never handled as an ordinary one.
"""

from collections.abc import Iterable
from dataclasses import replace

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.emergency_numbers import TESTS, recognised, short_number
from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.presented import ASSERTED, from_number, numbers
from sipguard.policy.right import EmergencyRegistration
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import TrafficClass
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for
from sipguard.stir.telephone_number import TN, DialPlan

_RULE = "emergency.unprovisioned"


def examine(call: Call, view: View) -> Emergency | Refusal | None:
    """Recognise an emergency call and look up its registration."""
    if call.request.method != "INVITE":
        return None
    try:
        uri = call.request_uri
    except MalformedValue:
        return None
    dialled = short_number(uri)
    if not dialled:  # nearly every call
        return None
    callers = _callers(call)
    registrations = [entry for entry in map(view.directory.emergency, callers) if entry is not None]
    country, number = _recognise(dialled, call.trunk.dial_plan, registrations, view)
    if number is None:
        return None
    for registration in registrations:
        if _provisioned(call, registration, country):
            return Emergency(number, registration, callback=registration.callback or registration.tn)
    choice = _choice(call, country, number, view)
    if choice is Unprovisioned.REJECT and mode_for(_RULE, call, view) is not Mode.BLOCK:
        choice = Unprovisioned.ROUTE
    if choice is not Unprovisioned.REJECT:
        callback = callers[0] if callers else None
        return Emergency(number, None, choice, callback, _assigned(call, callback, view))
    who = f"+{callers[0]}" if callers else "a caller without a number"
    detail = f"{who} is not provisioned for emergency calls to {number}"
    return Refusal(_RULE, detail, alert=True, emergency=number)


def _assigned(call: Call, tn: TN | None, view: View) -> bool:
    """Whether the caller may present this number: any other opens nobody's line to whoever says to call back."""
    if tn is None or call.account is None:
        return False
    return call.trunk.gateway or view.directory.right(tn, call.account.name, call.received_at) is not None


def _callers(call: Call) -> tuple[TN, ...]:
    plan = call.trunk.dial_plan
    asserted = numbers(call.request, ASSERTED, plan)
    from_tn = from_number(call.request, plan)
    return asserted if from_tn is None or from_tn in asserted else (*asserted, from_tn)


def _recognise(
    dialled: str, plan: DialPlan, registrations: Iterable[EmergencyRegistration], view: View
) -> tuple[str, str | None]:
    """The country whose emergency number was dialled, and the number: the trunk's country, else the caller's."""
    overrides = view.policy.emergency_numbers
    number = recognised(dialled, plan, overrides)
    if number is None:
        for registration in registrations:
            if registration.country != plan.country:
                number = recognised(dialled, replace(plan, country=registration.country), overrides)
                if number is not None:
                    return registration.country, number
    return plan.country, number


def _choice(call: Call, country: str, number: str, view: View) -> Unprovisioned:
    """What the operator wants of this call, as far as it can be had."""
    policy = view.policy
    choice = call.account.emergency_unprovisioned if call.account is not None else None
    choice = choice or policy.emergency_unprovisioned_by_country.get(country) or policy.emergency_unprovisioned
    if choice is Unprovisioned.ANNOUNCE and not view.directory.egress(TrafficClass.ANNOUNCEMENT):
        return Unprovisioned.REJECT
    return Unprovisioned.REJECT if choice is Unprovisioned.ROUTE_TO_ECRC and number in TESTS else choice


def _provisioned(call: Call, registration: EmergencyRegistration, country: str) -> bool:
    account = call.account
    return (
        account is not None
        and (registration.account == account.name or registration.account in account.path)
        and registration.in_force(call.received_at)
        and registration.country == country
    )

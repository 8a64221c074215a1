"""Enforce: what policy makes of the verdict. The default tags and lets the call through (VS-30).

Three separate choices, each with a default and an override per trunk: a call that carries no usable Identity header
(``require_identity``), one whose signature is wrong (``on_failure``), and one whose certificate could not be had
(``on_unavailable``). Calls to an emergency number, and calls back from an emergency centre that a trusted trunk vouches
for (RFC 7090, EMG-09), are never refused here (VS-39).
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.emergency_numbers import emergency_number
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View
from sipguard.stir.verdict import Verdict, Verstat

_RULES = {403: "stir.stale", 428: "stir.missing", 436: "stir.unavailable", 437: "stir.certificate", 438: "stir.invalid"}


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call whose verdict policy does not accept."""
    if call.verified is None:
        return None
    verdict = call.verified.verdict
    reason = verdict.reason
    if reason is None or not _refused(verdict, call, view) or _emergency(call, view):
        return None
    return Refusal(_RULES[reason.code], verdict.best.detail or reason.value)


def _refused(verdict: Verdict, call: Call, view: View) -> bool:
    trunk, policy = call.trunk, view.policy
    if verdict.code == 428:
        return policy.verify_require if trunk.require_identity is None else trunk.require_identity
    if verdict.verstat is Verstat.NONE:
        return (trunk.on_unavailable or policy.verify_on_unavailable) == "reject"
    return (trunk.on_failure or policy.verify_on_failure) == "reject"


def _emergency(call: Call, view: View) -> bool:
    priority = call.request.value("priority")
    if priority is not None and priority.lower() == "psap-callback" and call.trunk.trusted:
        return True
    try:
        return emergency_number(call.request_uri, call.trunk.dial_plan, view.policy.emergency_numbers) is not None
    except MalformedValue:
        return False

"""Enforce: what policy makes of the verdict. The default tags and lets the call through (VS-30).

Three separate choices, each with a default and an override per trunk: a call that carries no usable Identity header
(``require_identity``), one whose signature is wrong (``on_failure``), and one whose certificate could not be had
(``on_unavailable``). Calls to an emergency number, and calls back from an emergency centre that a trusted trunk or an
``rph`` PASSporT vouches for (RFC 7090, RFC 9027, EMG-09), are never refused here (VS-39). What that PASSporT vouches
for is a call back for all stages that follow.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.emergency_numbers import emergency_number
from sipguard.policy.finding import Callback, Refusal
from sipguard.policy.resource_priority import is_callback
from sipguard.policy.view import View
from sipguard.stir.verdict import Reason, Verdict, Verstat

_MALFORMED = (
    Reason.MALFORMED_HEADER, Reason.INFO_MISSING, Reason.COMPACT_FORM, Reason.MALFORMED_TOKEN, Reason.ALGORITHM,
    Reason.PPT_MISMATCH, Reason.INFO_MISMATCH, Reason.CLAIMS, Reason.PRIORITY_MISMATCH, Reason.DIGEST,
)  # fmt: skip
_UNTRUSTED = (Reason.CERTIFICATE_MALFORMED, Reason.CERTIFICATE_TN_LIST, Reason.CERTIFICATE_TN_REFERENCE)
# Most reasons are rules of their own; what an operator would never treat differently shares one.
RULE_OF = {
    **{reason: f"stir.{reason.value}" for reason in Reason},
    **dict.fromkeys(_MALFORMED, "stir.malformed"),
    **dict.fromkeys(_UNTRUSTED, "stir.certificate-untrusted"),
    Reason.UNSUPPORTED_PPT: "stir.missing",
    Reason.CERTIFICATE_UNAVAILABLE: "stir.unavailable",
    Reason.CERTIFICATE_STATUS: "stir.certificate-revoked",
}


_VOUCHED = Callback("vouched")


def examine(call: Call, view: View) -> Refusal | Callback | None:
    """Refuse a call whose verdict policy does not accept; say that an authority vouches for a call back."""
    if call.verified is None:
        return None
    verdict = call.verified.verdict
    if call.callback is None and is_callback(call.request) and verdict.callback:
        return _VOUCHED
    reason = verdict.reason
    if reason is None or not _refused(verdict, call, view) or _emergency(call, view):
        return None
    return Refusal(RULE_OF[reason], verdict.best.detail or reason.value)


def _refused(verdict: Verdict, call: Call, view: View) -> bool:
    trunk, policy = call.trunk, view.policy
    if verdict.code == 428:
        return policy.verify_require if trunk.require_identity is None else trunk.require_identity
    if verdict.verstat is Verstat.NONE:
        return (trunk.on_unavailable or policy.verify_on_unavailable) == "reject"
    return (trunk.on_failure or policy.verify_on_failure) == "reject"


def _emergency(call: Call, view: View) -> bool:
    if call.trunk.trusted and is_callback(call.request):
        return True
    try:
        return emergency_number(call.request_uri, call.trunk.dial_plan, view.policy.emergency_numbers) is not None
    except MalformedValue:
        return False

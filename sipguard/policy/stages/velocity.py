"""Velocity: how many calls an account may make to one number, and to one country or high-risk prefix, in a short time.

It is an agreed figure, not a score, so what exceeds it is refused with 403. Calls that are refused do not count.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_limits import is_exempt
from sipguard.policy.callee import called_number
from sipguard.policy.finding import Refusal
from sipguard.policy.heading import Heading
from sipguard.policy.velocity import excess
from sipguard.policy.view import View

_RULE = "destination.velocity"


def examine(call: Call, view: View) -> Heading | Refusal | None:
    """Say where the call goes, or that too many went there."""
    settings, account = view.policy.destinations, call.account
    if not settings.velocity.counts or account is None or call.emergency is not None or call.request.method != "INVITE":
        return None
    tn = called_number(call)
    if tn is None:
        return None
    where = settings.headings.of(tn, call.trunk.dial_plan.country)
    why = excess(account, tn, where, view, call.arrived)
    if why and not is_exempt(call, view):
        return Refusal(_RULE, f"{why} by account {account.name}")
    return where

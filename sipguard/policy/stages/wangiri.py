"""Wangiri: an account that makes many telephones ring for an instant, so that people call back at their cost.

Only what the account itself does is seen here. Its people being lured into calling such numbers back is for the rules
about destinations.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_limits import is_exempt
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View

_RULE = "destination.wangiri"


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse the calls of an account whose calls of the last minutes were mostly missed."""
    thresholds, account = view.policy.destinations.wangiri, call.account
    if not thresholds.calls or account is None or call.emergency is not None or call.request.method != "INVITE":
        return None
    missed = view.destinations.missed.judge(account.name, thresholds, call.arrived)
    if missed is None or is_exempt(call, view):
        return None
    return Refusal(_RULE, f"{missed.calls} of {missed.attempts} calls rang for an instant, by account {account.name}")

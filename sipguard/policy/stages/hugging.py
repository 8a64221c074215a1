"""Hugging: the account, or one above it, has kept just below its limits for long (``traffic/hugging``).

A signal and no offence: it stands behind the rules that hold limits, and reports until somebody wants more. Every limit
the call is held against is looked at, as far as it is an account's.
"""

from sipguard.policy.account_limits import charges_of
from sipguard.policy.call import Call
from sipguard.policy.call_limits import is_exempt, said
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View

_RULE = "limit.hugging"


def examine(call: Call, view: View) -> Refusal | None:
    """Say that the account sits at its limit."""
    settings = view.policy.limits.hugging
    if call.account is None or call.emergency is not None or not settings.windows or call.request.method != "INVITE":
        return None
    found = None
    for key, limit in charges_of(call.account, view):
        if limit.rate or limit.concurrent:
            full = view.usage.near.called(key, limit, view.usage.up(key), call.arrived, settings)
            if full >= settings.windows:
                found = found or Refusal(_RULE, f"{said(key)} kept at the limit for {full * settings.window:g} seconds")
    return None if found is None or is_exempt(call, view) else found

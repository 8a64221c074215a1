"""Repeated calls: who sells calls the same number a few times a day, and no more.

Calls that are let go are counted when they are decided (``proxy/screening``); those that never leave are taken back.
"""

from sipguard.policy.call import Call
from sipguard.policy.callee import repeat_of
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse one call too many to the same number."""
    repeated, pair = view.policy.repeated, repeat_of(call, view)
    if pair is None or view.usage.repeats.within(pair, repeated.window, call.arrived) < repeated.calls:
        return None
    account, tn = pair
    hours = repeated.window / 3600
    return Refusal("destination.repeated", f"account {account} called +{tn} {repeated.calls} times in {hours:g} hours")

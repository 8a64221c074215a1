"""Rotation: right after a refusal the account tries other caller numbers, to see which one gets through.

It stands before the rules about numbers, which would refuse most of these calls one by one and each as if it were the
first. What is counted, and since when, is in ``policy/rotation``.
"""

from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal
from sipguard.policy.rotation import caller_of, pair_of
from sipguard.policy.view import View

_RULE = "caller-id.rotation"


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call whose account has tried too many numbers at this callee."""
    if not view.rotation:  # nobody was refused
        return None
    pair = pair_of(call)
    if pair is None or not view.rotation.watches(pair, call.arrived):
        return None
    settings = view.policy.rotation
    tried = view.rotation.tried(pair, caller_of(call), settings.callers)
    if tried < settings.callers:
        return None
    return Refusal(_RULE, f"account {pair[0]} tried {tried} caller numbers at +{pair[1]} after a refusal")

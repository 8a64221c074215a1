"""Throttling: what becomes of a call that a rule in mode ``throttle`` matched.

It goes on as long as its account has no more such calls a second, and no more of them up, than the rule's throttle
says; one too many is refused with the rule's own answer, so that its sender learns the reason. Each account and rule
have a rate and a number of their own; calls from the network are those of their trunk.

The place among the calls that are up is taken at once, because a later stage may have to wait for a certificate. The
rate is spent when the call is through all stages: a call that another rule refuses takes nothing.
"""

from dataclasses import replace
from typing import NamedTuple

from sipguard.policy.call import Call
from sipguard.policy.call_limits import is_exempt
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View
from sipguard.traffic.gcra import Key
from sipguard.traffic.limit import CallLimit


class Throttled(NamedTuple):
    """A rule that matched a call, what the call is charged to for that, and whether it went on."""

    rule: str
    key: Key
    limit: CallLimit
    admitted: bool


def throttle(refusal: Refusal, call: Call, view: View) -> Refusal | None:
    """None when the call goes on, else the refusal with what was too much.

    A rule charges a call once, and never a call for help.
    """
    rule = refusal.rule
    if any(earlier.rule == rule for earlier in call.throttled) or is_exempt(call, view):
        return None
    limit = view.policy.throttle(rule)
    whose = f"trunk {call.trunk.name}" if call.account is None else f"account {call.account.name}"
    key = ("throttle", f"{rule} {whose}")
    excess = _excess(key, limit, call, view)
    call.throttled.append(Throttled(rule, key, limit, not excess))
    call.trail.append(("throttled", "refused" if excess else "admitted", rule))
    if excess:
        return replace(refusal, detail=f"{refusal.detail}; {excess} of {whose}")
    if call.request.method == "INVITE":
        call.hold = view.usage.hold([key]) if call.hold is None else call.hold.extended([key])
    return None


def spend(call: Call, view: View) -> None:
    """The call goes on: it has had its turn of every rate."""
    for throttled in call.throttled:
        if throttled.limit.rate:
            view.usage.rates.spend(throttled.key, throttled.limit, call.arrived)


def _excess(key: Key, limit: CallLimit, call: Call, view: View) -> str:
    """What there would be too much of, empty when there would not."""
    if call.request.method == "INVITE" and view.usage.is_full(key, limit):
        return f"more than {limit.concurrent} such calls at a time"
    if limit.rate and not view.usage.rates.admits(key, limit, call.arrived):
        return f"more than {limit.rate:g} such calls a second"
    return ""

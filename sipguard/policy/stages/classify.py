"""Classify: which traffic class the call belongs to, fixed at INVITE from its account's standing.

What a tag does is the mode of ``robodial.tag``: ``off`` ignores it; ``report`` only writes it down (tags begin with
``report``); ``tag`` writes it down as in force; ``divert`` sends the call by the segregated route; ``throttle`` as
well, no faster than the rule's throttle says (the chain counts); ``block`` refuses it with 603. An account the operator
has restricted is segregated whatever the mode: that is a decision about a customer, not a statistic. So is a call that
an earlier rule in mode ``divert`` matched.
"""

from sipguard.policy.account import AccountState
from sipguard.policy.call import Call
from sipguard.policy.end_user import state_of
from sipguard.policy.finding import Classified, Refusal
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import TrafficClass
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for

_RULE = "robodial.tag"
_CONVERSATIONAL = Classified(TrafficClass.CONVERSATIONAL)
_EMERGENCY = Classified(TrafficClass.EMERGENCY)


def examine(call: Call, view: View) -> Classified | Refusal:
    """Say which class the call travels in."""
    if call.emergency is not None:
        return _EMERGENCY
    account = call.account
    if account is None:
        return _CONVERSATIONAL
    standing = view.traffic.standing(account.name)
    mode = mode_for(_RULE, call, view) if standing.tagged else Mode.OFF
    if mode is Mode.BLOCK:
        return Refusal(_RULE, f"traffic of account {account.name} is tagged: {', '.join(standing.reasons)}")
    tags = standing.reasons if mode is not Mode.OFF else ()
    throttled = _RULE if mode is Mode.THROTTLE else ""
    if call.diverted:
        return Classified(TrafficClass.DIALER, tags, standing.points, throttled)
    if state_of(call, view) is AccountState.RESTRICTED:
        return Classified(TrafficClass.DIALER, ("account-restricted", *tags), standing.points, throttled)
    if mode in (Mode.DIVERT, Mode.THROTTLE):
        return Classified(TrafficClass.DIALER, tags, standing.points, throttled)
    if mode is Mode.REPORT:
        tags = ("report", *tags)
    return Classified(TrafficClass.CONVERSATIONAL, tags, standing.points) if tags else _CONVERSATIONAL

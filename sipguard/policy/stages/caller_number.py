"""Caller number: nobody shows an emergency or premium number, or one that cannot be, whoever it is assigned to.

The registry may be wrong: it holds what somebody imported. Every number the next hop may read is judged; of several
faults one that is refused counts before one that is only reported.

The caller of a call that was forwarded, and of one that a gateway brings, is somebody of whom we know no more than of
any caller from the network; for those the rules of ``network_caller`` hold.
"""

from sipguard.policy.call import Call
from sipguard.policy.caller_numbers import FAULTS, UNALLOCATED
from sipguard.policy.finding import Refusal
from sipguard.policy.rules import Mode
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for
from sipguard.stir.telephone_number import TN


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a caller number that cannot be right."""
    if call.emergency is not None:
        return None
    fault_of, plan = view.policy.caller_numbers.fault, call.trunk.dial_plan
    found = None
    for tn in _shown(call):
        fault = fault_of(tn, plan)
        if fault:
            rules = _rules_for(fault, call)
            if not rules:
                continue
            refusal = Refusal(f"{rules}.{fault}", f"+{tn} {FAULTS[fault]}")
            if mode_for(refusal.rule, call, view) is Mode.BLOCK:
                return refusal
            found = found or refusal
    return found


def _shown(call: Call) -> tuple[TN, ...]:
    if call.identity is not None:
        return call.identity.shown
    return () if call.from_tn is None else (call.from_tn,)


def _rules_for(fault: str, call: Call) -> str:
    """The family of rules that holds; empty where a PASSporT that was verified knows better than a numbering plan."""
    forwarded = call.identity.forwarded if call.identity is not None else None
    if forwarded is not None:
        return "" if forwarded.signed and fault == UNALLOCATED else "network-caller"
    return "network-caller" if call.trunk.gateway else "caller-id"

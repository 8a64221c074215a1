"""Network caller: a call from the network that shows a number no call comes from.

Numbers on a do-not-originate list are refused: that list is what the operator says. The rest rests on numbering plans
that may be older than a range, and on what carriers do with short codes, so it is reported until somebody switches it
on; a signature that holds is a better witness of a range than a plan. A call back from an emergency centre is never
asked (EMG-10), and neither is a call *to* an emergency number.

Judged is what the customer is shown: From, and P-Asserted-Identity where the trunk is trusted to write one.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.call_limits import is_exempt
from sipguard.policy.caller_numbers import FAULTS, INVALID, UNALLOCATED
from sipguard.policy.finding import Refusal
from sipguard.policy.presented import ASSERTED, from_identity, numbers
from sipguard.policy.rules import Mode
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for
from sipguard.stir.telephone_number import TN
from sipguard.stir.verdict import Verstat


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a caller number that cannot be right."""
    if call.callback is not None:
        return None
    found = None
    for refusal in _faults(call, view):
        if mode_for(refusal.rule, call, view) is Mode.BLOCK:
            found = refusal
            break
        found = found or refusal
    return None if found is None or is_exempt(call, view) else found


def _faults(call: Call, view: View) -> list[Refusal]:
    from_tn, plan = call.from_tn, call.trunk.dial_plan
    shown = _asserted(call)
    if from_tn is None:
        faults = [_refusal(INVALID, "From")] if _is_broken(call) else []
    else:
        faults = []
        if from_tn not in shown:
            shown = (*shown, from_tn)
    for tn in shown:
        entry = view.directory.do_not_originate(tn, call.received_at)
        if entry is not None:
            detail = f"+{tn} is on a do-not-originate list ({entry.pattern})"
            faults.append(Refusal("network-caller.do-not-originate", detail))
        fault = view.policy.caller_numbers.fault(tn, plan)
        if fault and not (fault == UNALLOCATED and _is_vouched_for(tn, call)):
            faults.append(_refusal(fault, f"+{tn}"))
    return faults


def _refusal(fault: str, what: str) -> Refusal:
    return Refusal(f"network-caller.{fault}", f"{what} {FAULTS[fault]}")


def _asserted(call: Call) -> tuple[TN, ...]:
    """The asserted numbers that are believed; verification has read them already."""
    if not call.trunk.trusted:
        return ()
    if call.verified is not None:
        return call.verified.presented
    return numbers(call.request, ASSERTED, call.trunk.dial_plan)


def _is_broken(call: Call) -> bool:
    """Whether From starts like a number and is none."""
    try:
        return from_identity(call.request, call.trunk.dial_plan).numeric
    except MalformedValue:
        return False


def _is_vouched_for(tn: TN, call: Call) -> bool:
    verified = call.verified
    return verified is not None and verified.verdict.verstat is Verstat.PASSED and verified.caller == tn

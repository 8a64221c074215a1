"""Diversion: the number a customer says its call was diverted from is one its account may use.

The next carrier bills by that number, shows it, and may let the call pass for it. What is judged is the customer's own
claim: the topmost Diversion value, and what History-Info leads back to. Values below are what others said before. A
name, or an extension of the PBX, claims no number. A field that cannot be read leaves no customer
(``proxy/presentation``). Emergency calls and gateways, which bring calls of others, are not asked.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.diverted_from import DIVERSION, FIELDS, HISTORY, DivertedFrom, by_diversion, by_history
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View
from sipguard.sip.names import display_name
from sipguard.stir.telephone_number import TN

_RULE = "caller-id.diversion-not-owned"
_SHORTEST = 7  # digits of a number that means the same to everybody


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call that claims to come from somebody else's number."""
    account = call.account
    if not call.request.has_any(FIELDS) or account is None or call.emergency is not None or call.trunk.gateway:
        return None
    for field in (DIVERSION, HISTORY):
        tn = _claimed(field, call)
        if tn is not None and view.directory.right(tn, account.name, call.received_at) is None:
            return Refusal(_RULE, f"{display_name(field)} +{tn} is not assigned to account {account.name}")
    return None


def _claimed(field: str, call: Call) -> TN | None:
    request, plan = call.request, call.trunk.dial_plan
    before: DivertedFrom | None
    try:
        before = by_diversion(request, plan) if field == DIVERSION else by_history(request, plan, call.request_tn)
    except MalformedValue:
        return None
    tn = None if before is None else before.tn
    return tn if tn is not None and len(tn) >= _SHORTEST and tn.isdecimal() else None

"""Attest: what we vouch for (ATIS-1000074 §5.2.3, AS-22).

A customer is always known here: A where the account owns the number or has it by delegation, B where it merely
verified it or has no right to it. A restricted account, and one with a cap, gets no more than that; neither does a
number that nobody could call back, such as emergency callers without service present (EMG-13). Without a telephone
number there is nothing to attest (AS-24). Only an INVITE is attested (AS-25).

A gateway trunk brings calls of people we don't know. What arrives signed is left as it is (AS-26); what arrives
unsigned is attested C (BLK-11). A call that a customer forwards is no different: what came signed keeps that signature
(``sign`` adds the diversion), and what came unsigned is attested B: we know who forwards it, and that nobody here has a
right to the caller's number (ATIS-1000074 §5.2.3). A trusted trunk may have attested the call already (3GPP TS 24.229
§7.2.18): its ``Attestation-Info`` lowers the level and never raises it, its ``Origination-ID`` is the origid (AS-30).
"""

import re

from sipguard.policy.account import Account, AccountState
from sipguard.policy.call import Call
from sipguard.policy.end_user import end_user_of
from sipguard.policy.finding import Attested
from sipguard.policy.right import RightKind
from sipguard.policy.trunk import TrafficClass
from sipguard.policy.view import View
from sipguard.stir.attestation import Attestation
from sipguard.stir.telephone_number import TN

_FULL = (RightKind.OWNED, RightKind.DELEGATED)
_NOT_DIALABLE = re.compile(r"1?911[0-9]{7}\Z")  # 911 and seven digits of the device's identity
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z", re.IGNORECASE)


def examine(call: Call, view: View) -> Attested | None:
    """Choose the attestation level and the origid."""
    if call.request.method != "INVITE":
        return None
    identity, account = call.identity, call.account
    if identity is None or account is None:
        return Attested(None, why="no authorised telephone number")
    forwarded = identity.forwarded
    if forwarded is not None and forwarded.signed:
        return Attested(None, why="forwarded, signed by another provider")
    if call.trunk.gateway:
        level, why = Attestation.C, "gateway"
        if call.request.has("identity"):
            return Attested(None, why="signed by another provider")
    else:
        level = Attestation.A if identity.right in _FULL else Attestation.B
        why = identity.right.name.lower() if identity.right is not None else "no right to the number"
        if forwarded is not None:
            why = "forwarded"
    capped = level.capped(_cap(call, account, identity.effective))
    end_user = end_user_of(call, view) if identity.end_user is not None else None
    if end_user is not None:
        capped = capped.capped(_cap(call, end_user, identity.effective))
    if capped is not level:
        level, why = capped, "capped"
    return Attested(level, _origid(call, view, account.name), why)


def _cap(call: Call, account: Account, number: TN) -> Attestation | None:
    """The most this call may be attested as this account's, None when nothing limits it."""
    cap = None if account.attest_cap is None else Attestation(account.attest_cap)
    if account.state is AccountState.RESTRICTED or _NOT_DIALABLE.match(number):
        cap = Attestation.B.capped(cap)
    stated = call.request.value("attestation-info") if call.trunk.trusted else None
    if stated in ("A", "B", "C"):
        cap = Attestation(stated).capped(cap)
    return cap


def _origid(call: Call, view: View, account: str) -> str:
    stated = call.request.value("origination-id") if call.trunk.trusted else None
    if stated is not None and _UUID.match(stated):
        return stated.lower()
    if view.policy.sign_origid == "call":
        return view.origids.of_call(call.identifier)
    traffic_class = call.classified.traffic_class if call.classified is not None else TrafficClass.CONVERSATIONAL
    return view.origids.of(account, traffic_class)

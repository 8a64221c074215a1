"""Attest: what we vouch for (ATIS-1000074 §5.2.3, AS-22).

A customer is always known here, so C is never given on our own account: A where the account owns the number or has it
by delegation, B where it merely verified it or has no right to it. A restricted account, and one with a cap, gets no
more than that. Without a telephone number there is nothing to attest (AS-24). Only an INVITE is attested (AS-25).
"""

from sipguard.policy.call import Call
from sipguard.policy.directory import AccountState, RightKind, TrafficClass
from sipguard.policy.finding import Attested
from sipguard.policy.view import View
from sipguard.stir.attestation import Attestation

_FULL = (RightKind.OWNED, RightKind.DELEGATED)


def examine(call: Call, view: View) -> Attested | None:
    """Choose the attestation level and the origid."""
    if call.request.method != "INVITE":
        return None
    identity, account = call.identity, call.account
    if identity is None or account is None:
        return Attested(None, why="no authorised telephone number")
    level = Attestation.A if identity.right in _FULL else Attestation.B
    why = identity.right.name.lower() if identity.right is not None else "no right to the number"
    cap = Attestation(account.attest_cap) if account.attest_cap is not None else None
    if account.state is AccountState.RESTRICTED:
        cap = Attestation.B.capped(cap)
    if level.capped(cap) is not level:
        level, why = level.capped(cap), "capped"
    traffic_class = call.classified.traffic_class if call.classified is not None else TrafficClass.CONVERSATIONAL
    return Attested(level, view.origids.of(account.name, traffic_class.value), why)

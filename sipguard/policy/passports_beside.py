"""The PASSporTs that a call carries beside SHAKEN's: its priority and the name of its caller.

An emergency call of a registered number, on its way to an emergency trunk, gets the configured Resource-Priority of
the namespace esnet and an ``rph`` PASSporT that authorises it (RFC 9027 §3, EMG-13). A caller with a name of record,
fully attested and not hiding, gets an ``rcd`` PASSporT with the name and its digest (RFC 9795): one of its own, so that
a verifier that cannot read it, or a certificate that forbids it, takes nothing from SHAKEN's.

Whatever cannot be signed is left out and said in the trail; it never costs the call.
"""

from collections.abc import Callable
from typing import NamedTuple

from sipguard.errors import SipguardError
from sipguard.policy.call import Call
from sipguard.policy.trunk import TrafficClass
from sipguard.policy.view import View
from sipguard.stir.attestation import Attestation
from sipguard.stir.authentication import Signer
from sipguard.stir.passport_writer import sign_rcd, sign_rph
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class Beside(NamedTuple):
    """Identity header field values, the priority one of them authorises, and a word on each for the trail."""

    identities: tuple[str, ...] = ()
    priority: str = ""
    remarks: tuple[str, ...] = ()


_NOTHING = Beside()


def sign_beside(call: Call, view: View, signer: Signer, orig: TN, dest: str, iat: UnixTime) -> Beside:
    """Sign what belongs beside SHAKEN's PASSporT, with the same signer, for the same numbers and time."""
    priority, name = _priority(call, view), _name(call)
    if not priority and name is None:
        return _NOTHING
    identities, remarks = [], []
    if priority:
        value, remark = _attempt("rph", sign_rph, signer, orig, (dest,), iat=iat, auth=(priority,))
        remarks.append(remark)
        if value is None:
            priority = ""
        else:
            identities.append(value)
    if name is not None:
        value, remark = _attempt("rcd", sign_rcd, signer, orig, (dest,), iat=iat, rcd={"nam": name})
        remarks.append(remark)
        if value is not None:
            identities.append(value)
    return Beside(tuple(identities), priority, tuple(remarks))


def _priority(call: Call, view: View) -> str:
    """The Resource-Priority to add, empty when there is none: no other network may see the emergency namespace."""
    priority = view.policy.sign_emergency_priority
    if not priority or call.emergency is None or call.emergency.registration is None:
        return ""
    return priority if view.directory.egress(TrafficClass.EMERGENCY) else ""


def _name(call: Call) -> str | None:
    """The name of record that may be told."""
    account, attested, identity = call.account, call.attested, call.identity
    if account is None or account.caller_name is None or identity is None or identity.anonymous:
        return None
    if attested is None or attested.level is not Attestation.A:
        return None
    shown = all(value.lower() == "none" for value in call.request.values("privacy"))
    return account.caller_name if shown else None


def _attempt(kind: str, sign: Callable[..., str], *identities: object, **claims: object) -> tuple[str | None, str]:
    """The Identity value, None when it cannot be made, and what the trail says of it."""
    try:
        return sign(*identities, **claims), kind
    except Exception as failure:  # whatever a key store may raise must not cost the call
        return None, f"no {kind}: {failure if isinstance(failure, SipguardError) else type(failure).__name__}"

"""Caller identity: every number a customer presents must be one its account may use.

From, P-Asserted-Identity, P-Preferred-Identity and Remote-Party-ID are all read in canonical form, and all of their
numbers must be owned by, delegated to or verified for the account; a right number beside a wrong one does not help.
The configured precedence only decides which of them the call is signed and counted under (AS-23).

A name in From (``sip:alice@pbx``) is no number and needs an authorised number beside it, as an anonymous From does;
something that starts like a number and is none (``+1415555O100``) is refused, because the next hop may read it as one.
An identity header that cannot be read, or names no number, is refused for the same reason.

``on_mismatch`` of the trunk decides what follows: ``reject``; ``replace`` puts the trunk's own number in place (never
on an emergency call, whose call-back number must survive, EMG-12); ``downgrade`` and ``report`` let the call go
without a right, which caps its attestation at B and shows as ``no-right`` in its trail. So does a rule that is not
switched to ``block``, or the operator's dry run would send unsigned calls. A gateway trunk brings calls of others,
whose numbers nobody here has a right to; it only has to present one.

A trunk may be allowed to forward calls: then one number that is not the account's passes, if ``licence`` finds that
this caller called the account before. It is the caller then, whatever the precedence; nobody here has a right to it.
"""

from dataclasses import replace
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import CallerIdentity, Forwarded, Refusal
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.licence import licence
from sipguard.policy.need import CertificateNeed
from sipguard.policy.presented import (
    ASSERTED,
    PREFERRED,
    REMOTE_PARTY,
    Presented,
    from_identity,
    identities,
    unique,
)
from sipguard.policy.right import NumberRight
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import OnMismatch
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for
from sipguard.sip.names import display_name
from sipguard.stir.telephone_number import TN

_NOT_OWNED = "caller-id.not-owned"
_ASSERTED_NOT_OWNED = "caller-id.asserted-not-owned"
_FIELDS = (ASSERTED, PREFERRED, REMOTE_PARTY)
_MOST_ASSERTED = 2  # one sip or sips and one tel (RFC 3325 §9.1, PRV-05)


class _Presentation(NamedTuple):
    """Everything the request presents: From, and the identity header fields that are there."""

    from_: Presented
    fields: dict[str, list[Presented]]

    @property
    def asserted(self) -> tuple[TN, ...]:
        return unique([presented for values in self.fields.values() for presented in values])


def examine(call: Call, view: View) -> CallerIdentity | Refusal | CertificateNeed:
    """Say who the caller may claim to be."""
    presentation = _read(call)
    if isinstance(presentation, Refusal):
        return presentation
    mismatch = _mismatch(presentation, call, view)
    if mismatch is not None and call.trunk.forwarding is not Forwarding.REFUSE:
        forwarded = _forwarded(presentation, mismatch, call, view)
        if not isinstance(forwarded, Refusal):
            return forwarded
        mismatch = forwarded
    effective = _effective(presentation, view.policy.precedence)
    if mismatch is not None and not (call.trunk.gateway and effective is not None):
        return _settle(mismatch, presentation, effective, call, view)
    if effective is None:
        return Refusal("caller-id.missing", "no telephone number identifies the caller")
    return _identity(presentation, effective, _right(effective, call, view))


def _read(call: Call) -> _Presentation | Refusal:
    plan = call.trunk.dial_plan
    try:
        from_ = from_identity(call.request, plan)
    except MalformedValue:
        return Refusal(_NOT_OWNED, "From cannot be read")
    fields = {}
    for field in _FIELDS:
        try:
            values = identities(call.request, field, plan)
        except MalformedValue:
            return Refusal(_ASSERTED_NOT_OWNED, f"{display_name(field)} cannot be read")
        if field == ASSERTED and len(values) > _MOST_ASSERTED:
            return Refusal(_ASSERTED_NOT_OWNED, "more than two P-Asserted-Identity values")
        if values:
            fields[field] = values
    return _Presentation(from_, fields)


def _mismatch(presentation: _Presentation, call: Call, view: View) -> Refusal | None:
    """The first presented identity the account may not use."""
    from_ = presentation.from_
    if from_.tn is not None:
        if _right(from_.tn, call, view) is None:
            return Refusal(_NOT_OWNED, f"From +{from_.tn} is not assigned to {_account(call)}")
    elif from_.numeric and not from_.anonymous:
        return Refusal(_NOT_OWNED, "From holds something that is not a telephone number")
    for field, values in presentation.fields.items():
        for value in values:
            if value.tn is not None:
                if _right(value.tn, call, view) is None:
                    detail = f"{display_name(field)} +{value.tn} is not assigned to {_account(call)}"
                    return Refusal(_ASSERTED_NOT_OWNED, detail)
            elif value.numeric or not value.anonymous:
                return Refusal(_ASSERTED_NOT_OWNED, f"{display_name(field)} holds no telephone number")
    return None


def _forwarded(
    presentation: _Presentation, mismatch: Refusal, call: Call, view: View
) -> CallerIdentity | Refusal | CertificateNeed:
    """The caller whose call was forwarded; else the mismatch as it was, with what is missing."""
    caller = _only_stranger(presentation, call, view)
    found = "" if caller is None else licence(caller, call, view)
    if caller is None or not found:
        return mismatch
    if isinstance(found, str):
        return replace(mismatch, detail=f"{mismatch.detail}; {found}")
    return found if isinstance(found, CertificateNeed) else _identity(presentation, caller, None, forwarded=found)


def _only_stranger(presentation: _Presentation, call: Call, view: View) -> TN | None:
    """The one number that is not the account's, where nothing else is wrong with what is presented."""
    from_ = presentation.from_
    asserted = [value for values in presentation.fields.values() for value in values]
    if (from_.numeric and not from_.anonymous) or any(
        value.tn is None and (value.numeric or not value.anonymous) for value in asserted
    ):
        return None
    strangers = {
        value.tn for value in (from_, *asserted) if value.tn is not None and _right(value.tn, call, view) is None
    }
    return strangers.pop() if len(strangers) == 1 else None


def _settle(
    mismatch: Refusal, presentation: _Presentation, effective: TN | None, call: Call, view: View
) -> CallerIdentity | Refusal:
    """What the trunk's ``on_mismatch`` makes of it."""
    choice = call.trunk.on_mismatch
    mode = mode_for(mismatch.rule, call, view)
    if choice is OnMismatch.REPLACE and call.emergency is None and mode is Mode.BLOCK:
        default = call.trunk.default_number
        right = None if default is None else _right(default, call, view)
        if default is None or right is None:
            return mismatch
        return _identity(presentation, default, right, replaced=default, mismatch=mismatch.rule)
    lenient = choice in (OnMismatch.DOWNGRADE, OnMismatch.REPORT) or mode is not Mode.BLOCK
    if lenient and effective is not None:
        return _identity(presentation, effective, None, mismatch="" if mode is Mode.OFF else mismatch.rule)
    return mismatch


def _effective(presentation: _Presentation, precedence: tuple[str, ...]) -> TN | None:
    """The number of the first field of the precedence that holds one."""
    for field in precedence:
        values = [presentation.from_] if field == "from" else presentation.fields.get(field, ())
        for value in values:
            if value.tn is not None:
                return value.tn
    return None


def _identity(
    presentation: _Presentation,
    effective: TN,
    right: NumberRight | None,
    replaced: TN | None = None,
    mismatch: str = "",
    forwarded: Forwarded | None = None,
) -> CallerIdentity:
    return CallerIdentity(
        effective=effective,
        from_tn=presentation.from_.tn,
        asserted=presentation.asserted,
        right=None if right is None else right.kind,
        end_user=None if right is None else right.end_user,
        anonymous=presentation.from_.anonymous,
        replaced=replaced,
        mismatch=mismatch,
        forwarded=forwarded,
        max_calls=None if right is None else right.max_calls,
    )


def _right(tn: TN, call: Call, view: View) -> NumberRight | None:
    if call.account is None:
        return None
    return view.directory.right(tn, call.account.name, call.received_at)


def _account(call: Call) -> str:
    return "no account" if call.account is None else f"account {call.account.name}"

"""Sign: the SHAKEN Identity header of the call (RFC 8224 §6.1).

``dest`` comes from To, and from the Request-URI only when To names no number (AS-08). ``iat`` is the request's Date
when that is fresh, our clock when there is none (AS-03, AS-06). A Date that is more than a minute off is never signed:
the call gets a new one, leaves unsigned, or is refused, as the operator chose (AS-04). The newest certificate that is
valid signs, an older one where its key is out of reach (AS-05), none that lists other numbers only. A signature that
cannot be made never breaks the call: it leaves unsigned with an alarm, or is refused, as the operator chose (AS-28).

PASSporTs of other types stand beside SHAKEN's where they are due (``passports_beside``).

A call that a customer forwards and that came signed gets no SHAKEN PASSporT of ours but a ``div`` that leads from the
one it has to where the call goes now (RFC 8946 §4.1). Its ``iat`` is that of the diverted PASSporT, unless that or the
Date is too old: then it is that of the new Date (§3), or no verifier would take it.
"""

from collections.abc import Callable
from typing import NamedTuple

from sipguard.errors import MalformedValue, SipguardError
from sipguard.policy.call import Call
from sipguard.policy.finding import Attested, CallerIdentity, Forwarded, Refusal, Signed, Unsigned
from sipguard.policy.passports_beside import sign_beside
from sipguard.policy.view import View
from sipguard.sip.date import format_date, parse_date
from sipguard.stir.authentication import Signer
from sipguard.stir.diversion import passports_for_retarget
from sipguard.stir.generations import Generations
from sipguard.stir.media_key import fingerprints
from sipguard.stir.passport_writer import sign_div
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

_NO_CERTIFICATE = "no signing certificate"
_FRESH = 60  # seconds a Date may be off (RFC 8224 §6.1 step 3)


class _Issued(NamedTuple):
    """The iat, and the Date header value the request must get, None when it may keep its own."""

    iat: UnixTime
    date: str | None


def examine(call: Call, view: View) -> Signed | Unsigned | Refusal | None:
    """Make the Identity header, or say why there is none."""
    if call.request.method != "INVITE":
        return None
    attested, identity = call.attested, call.identity
    if identity is not None and identity.forwarded is not None and identity.forwarded.signed:
        return _divert(call, view, identity.forwarded)
    if attested is None or attested.level is None or identity is None:
        return Unsigned((attested and attested.why) or "not attested")
    dest = _called(call)
    if dest is None:
        return Unsigned("no called number")
    issued = _issued(call, view)
    if not isinstance(issued, _Issued):
        return issued
    generations = _generations(call, view)
    if generations is None:
        return _outage(view, _NO_CERTIFICATE)
    return _sign(call, view, generations, attested, identity, dest, issued)


def _generations(call: Call, view: View) -> Generations | None:
    """The certificate of the account, or of the trunk."""
    own = call.account.certificate if call.account is not None else None
    return view.signers.get(own or call.trunk.certificate) or view.signers.get("default")


def _sign(
    call: Call, view: View, generations: Generations, attested: Attested, identity: CallerIdentity, dest: str,
    issued: _Issued,
) -> Signed | Unsigned | Refusal:  # fmt: skip
    level = "" if attested.level is None else attested.level
    keys = fingerprints(call.request.body)
    why = f"certificate {generations.name} is not valid now"
    for signer in generations.usable(issued.iat, call.received_at):
        if not signer.covers(identity.effective):
            why = f"certificate {generations.name} does not cover the calling number"
            continue
        try:
            header = signer.sign_shaken(identity.effective, (dest,), level, attested.origid, issued.iat, keys)
        except Exception as failure:  # whatever a key store may raise must not cost the call
            why = _failed(generations, failure)
        else:
            beside = sign_beside(call, view, signer, identity.effective, dest, issued.iat)
            return Signed(header, signer.url, signer.spc, issued.iat, issued.date, *beside)
    return _outage(view, why)


def _divert(call: Call, view: View, forwarded: Forwarded) -> Signed | Unsigned | Refusal:
    """The ``div`` PASSporTs of a call that came signed; the Identity header fields it has stay as they are.

    Those it came with and lost on its way through the PBX are put back: a ``div`` without them leads from nowhere.
    """
    issued = _issued(call, view)
    if not isinstance(issued, _Issued):
        return issued
    generations = _generations(call, view)
    target = call.request_tn
    if generations is None or target is None:
        return _outage(view, _NO_CERTIFICATE)
    why = f"certificate {generations.name} is not valid now"
    oldest = min(_retained(said.iat, issued, call) for said in forwarded.received)
    for signer in generations.usable(min(oldest, issued.iat), call.received_at):
        due = passports_for_retarget(forwarded.received, forwarded.by, target, _authority(signer))
        if not due:
            why = f"certificate {generations.name} does not cover the diverting number"
            continue
        try:
            headers = [
                sign_div(signer, orig, [dest], div, _retained(iat, issued, call), forwarded.index)
                for orig, dest, div, iat in due
            ]
        except Exception as failure:  # whatever a key store may raise must not cost the call
            why = _failed(generations, failure)
        else:
            beside, remarks = (*headers[1:], *forwarded.restored), ("div", "restored")[: 2 if forwarded.restored else 1]
            return Signed(headers[0], signer.url, signer.spc, issued.iat, issued.date, beside, "", remarks)
    return _outage(view, why)


def _authority(signer: Signer) -> Callable[[str], bool]:
    return lambda identity: ":" not in identity and signer.covers(TN(identity))


def _retained(iat: UnixTime, issued: _Issued, call: Call) -> UnixTime:
    """When a diversion was issued: as the PASSporT it diverts, where that is recent and the Date stays what it was."""
    kept = issued.date is None and abs(call.received_at - iat) <= _FRESH
    return iat if kept else issued.iat


def _failed(generations: Generations, failure: Exception) -> str:
    text = str(failure) if isinstance(failure, SipguardError) else type(failure).__name__
    return f"certificate {generations.name} failed: {text}"


def _called(call: Call) -> str | None:
    """The called number; the service URN of an emergency call that has none (RFC 9027 §3)."""
    if call.to_tn is not None:
        return call.to_tn
    try:
        number = call.request_tn
    except MalformedValue:
        return None
    if number is None and call.emergency is not None and call.emergency.number.isascii():
        return call.emergency.number
    return number


def _issued(call: Call, view: View) -> _Issued | Unsigned | Refusal:
    stated, now = call.request.value("date"), call.received_at
    if stated is None:
        return _Issued(now, format_date(now))
    date = parse_date(stated)
    if date is not None and abs(date - now) <= _FRESH:
        return _Issued(UnixTime(date), None)
    choice = view.policy.sign_stale_date
    if choice == "redate":
        return _Issued(now, format_date(now))
    why = "the Date cannot be read" if date is None else f"the Date is {abs(date - now)} seconds off"
    return Refusal("sign.stale-date", why) if choice == "refuse" else Unsigned(why)


def _outage(view: View, why: str) -> Unsigned | Refusal:
    if view.policy.sign_outage == "refuse":
        return Refusal("sign.outage", why, alert=True)
    return Unsigned(why, alarm=True)

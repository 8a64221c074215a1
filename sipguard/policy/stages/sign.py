"""Sign: the SHAKEN Identity header of the call (RFC 8224 §6.1).

``dest`` comes from To, and from the Request-URI only when To names no number (AS-08). ``iat`` is the request's Date
when that is fresh, our clock when there is none (AS-03, AS-06). A Date that is more than a minute off is never signed:
the call gets a new one, leaves unsigned, or is refused, as the operator chose (AS-04). The newest certificate that is
valid signs, an older one where its key is out of reach (AS-05), none that lists other numbers only. A signature that
cannot be made never breaks the call: it leaves unsigned with an alarm, or is refused, as the operator chose (AS-28).

PASSporTs of other types stand beside SHAKEN's where they are due (``passports_beside``).
"""

from typing import NamedTuple

from sipguard.errors import MalformedValue, SipguardError
from sipguard.policy.call import Call
from sipguard.policy.finding import Attested, CallerIdentity, Refusal, Signed, Unsigned
from sipguard.policy.passports_beside import sign_beside
from sipguard.policy.view import View
from sipguard.sip.date import format_date, parse_date
from sipguard.stir.media_key import fingerprints
from sipguard.stir.unix_time import UnixTime

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
    if attested is None or attested.level is None or identity is None:
        return Unsigned((attested and attested.why) or "not attested")
    dest = _called(call)
    if dest is None:
        return Unsigned("no called number")
    issued = _issued(call, view)
    if not isinstance(issued, _Issued):
        return issued
    return _sign(call, view, attested, identity, dest, issued)


def _sign(
    call: Call, view: View, attested: Attested, identity: CallerIdentity, dest: str, issued: _Issued
) -> Signed | Unsigned | Refusal:
    own = call.account.certificate if call.account is not None else None
    generations = view.signers.get(own or call.trunk.certificate) or view.signers.get("default")
    if generations is None:
        return _outage(view, "no signing certificate")
    level = "" if attested.level is None else attested.level.value
    keys = fingerprints(call.request.body)
    why = f"certificate {generations.name} is not valid now"
    for signer in generations.usable(issued.iat, call.received_at):
        if not signer.covers(identity.effective):
            why = f"certificate {generations.name} does not cover the calling number"
            continue
        try:
            header = signer.sign_shaken(identity.effective, (dest,), level, attested.origid, issued.iat, keys)
        except Exception as failure:  # whatever a key store may raise must not cost the call
            text = str(failure) if isinstance(failure, SipguardError) else type(failure).__name__
            why = f"certificate {generations.name} failed: {text}"
        else:
            beside = sign_beside(call, view, signer, identity.effective, dest, issued.iat)
            return Signed(header, signer.url, signer.spc, issued.iat, issued.date, *beside)
    return _outage(view, why)


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

"""Sign: the SHAKEN Identity header of the call (RFC 8224 §6.1).

``dest`` comes from To, and from the Request-URI only when To names no number (AS-08). ``iat`` is the request's Date
when that is fresh, our clock otherwise (AS-03, AS-04, AS-06). A signature that cannot be made never breaks the call:
it leaves unsigned with an alarm, or is refused, as the operator chose (AS-28).
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal, Signed, Unsigned
from sipguard.policy.view import View
from sipguard.sip.date import format_date, parse_date
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

_FRESH = 60  # seconds a Date may be off (RFC 8224 §6.1 step 3)


def examine(call: Call, view: View) -> Signed | Unsigned | Refusal | None:
    """Make the Identity header, or say why there is none."""
    if call.request.method != "INVITE":
        return None
    attested, identity = call.attested, call.identity
    if attested is None or attested.level is None or identity is None:
        return Unsigned("not attested")
    dest = _called(call)
    if dest is None:
        return Unsigned("no called number")
    signer = view.signers.get(call.trunk.certificate) or view.signers.get("default")
    if signer is None:
        return _outage(view, "no signing certificate")
    iat, date = _issued_at(call)
    if not (signer.valid_at(iat) and signer.valid_at(call.received_at)):
        return _outage(view, f"certificate {signer.name} is not valid now")
    try:
        header = signer.sign_shaken(identity.effective, (dest,), attested.level.value, attested.origid, iat)
    except Exception as failure:  # whatever a key store may raise must not cost the call
        return _outage(view, f"certificate {signer.name} failed: {type(failure).__name__}")
    return Signed(header, signer.url, signer.spc, iat, date)


def _called(call: Call) -> TN | None:
    if call.to_tn is not None:
        return call.to_tn
    try:
        return call.request_tn
    except MalformedValue:
        return None


def _issued_at(call: Call) -> tuple[UnixTime, str | None]:
    """The iat, and the Date header to add when the request has none."""
    stated = call.request.value("date")
    if stated is None:
        return call.received_at, format_date(call.received_at)
    date = parse_date(stated)
    if date is not None and abs(date - call.received_at) <= _FRESH:
        return UnixTime(date), None
    return call.received_at, None


def _outage(view: View, why: str) -> Unsigned | Refusal:
    if view.policy.sign_outage == "refuse":
        return Refusal("sign.outage", why, alert=True)
    return Unsigned(why, alarm=True)

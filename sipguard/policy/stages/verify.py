"""Verify: measure what the Identity headers of a call from the network are worth (RFC 8224 §6.2).

The signalling side of the comparison is P-Asserted-Identity where the trunk is trusted to write one, else From
(AS-23); a stranger's PAI is stripped before the call goes on, so nothing may be vouched for by it.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import Verified
from sipguard.policy.judging import judge
from sipguard.policy.need import CertificateNeed
from sipguard.policy.presented import ASSERTED, numbers
from sipguard.policy.resource_priority import is_callback, resource_priorities
from sipguard.policy.view import View
from sipguard.sip.date import parse_date
from sipguard.sip.uri import parse_uri
from sipguard.stir.media_key import fingerprints
from sipguard.stir.telephone_number import TN, normalise_uri
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict, Verstat
from sipguard.stir.verification import Signalling


def examine(call: Call, view: View) -> Verified | CertificateNeed | None:
    """The verdict, or the certificate it depends on. A request other than INVITE is only judged if it is signed."""
    identities = call.request.values("identity")
    if not identities and call.request.method != "INVITE":
        return None
    signalling = _signalling(call)
    verdict = judge(view.verification, identities, signalling, call, view)
    if isinstance(verdict, CertificateNeed):
        return verdict
    return Verified(verdict, _caller(verdict, signalling), signalling.orig)


def _caller(verdict: Verdict, signalling: Signalling) -> TN | None:
    orig = verdict.best.orig
    if verdict.verstat is Verstat.PASSED and orig in signalling.orig:
        return orig
    return signalling.orig[0] if signalling.orig else None


def _signalling(call: Call) -> Signalling:
    request, plan = call.request, call.trunk.dial_plan
    orig = numbers(request, ASSERTED, plan) if call.trunk.trusted else ()
    if not orig:
        orig = () if call.from_tn is None else (call.from_tn,)
    to_tn = call.to_tn
    stated = request.value("date")
    date = None if stated is None else parse_date(stated)
    request_tn = _request_tn(call)
    return Signalling(
        orig=orig,
        dest=() if to_tn is None else (to_tn,),
        call_id=request.call_id,
        request_tn=request_tn,
        date=None if date is None else UnixTime(date),
        to_uri=_to_uri(call) if to_tn is None else None,
        request_uri=_request_uri(call) if request_tn is None else None,
        media_keys=fingerprints(request.body),
        resource_priority=resource_priorities(request),
        callback=is_callback(request),
    )


def _request_tn(call: Call) -> TN | None:
    try:
        return call.request_tn
    except MalformedValue:
        return None


def _to_uri(call: Call) -> str | None:
    try:
        return normalise_uri(parse_uri(call.request.to.uri))
    except MalformedValue:
        return None


def _request_uri(call: Call) -> str | None:
    try:
        return normalise_uri(call.request_uri)
    except MalformedValue:
        return None

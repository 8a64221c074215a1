"""Asking the verification service about a call: what the call says of itself, and certificates that are waited for.

The caller is P-Asserted-Identity where the trunk is trusted to write one, else From (AS-23). A certificate that is not
in the cache parks the call once; what could not be fetched then counts as unavailable. Freshness is judged at the time
of arrival, so waiting for a certificate cannot make a call stale.
"""

from collections.abc import Sequence

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.need import CertificateNeed
from sipguard.policy.presented import ASSERTED, numbers
from sipguard.policy.resource_priority import is_callback, resource_priorities
from sipguard.policy.view import View
from sipguard.sip.date import parse_date
from sipguard.sip.uri import parse_uri
from sipguard.stir.media_key import fingerprints
from sipguard.stir.telephone_number import TN, normalise_uri
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.stir.verification import MissingCertificate, Signalling, VerificationService


def judge(
    service: VerificationService, identities: Sequence[str], signalling: Signalling, call: Call, view: View
) -> Verdict | CertificateNeed:
    """The verdict, or the certificate it depends on."""
    unavailable = frozenset(
        need.url for need, answer in call.answers.items() if isinstance(need, CertificateNeed) and not answer.met
    )
    while True:
        verdict = service.verify(identities, signalling, view.certificates, call.received_at, unavailable)
        if not isinstance(verdict, MissingCertificate):
            return verdict
        need = CertificateNeed(verdict.url)
        if need not in call.answers:
            return need
        # Fetched, and already gone from the cache: asking again could go on for ever.
        unavailable |= {verdict.url}


def signalling_of(call: Call) -> Signalling:
    """What a call from the network says of itself."""
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

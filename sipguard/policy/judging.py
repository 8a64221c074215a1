"""Asking the verification service about a call, with what is known of certificates that were waited for.

A certificate that is not in the cache parks the call once; what could not be fetched then counts as unavailable.
Freshness is judged at the time of arrival, so waiting for a certificate cannot make a call stale.
"""

from collections.abc import Sequence

from sipguard.policy.call import Call
from sipguard.policy.need import CertificateNeed
from sipguard.policy.view import View
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

"""Verify: measure what the Identity headers of a call from the network are worth (RFC 8224 §6.2).

The signalling side of the comparison is P-Asserted-Identity where the trunk is trusted to write one, else From
(AS-23); a stranger's PAI is stripped before the call goes on, so nothing may be vouched for by it.
"""

from sipguard.policy.call import Call
from sipguard.policy.finding import Verified
from sipguard.policy.judging import judge, signalling_of
from sipguard.policy.need import CertificateNeed
from sipguard.policy.view import View
from sipguard.stir.telephone_number import TN
from sipguard.stir.verdict import Verdict, Verstat
from sipguard.stir.verification import Signalling


def examine(call: Call, view: View) -> Verified | CertificateNeed | None:
    """The verdict, or the certificate it depends on. A request other than INVITE is only judged if it is signed."""
    identities = call.request.values("identity")
    if not identities and call.request.method != "INVITE":
        return None
    signalling = signalling_of(call)
    verdict = judge(view.verification, identities, signalling, call, view)
    if isinstance(verdict, CertificateNeed):
        return verdict
    return Verified(verdict, _caller(verdict, signalling), signalling.orig)


def _caller(verdict: Verdict, signalling: Signalling) -> TN | None:
    orig = verdict.best.orig
    if verdict.verstat is Verstat.PASSED and orig in signalling.orig:
        return orig
    return signalling.orig[0] if signalling.orig else None

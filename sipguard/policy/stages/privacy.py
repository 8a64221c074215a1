"""Privacy: whoever says that its privacy is critical, and asks for more than is offered, is told so (RFC 3323 §5).

That concerns calls which leave the trust domain here; between trusted neighbours the request goes to the next privacy
service untouched. Without ``critical`` what is not offered passes on.
"""

from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal
from sipguard.policy.privacy import OFFERED, levels
from sipguard.policy.view import View

_RULE = "privacy.not-offered"
_MOST_NAMED = 4


def examine(call: Call, _: View) -> Refusal | None:
    """Refuse what cannot be kept private as asked."""
    if not call.request.has("privacy") or not _leaves_the_trust_domain(call):
        return None
    wanted = levels(call.request)
    missing = [level for level in wanted if level not in OFFERED]
    if not missing or "critical" not in wanted:
        return None
    named = ", ".join(missing[:_MOST_NAMED])
    return Refusal(_RULE, f"privacy not offered here: {named}", phrase=f"Privacy Failure: {named}")


def _leaves_the_trust_domain(call: Call) -> bool:
    if not call.outbound and not call.trunk.trusted:
        return False
    return call.routed is not None and not all(trunk.trusted for trunk in call.routed.trunks)

"""Display name: a caller is not shown under a name that is protected for somebody else.

Whoever bears the name is excepted by account: ``policy.rules."caller-id.impersonation".allow``. Numbers in a
display name are the business of ``display_number``.
"""

from sipguard.policy.call import Call
from sipguard.policy.displayed import display_names
from sipguard.policy.finding import Refusal
from sipguard.policy.recorder import readable
from sipguard.policy.view import View

_RULE = "caller-id.impersonation"


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call that shows a protected name."""
    protected = view.policy.protected_names
    if not protected or call.emergency is not None:
        return None
    for display in display_names(call.request):
        name = protected.found_in(readable(display))
        if name is not None:
            return Refusal(_RULE, f'the caller\'s name shows "{name}"')
    return None

"""Display name: a caller is not shown under a name that is protected for somebody else.

Whoever bears the name is excepted by account: ``policy.rules."caller-id.impersonation".allow``. Display names that show
another number than the checked one never leave: they are taken off with everything else that is not plain
(``proxy/plain_form``).
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal
from sipguard.policy.presented import ASSERTED, PREFERRED, REMOTE_PARTY
from sipguard.policy.record import readable
from sipguard.policy.view import View
from sipguard.sip.address import parse_address

_RULE = "caller-id.impersonation"
_FIELDS = (ASSERTED, PREFERRED, REMOTE_PARTY)


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call that shows a protected name."""
    protected = view.policy.protected_names
    if not protected or call.emergency is not None:
        return None
    for display in _displays(call):
        name = protected.found_in(display)
        if name is not None:
            return Refusal(_RULE, f'the caller\'s name shows "{name}"')
    return None


def _displays(call: Call) -> list[str]:
    """The names the request shows the caller under, as a person reads them."""
    shown = [call.request.from_.display]
    for field in _FIELDS:
        try:
            shown += [parse_address(value).display for value in call.request.listed(field)]
        except MalformedValue:
            continue  # the caller-id stage has its say about it
    return [readable(display) for display in shown if display]

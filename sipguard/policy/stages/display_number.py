"""Display number: the name a caller is shown under holds a telephone number that the call does not present.

On many telephones the name is all that is seen: ``"+1 202 555 0100" <sip:+14155550100@pbx>`` looks like a call from
the first number. Such a name never leaves (``proxy/plain_form`` takes it off), so the rule reports: exchanges that put
the number of a forwarded caller there mean no harm.
"""

from sipguard.policy.call import Call
from sipguard.policy.displayed import display_names, numbers_shown, plain_digits
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View
from sipguard.stir.telephone_number import canonicalise

_RULE = "caller-id.display-number"


def examine(call: Call, _: View) -> Refusal | None:
    """Refuse a name that shows another number."""
    names = display_names(call.request)
    identity = call.identity
    if not names or identity is None or identity.replaced is not None or call.emergency is not None:
        return None
    for name in names:
        for digits in numbers_shown(plain_digits(name)):
            if canonicalise(digits, call.trunk.dial_plan) not in identity.shown:
                return Refusal(_RULE, f"the caller's name shows the number {digits}, which the call does not present")
    return None

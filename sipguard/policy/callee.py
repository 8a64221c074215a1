"""Who is called, for rules about people who do not want to be: a whole number, and no emergency call.

Short codes, service numbers and the crisis line are nobody's telephone; what has no number at all is for
``destination`` to refuse.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.call_lists import DoNotCall
from sipguard.stir.telephone_number import TN

_NATIONAL = DoNotCall.NATIONAL  # looked up once: every call asks
_SHORTEST = 7  # digits; what is shorter is a service code


def callee_of(call: Call) -> TN | None:
    """The called number that somebody may have at home; None when there is none, or the call is for help."""
    if call.emergency is not None or call.callback is not None:
        return None
    try:
        tn = call.request_tn
    except MalformedValue:
        return None
    return tn if tn is not None and len(tn) >= _SHORTEST else None


def sells(call: Call) -> bool:
    """Whether the call is of an account that sells by telephone: one held against the national do-not-call list."""
    account = call.account
    return account is not None and account.do_not_call is _NATIONAL

"""Destination: the called number must be a number. Emergency calls and their service URNs are past that question.

Short codes are left to the carrier, which knows them; one or two digits, or more than E.164 allows, are no number.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View

_SHORTEST = 3
_LONGEST = 15  # ITU-T E.164


def examine(call: Call, _: View) -> Refusal | None:
    """Refuse what cannot be dialled with 484."""
    if call.emergency is not None:
        return None
    try:
        tn = call.request_tn
    except MalformedValue:
        return Refusal("destination.invalid", "the Request-URI cannot be read")
    if tn is None or not _SHORTEST <= len(tn) <= _LONGEST:
        return Refusal("destination.invalid", "the Request-URI holds no telephone number")
    return None

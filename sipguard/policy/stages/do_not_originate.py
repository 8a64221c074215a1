"""Do-not-originate: numbers that only ever receive calls never appear as a caller, whoever owns them.

Every presented number is looked up, except after a replacement: then only the replacement leaves.
"""

from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a caller number that is on a list."""
    identity = call.identity
    if identity is None:
        return None
    for tn in identity.shown:
        entry = view.directory.do_not_originate(tn, call.received_at)
        if entry is not None:
            return Refusal("caller-id.do-not-originate", f"+{tn} is on a do-not-originate list ({entry.pattern})")
    return None

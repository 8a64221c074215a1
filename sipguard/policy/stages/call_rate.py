"""Call rate: how many calls a second a source, a trunk and an account may make.

It stands before everything that costs something, and counts every call, also those that a later rule refuses: a flood
of forged calls is a flood.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_limits import Charge, charge_rates
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call that comes too soon after others."""
    limits = view.policy.limits
    of_trunk = call.trunk.limit or limits.trunk
    charges: list[Charge] = []
    if limits.source.rate:
        charges.append((("source", call.flow.host), limits.source))
    if of_trunk.rate:
        charges.append((("trunk", call.trunk.name), of_trunk))
    if call.account is not None:
        of_account = limits.of_account(call.account.name)
        if of_account.rate:
            charges.append((("account", call.account.name), of_account))
    return charge_rates(charges, call, view) if charges and call.emergency is None else None

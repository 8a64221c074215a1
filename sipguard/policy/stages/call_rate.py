"""Call rate: how many calls a second a source, a trunk, an account and those above it may make.

It stands before everything that costs something, and counts every call, also those that a later rule refuses: a flood
of forged calls is a flood.
"""

from sipguard.policy.account_limits import Charge, charges_of
from sipguard.policy.call import Call
from sipguard.policy.call_limits import charge_rates
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
        charges += [charge for charge in charges_of(call.account, view) if charge[1].rate]
    return charge_rates(charges, call, view) if charges and call.emergency is None else None

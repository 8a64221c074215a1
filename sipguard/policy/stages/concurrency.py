"""Concurrency: how many calls a trunk, an account and a calling number may have at a time, and how fast a number calls;
both also for what goes to one place.

It stands behind the rules about numbers: a call that those refuse has no number of its own, and is never up.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_limits import Charge, charge_rates, refuse_full, towards
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call that would be one too many."""
    if call.emergency is not None:
        return None
    limits = view.policy.limits
    own: list[Charge] = []
    if call.identity is not None:
        own.append((("number", call.identity.effective), limits.number))
    own += towards(call, limits)
    if call.request.method == "INVITE":
        charges: list[Charge] = [(("trunk", call.trunk.name), call.trunk.limit or limits.trunk), *own]
        if call.account is not None:
            charges.append((("account", call.account.name), limits.of_account(call.account.name)))
        refusal = refuse_full(charges, call, view)
        if refusal is not None:
            return refusal
    rates = [charge for charge in own if charge[1].rate]
    return charge_rates(rates, call, view) if rates else None

"""Concurrency: how many calls a trunk, an account, those above it and a calling number may have at a time, and how fast
a number and an end user may call; both also for what goes to one place.

It stands behind the rules about numbers: a call that those refuse has no number of its own, and is never up.
"""

from dataclasses import replace

from sipguard.policy.account_limits import TREE, Charge, charges_of
from sipguard.policy.call import Call
from sipguard.policy.call_limits import CONCURRENT, charge_rates, number_key, refuse_full, towards
from sipguard.policy.end_user import below, end_user_of
from sipguard.policy.finding import Refusal
from sipguard.policy.rules import Mode
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call that would be one too many."""
    if call.emergency is not None:
        return None
    limits = view.policy.limits
    own: list[Charge] = []
    if call.identity is not None:
        of_number = limits.number
        if call.identity.max_calls is not None:
            of_number = replace(of_number, concurrent=call.identity.max_calls)
        own.append((number_key(call.identity, call), of_number))
        if call.identity.end_user is not None:
            own += _of_end_user(call, view)
    own += towards(call, limits)
    full = None
    if call.request.method == "INVITE":
        charges: list[Charge] = [(("trunk", call.trunk.name), call.trunk.limit or limits.trunk), *own]
        if call.account is not None:
            charges += charges_of(call.account, view)
        full = refuse_full(charges, call, view)
        if full is not None and mode_for(CONCURRENT, call, view) is Mode.BLOCK:
            return full
    rates = [charge for charge in own if charge[1].rate]
    return (charge_rates(rates, call, view) if rates else None) or full


def _of_end_user(call: Call, view: View) -> list[Charge]:
    """The limits of the end user and of accounts between it and the call's, whose own are asked anyway."""
    end_user = end_user_of(call, view)
    if end_user is None:
        return []
    places = [(TREE, name) for name in below(call.account, end_user.name, view.directory)]
    return [charge for charge in charges_of(end_user, view) if charge[0] in places]

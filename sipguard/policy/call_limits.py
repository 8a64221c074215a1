"""Whose limits a call is held against, and when it is not held against any.

Rates that are asked together are checked for all keys before any is spent, so that a call one of them refuses takes
nothing from the others. Emergency calls, calls to an emergency number or the crisis line and calls back from a centre
are never refused; whether a call is one is only asked when it would be.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.account_limits import TREE, Charge, places_of
from sipguard.policy.call import Call
from sipguard.policy.callee import called_number
from sipguard.policy.emergency_numbers import CRISIS_LINE, emergency_number
from sipguard.policy.end_user import below
from sipguard.policy.finding import CallerIdentity, Refusal
from sipguard.policy.settings import CallLimits
from sipguard.policy.view import View
from sipguard.traffic.gcra import Key

RATE, CONCURRENT = "limit.rate", "limit.concurrent"
_DESTINATION = "destination"


def charge_rates(charges: list[Charge], call: Call, view: View) -> Refusal | None:
    """Spend one call of each rate, or refuse it because of the first that has nothing left."""
    rates, now = view.usage.rates, call.arrived
    for key, limit in charges:
        if not rates.admits(key, limit, now):
            if is_exempt(call, view):
                return None
            return Refusal(RATE, f"more than {limit.rate:g} calls a second of {said(key)}")
    for key, limit in charges:
        rates.spend(key, limit, now)
    return None


def refuse_full(charges: list[Charge], call: Call, view: View) -> Refusal | None:
    """Refuse a call that would be one too many."""
    for key, limit in charges:
        if view.usage.is_full(key, limit):
            if is_exempt(call, view):
                return None
            return Refusal(CONCURRENT, f"more than {limit.concurrent} calls at a time of {said(key)}")
    return None


def is_exempt(call: Call, view: View) -> bool:
    """Whether a call is never refused because there are too many."""
    if call.emergency is not None or call.callback is not None:
        return True
    try:
        number = emergency_number(call.request_uri, call.trunk.dial_plan, view.policy.emergency_numbers)
        return number is not None or call.request_tn == CRISIS_LINE
    except MalformedValue:
        return False


def said(key: Key) -> str:
    """A key for the customer to read. A carrier's name is none of its business."""
    kind, name = key
    if kind == TREE:
        return f"account {name} and those below it"
    if kind == _DESTINATION:
        return name
    return "the route" if kind == "egress" else f"{kind} {name}"


def number_key(identity: CallerIdentity, call: Call) -> Key:
    """What a caller's number is counted under.

    One that nobody gave the account is counted apart, or calls that only show it would use up what its holder may have.
    """
    if identity.right is not None:
        return ("number", identity.effective)
    return ("number", f"{identity.effective} shown by {call.trunk.name if call.account is None else call.account.name}")


def towards(call: Call, limits: CallLimits) -> list[Charge]:
    """What a customer's call takes of the limits on the place it goes to: of its account's, and of everybody's."""
    if not (limits.destinations and call.outbound):
        return []
    tn = called_number(call)
    found = None if tn is None else limits.destinations.find(tn)
    if found is None:
        return []
    place, limit = found
    charges: list[Charge] = [((_DESTINATION, f"all accounts to {place}"), limit.together)]
    if call.account is not None:
        charges.append(((_DESTINATION, f"account {call.account.name} to {place}"), limit.account))
    return charges


def places(call: Call, view: View) -> list[Key]:
    """What a call that goes on counts for while it is up."""
    keys: list[Key] = [("trunk", call.trunk.name)]
    if call.account is not None:
        keys += places_of(call.account)
    if call.identity is not None:
        keys.append(number_key(call.identity, call))
        keys += [(TREE, name) for name in below(call.account, call.identity.end_user, view.directory)]
    if call.routed is not None and call.routed.trunks:
        keys.append(("egress", call.routed.trunks[0].name))
    limits = view.policy.limits
    return [*keys, *(key for key, _ in towards(call, limits))] if limits.destinations else keys

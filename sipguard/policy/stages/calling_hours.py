"""Calling hours: who sells calls when it is neither too early nor too late where the called number is."""

from sipguard.policy.call import Call
from sipguard.policy.callee import callee_of, sells
from sipguard.policy.countries import country_of
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse a call at an hour at which nobody wants to be sold anything."""
    hours = view.policy.hours
    if not (hours.everybody or sells(call, view)):
        return None
    tn = callee_of(call)
    if tn is None or (hours.countries and country_of(tn) not in hours.countries):
        return None
    closed = hours.closed(view.zones(tn), call.received_at)
    return None if closed is None else Refusal("destination.hours", f"it is {closed}, where +{tn} may be")

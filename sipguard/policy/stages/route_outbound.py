"""Route out: the network trunks that carry the call's class, best first.

Segregation holds here: a dialer call without a dialer trunk is refused and never borrows the conversational route. An
emergency call is the opposite: without an emergency trunk it takes any trunk there is. Callers who are not provisioned
may have trunks of their own: one to a call centre that asks where they are, or one that tells them no help will come.
"""

from sipguard.policy.call import Call
from sipguard.policy.finding import Emergency, Refusal, Routed
from sipguard.policy.trunk import TrafficClass, Trunk
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.policy.view import View

_OWN_CLASS = {
    Unprovisioned.ROUTE_TO_ECRC: TrafficClass.ECRC,
    Unprovisioned.ANNOUNCE: TrafficClass.ANNOUNCEMENT,
}
_HELP = (TrafficClass.EMERGENCY, TrafficClass.CONVERSATIONAL, TrafficClass.DIALER)


def examine(call: Call, view: View) -> Routed | Refusal:
    """Name the trunks for the call."""
    classified = call.classified
    traffic_class = classified.traffic_class if classified is not None else TrafficClass.CONVERSATIONAL
    if call.emergency is None:
        trunks = view.directory.egress(traffic_class)
    else:
        trunks = _to_help(call.emergency, view)
    if not trunks:
        return Refusal("destination.no-route", f"no trunk carries {traffic_class.value} calls")
    return Routed(trunks)


def _to_help(emergency: Emergency, view: View) -> tuple[Trunk, ...]:
    egress = view.directory.egress
    trunks: tuple[Trunk, ...] = ()
    if emergency.registration is None and emergency.handling in _OWN_CLASS:
        trunks = egress(_OWN_CLASS[emergency.handling])
    for traffic_class in _HELP:
        trunks = trunks or egress(traffic_class)
    return trunks

"""Route out: the network trunks that carry the call's class, best first.

Segregation holds here: a dialer call without a dialer trunk is refused and never borrows the conversational route. An
emergency call is the opposite: without an emergency trunk it takes any trunk there is.
"""

from sipguard.policy.call import Call
from sipguard.policy.directory import TrafficClass
from sipguard.policy.finding import Refusal, Routed
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Routed | Refusal:
    """Name the trunks for the call."""
    classified = call.classified
    traffic_class = classified.traffic_class if classified is not None else TrafficClass.CONVERSATIONAL
    egress = view.directory.egress
    trunks = egress(traffic_class)
    if call.emergency is not None:
        trunks = egress(TrafficClass.EMERGENCY) or egress(TrafficClass.CONVERSATIONAL) or egress(TrafficClass.DIALER)
    if not trunks:
        return Refusal("destination.no-route", f"no trunk carries {traffic_class.value} calls")
    return Routed(trunks)

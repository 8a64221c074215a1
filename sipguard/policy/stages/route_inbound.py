"""Route in: the trunk of the account that has the called number."""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.finding import Refusal, Routed
from sipguard.policy.view import View
from sipguard.stir.telephone_number import TN


def examine(call: Call, view: View) -> Routed | Refusal:
    """Name the customer trunk, or say that the number is nobody's (404) or has nowhere to go (480)."""
    tn = _called(call)
    home = None if tn is None else view.directory.home(tn)
    if tn is None or home is None:
        return Refusal("destination.unknown", "no account here has the called number")
    trunk = view.directory.home_trunk(home)
    if trunk is None or not trunk.targets:
        return Refusal("destination.no-route", f"no trunk takes calls to +{tn}")
    return Routed((trunk,))


def _called(call: Call) -> TN | None:
    try:
        return call.request_tn
    except MalformedValue:
        return None

"""The location of a provisioned caller, added to an emergency call by reference (RFC 6442).

A proxy may not add a body, so what is added is a URL at which the operator's location server says where the number is
(RFC 6753); who asks there is between the two. It goes to trunks that send help only, and only for a number that is
registered with a location. What the caller says of its own location stays as it is, octet for octet, and comes first;
beside it ours is added only when the operator wants that, for two locations confuse (RFC 6442 §4.1).

Whoever adds a location answers for it: a 424 about it goes no further back than here, nor does one to a caller that
sent none (RFC 6442 §4.1, §4.3).
"""

from sipguard.policy.call import Call
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Trunk
from sipguard.sip.message import Request

_FIELD = "geolocation"
_ROUTING = "geolocation-routing"


def add(fork: Request, call: Call, egress: Trunk, policy: PolicySettings) -> None:
    """Add the registered location to an emergency call on its way to help, where the operator has a URL for it."""
    if call.emergency is None or not policy.emergency_location_url or not egress.helps:
        return
    registration = call.emergency.registration
    if registration is None or registration.location is None:
        return
    alone = not fork.has(_FIELD)
    if not alone and policy.emergency_location_when == "missing":
        return
    fork.append(_FIELD, f"<{policy.emergency_location_url.replace('{number}', registration.tn)}>")
    if alone and not fork.has(_ROUTING):  # it is the customer's own registration, made to be routed by
        fork.append(_ROUTING, "yes")


def is_nobodys(code: int, request: Request, call: Call | None, policy: PolicySettings) -> bool:
    """Whether a response speaks of a location that the caller did not send."""
    if code != 424:
        return False
    if not request.has(_FIELD):
        return True
    added = bool(policy.emergency_location_url) and policy.emergency_location_when == "always"
    return added and call is not None and call.emergency is not None and call.emergency.registration is not None

"""Egress: the trunks that may carry the call, without those that have as many calls as they may, or too many a second.

When none is left the call is refused; a trunk whose limit's rule is not switched on stays.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_limits import CONCURRENT, RATE, is_exempt
from sipguard.policy.finding import Refusal, Routed
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import Trunk
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for
from sipguard.traffic.limit import CallLimit

_TOO_MANY = "the routes of this call have as many calls as they may"


def examine(call: Call, view: View) -> Routed | Refusal | None:
    """Leave out the trunks that have no room; spend one call of the first that has."""
    if call.routed is None or call.emergency is not None:
        return None
    trunks, default = call.routed.trunks, view.policy.limits.egress
    if not (default.rate or default.concurrent or any(trunk.egress_limit for trunk in trunks)):
        return None
    full = [_full(trunk, trunk.egress_limit or default, call, view) for trunk in trunks]
    kept = tuple(trunk for trunk, rule in zip(trunks, full, strict=True) if not rule or not _blocks(rule, call, view))
    refused = bool(full) and all(full) and not is_exempt(call, view)
    if refused and not kept:
        return Refusal(full[0], _TOO_MANY)
    chosen = kept or trunks
    key, limit = ("egress", chosen[0].name), chosen[0].egress_limit or default
    if limit.rate and view.usage.rates.admits(key, limit, call.arrived):
        view.usage.rates.spend(key, limit, call.arrived)
    if len(chosen) < len(trunks):
        return Routed(chosen)
    return Refusal(full[0], _TOO_MANY) if refused else None


def _full(trunk: Trunk, limit: CallLimit, call: Call, view: View) -> str:
    """The rule by which a trunk takes no more calls, one that blocks before one that does not; empty while it does."""
    key = ("egress", trunk.name)
    full = CONCURRENT if call.request.method == "INVITE" and view.usage.is_full(key, limit) else ""
    if full and _blocks(full, call, view):
        return full
    return RATE if limit.rate and not view.usage.rates.admits(key, limit, call.arrived) else full


def _blocks(rule: str, call: Call, view: View) -> bool:
    return mode_for(rule, call, view) is Mode.BLOCK

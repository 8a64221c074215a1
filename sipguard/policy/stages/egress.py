"""Egress: the trunks that may carry the call, without those that have as many calls as they may, or too many a second.

When none is left the call is refused; a trunk whose limit's rule is not switched on stays.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_limits import CONCURRENT, RATE, is_exempt
from sipguard.policy.directory import Trunk
from sipguard.policy.finding import Refusal, Routed
from sipguard.policy.rules import Mode
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for
from sipguard.traffic.limit import CallLimit


def examine(call: Call, view: View) -> Routed | Refusal | None:
    """Leave out the trunks that have no room; spend one call of the first that has."""
    if call.routed is None or call.emergency is not None:
        return None
    trunks, default = call.routed.trunks, view.policy.limits.egress
    if not (default.rate or default.concurrent or any(trunk.egress_limit for trunk in trunks)):
        return None
    full = [_full(trunk, trunk.egress_limit or default, call, view) for trunk in trunks]
    if all(full) and full and not is_exempt(call, view):
        return Refusal(full[0], "the routes of this call have as many calls as they may")
    kept = tuple(trunk for trunk, rule in zip(trunks, full, strict=True) if not rule or not _blocks(rule, call, view))
    chosen = kept or trunks
    limit = chosen[0].egress_limit or default
    if limit.rate:
        view.usage.rates.spend(("egress", chosen[0].name), limit, call.arrived)
    return None if len(chosen) == len(trunks) else Routed(chosen)


def _full(trunk: Trunk, limit: CallLimit, call: Call, view: View) -> str:
    """The rule by which a trunk takes no more calls, empty while it does."""
    key = ("egress", trunk.name)
    if call.request.method == "INVITE" and view.usage.is_full(key, limit):
        return CONCURRENT
    return RATE if limit.rate and not view.usage.rates.admits(key, limit, call.arrived) else ""


def _blocks(rule: str, call: Call, view: View) -> bool:
    return mode_for(rule, call, view) is Mode.BLOCK

"""How often an account may call somewhere, and where it called in the last hour, as the node's log has it.

The windows of a running node are its own; the log has the calls that went on, and the same counts are made of them.
After a restart the node knows less than is shown here.
"""

from dataclasses import asdict

from sipguard.cli.recent_calls import RecentCalls, seconds, went_on
from sipguard.policy.account import Account
from sipguard.policy.heading import Risk
from sipguard.registry.values import shown_number
from sipguard.runtime.composition import Node
from sipguard.stir.telephone_number import TN
from sipguard.traffic.destinations import DestinationTraffic
from sipguard.traffic.window import CHALLENGE_CODES

_HOUR = 3600.0
_FEW = 5
_SHORTEST_GLOBAL = 7


def destination_facts(account: Account, node: Node, recent: RecentCalls, now: float) -> dict[str, object]:
    """The figures in force, and the few numbers and places that were called most; ``now`` is Unix seconds."""
    settings, limits = node.view.policy.destinations, node.view.policy.limits.destinations
    path = account.path or (account.name,)
    return {
        "velocity": {risk.value: asdict(settings.velocity.ceiling(risk, path)) for risk in Risk},
        "limits": {place: asdict(limit) for place, limit in limits.values.items()},
        "max_duration": dict(settings.max_duration.values),
        **_called(account, node, recent, now),
    }


def _called(account: Account, node: Node, recent: RecentCalls, now: float) -> dict[str, object]:
    counts = DestinationTraffic()
    numbers: dict[TN, str] = {}
    for moment, tn, country in _attempts(node, recent, now):
        heading = node.view.policy.destinations.headings.of(tn, country)
        numbers[tn] = heading.place
        counts.numbers.add((account.name, tn), moment)
        counts.five_minutes.add((account.name, heading.place), moment)
        counts.hour.add((account.name, heading.place), moment)
    called = [(counts.numbers.count((account.name, tn), now), tn) for tn in numbers]
    places = [(counts.hour.count((account.name, place), now), place) for place in set(numbers.values())]
    return {
        "numbers": [
            {"number": shown_number(tn), "place": numbers[tn], "last_15_minutes": count}
            for count, tn in sorted(called, reverse=True)[:_FEW]
            if count
        ],
        "places": [
            {
                "place": place,
                "last_5_minutes": counts.five_minutes.count((account.name, place), now),
                "last_hour": count,
            }
            for count, place in sorted(places, reverse=True)[:_FEW]
        ],
    }


def _attempts(node: Node, recent: RecentCalls, now: float) -> list[tuple[float, TN, str]]:
    """When a call went on, to which number, and the country of its trunk; the oldest first.

    An INVITE that was only asked for credentials is none.
    """
    found = []
    for call in recent.calls:
        record = call.decision
        tn = str((record.get("called") or {}).get("request_uri") or "")
        asked = any(event.get("event") == "end" and event.get("code") in CHALLENGE_CODES for event in call.events)
        if went_on(record) and not asked and len(tn) >= _SHORTEST_GLOBAL and seconds(record) > now - _HOUR:
            trunk = node.view.directory.trunks.get(str(record.get("trunk")))
            found.append((seconds(record), TN(tn), "" if trunk is None else trunk.dial_plan.country))
    return sorted(found)

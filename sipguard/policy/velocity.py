"""How many calls an account makes to a number and to a place, held against what it may.

A call counts when it is let through, before it leaves, so that many which are read at once are not all the first. What
enters no statistic: emergency calls, service codes, and what is no INVITE.
"""

from sipguard.policy.account import Account
from sipguard.policy.call import Call
from sipguard.policy.callee import called_number
from sipguard.policy.destination_settings import Ceiling
from sipguard.policy.heading import Heading
from sipguard.policy.view import View
from sipguard.stir.telephone_number import TN
from sipguard.traffic.recent_counts import Key, RecentCounts


def ceiling_of(account: Account, where: Heading, view: View) -> Ceiling:
    """What the account may do there."""
    return view.policy.destinations.velocity.ceiling(where.risk, account.path or (account.name,))


def excess(account: Account, tn: TN, where: Heading, view: View, now: float) -> str:
    """Which limit one more call would exceed, in words; empty when none."""
    ceiling, counts = ceiling_of(account, where, view), view.destinations
    if 0 < ceiling.number <= counts.numbers.count((account.name, tn), now):
        return f"more than {ceiling.number} calls to the number in 15 minutes"
    key = (account.name, where.place)
    if 0 < ceiling.five_minutes <= counts.five_minutes.count(key, now):
        return f"more than {ceiling.five_minutes} calls to {where.place} in 5 minutes"
    if 0 < ceiling.hour <= counts.hour.count(key, now):
        return f"more than {ceiling.hour} calls to {where.place} in an hour"
    return ""


def note_attempt(call: Call, view: View, now: float) -> None:
    """A call was let through, and is no emergency call: it counts from now on."""
    if call.account is None or not call.outbound:
        return
    if view.policy.destinations.wangiri.calls:
        view.destinations.missed.attempted(call.account.name, now)
    for counts, key in _counters(call, call.account, view):
        counts.add(key, now)


def take_back_attempt(call: Call, view: View) -> None:
    """A call that was counted was only asked for credentials (401, 407): what comes with them is the attempt."""
    if call.account is not None:
        view.destinations.missed.take_back(call.account.name)
        for counts, key in _counters(call, call.account, view):
            counts.take_back(key)


def _counters(call: Call, account: Account, view: View) -> list[tuple[RecentCounts, Key]]:
    """What a call counts in, as far as there are limits."""
    settings, counts = view.policy.destinations, view.destinations
    tn = called_number(call) if settings.velocity.counts else None
    if tn is None:
        return []
    where = call.heading or settings.headings.of(tn, call.trunk.dial_plan.country)
    ceiling, there = ceiling_of(account, where, view), (account.name, where.place)
    found: list[tuple[RecentCounts, Key]] = []
    if ceiling.number:
        found.append((counts.numbers, (account.name, tn)))
    if ceiling.five_minutes:
        found.append((counts.five_minutes, there))
    if ceiling.hour:
        found.append((counts.hour, there))
    return found

"""The calls of the process before this one, taken up again: their dialogs, durations, limits and bounds go on."""

from collections.abc import Iterable

from sipguard.proxy import call_memory
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.duration_limits import DurationLimits
from sipguard.proxy.output import INFO
from sipguard.proxy.station import Station


def recover(station: Station, call_log: CallLog, limits: DurationLimits, lines: Iterable[bytes], now: float) -> None:
    """``lines`` are what that process remembered, oldest first."""
    view, listeners = station.view, station.identity.listeners
    behind = station.wall - now
    calls, strange = call_memory.read(lines)
    for facts in calls:
        active = ActiveCall(call_log, facts.id, facts.call_id, facts.caller_tag, facts.account)
        active.end_user = facts.end_user
        active.answered_at = min(now, facts.answered - behind)  # the clock may have been put back
        if not call_memory.recall(active, facts, view.directory.trunks, listeners):
            call_log.given_up(active)
            continue
        station.calls.add(active)
        for dialog in facts.dialogs:
            station.calls.learn(active, dialog)
        if facts.places:
            active.hold = view.usage.hold(list(facts.places))
        call_log.alive(active, min(now, facts.seen - behind))
        if active.bounded is not None:
            limits.recovered(active, active.bounded, now)
    station.remembers = True
    if calls or strange:
        known = len(station.calls)
        station.log(INFO, "calls.recovered", calls=known, given_up=len(calls) - known, unreadable=strange)

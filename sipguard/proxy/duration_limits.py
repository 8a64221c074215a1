"""The longest a call to some destinations may last: then BYE goes to both sides, for who pays may not know of it.

Each such call has one timer from its first answer on. When it is due, the policy of that moment counts: a destination
that may be called longer by then is waited for, a rule that does not block is only recorded.
"""

from sipguard.policy.callee import called_number
from sipguard.policy.rules import Mode
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.ending import Ending
from sipguard.proxy.output import INFO
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.stir.telephone_number import TN

RULE = "destination.duration"
_SOON = 0.5  # seconds; a timer may be due a moment before its time is over


class _Deadline:
    """When one call is over; it does not keep the call."""

    __slots__ = ("_identifier", "_limits", "_tn")

    def __init__(self, limits: "DurationLimits", identifier: str, tn: TN) -> None:
        self._limits = limits
        self._identifier = identifier
        self._tn = tn

    def fire(self, _kind: int, now: float) -> None:
        """The call has lasted long enough."""
        self._limits.due(self, self._identifier, self._tn, now)


class DurationLimits:
    """Ends calls that last too long for where they go."""

    def __init__(self, station: Station, ending: Ending) -> None:
        self._station = station
        self._ending = ending

    def answered(self, context: ResponseContext, now: float) -> None:
        """A 2xx; only the first one counts, and only a customer's call that is no emergency call has an account."""
        active, call = context.active, context.call
        if active is None or active.account is None or active.answered_at is not None or call is None:
            return
        tn = called_number(call)
        found = None if tn is None else self._station.view.policy.destinations.max_duration.find(tn)
        if tn is not None and found is not None:
            active.bounded = tn
            self._station.timers.start(now + found[1], _Deadline(self, active.identifier, tn), 0)

    def recovered(self, active: ActiveCall, tn: TN, now: float) -> None:
        """A call of the process before this one went there; what is left of its time is seen at the next tick."""
        self._station.timers.start(now, _Deadline(self, active.identifier, tn), 0)

    def due(self, deadline: _Deadline, identifier: str, tn: TN, now: float) -> None:
        """The time of a call may be over."""
        station = self._station
        call = station.calls.named(identifier)
        found = station.view.policy.destinations.max_duration.find(tn)
        if call is None or call.answered_at is None or call.numbers is None or found is None:
            return
        place, longest = found
        left = call.answered_at + longest - now
        if left > _SOON:
            station.timers.start(now + left, deadline, 0)
            return
        self._over(call, f"longer than {longest:g} s to {place}", now)

    def _over(self, call: ActiveCall, why: str, now: float) -> None:
        station = self._station
        account = None if call.account is None else station.view.directory.account(call.account)
        mode = Mode.OFF if account is None else self._ending.mode(RULE, call, account)
        if mode is Mode.BLOCK:
            self._ending.end(call, RULE, now)
        elif mode is not Mode.OFF:
            station.count("reported", "origination", RULE)
            station.record(station.recorder.reported(call.identifier, call.account, RULE, why, station.wall))
            station.log(INFO, "call.overtime", record=call.identifier, account=call.account, rule=RULE)

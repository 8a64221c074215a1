"""What becomes of a call: the follow-up records that close it, and what the traffic statistics learn from it.

An attempt is an INVITE we let through, answered is a 2xx, the duration runs from the first 2xx to the BYE that ends the
last dialog of the call, abandoned is a CANCEL, or a BYE before the answer, by the caller.
"""

from sipguard.policy.callee import called_number, take_back_call
from sipguard.policy.rules import RULES
from sipguard.policy.velocity import take_back_attempt
from sipguard.proxy import call_memory
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.dialog import Dialog
from sipguard.proxy.output import WARNING, Remember
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.traffic.window import CHALLENGE_CODES


class CallLog:
    """Tells the attestation log and the traffic book."""

    def __init__(self, station: Station) -> None:
        self._station = station

    def attempted(self, context: ResponseContext, now: float) -> None:
        """A call goes to its first target."""
        active = context.active
        if active is not None and active.account is not None:
            self._station.view.traffic.attempt(active.account, now)

    def answered(self, context: ResponseContext, code: int, now: float) -> None:
        """A 2xx passed; only the first one counts."""
        active = context.active
        if active is None or active.answered_at is not None:
            return
        station = self._station
        active.answered_at = now
        self.alive(active, now)
        station.record(station.recorder.answer(active.identifier, code, context.route, station.wall))
        if active.account is not None:
            station.view.traffic.answered(active.account, now)

    def alive(self, active: ActiveCall, now: float) -> None:
        """An answer, re-INVITE or UPDATE passed: count the longest silence of a call anew."""
        if active.answered_at is None:
            return
        if active.timer is not None:
            active.timer.cancel()
        active.seen_at = now
        active.timer = self._station.timers.start(now + self._station.settings.max_call_duration, active, 0)

    def remember(self, active: ActiveCall, now: float) -> None:
        """A dialog of a call is up, or has changed: keep what a restart must not forget."""
        station = self._station
        if station.calls.named(active.identifier) is active:
            station.outputs.append(Remember(call_memory.line_of(active, now, station.wall)))

    def failed(self, context: ResponseContext, code: int, reason: str, now: float) -> None:
        """The call got its final answer, and it was no."""
        active = context.active
        if active is None:
            return
        context.active = None
        abandoned = code == 487 and (context.cancelled or active.abandoned)
        released_by = "caller" if abandoned else "network"
        self._end(active, code, reason, released_by, answered=False, duration=None)
        if active.account is not None:
            traffic = self._station.view.traffic
            if abandoned:
                traffic.abandoned(active.account, now)
                self._gave_up(context, active.account, now)
            else:
                traffic.failed(active.account, code, now)
                if code in CHALLENGE_CODES and context.call is not None:
                    take_back_attempt(context.call, self._station.view)
                    take_back_call(context.call, self._station.view)

    def _gave_up(self, context: ResponseContext, account: str, now: float) -> None:
        """The caller hung up while it rang, perhaps at once."""
        view, call = self._station.view, context.call
        thresholds = view.policy.destinations.wangiri
        if context.rang_at is None or call is None or not thresholds.calls:
            return
        callee = called_number(call)
        if callee is not None:
            rang = (now if context.gave_up_at is None else context.gave_up_at) - context.rang_at
            view.destinations.missed.gave_up(account, callee, rang, thresholds, now)

    def withdrawn(self, context: ResponseContext) -> None:
        """The caller gave up before the recorded call went anywhere."""
        if context.call is not None:
            station = self._station
            station.record(
                station.recorder.end(
                    context.call.identifier,
                    station.wall,
                    code=487,
                    reason="Request Terminated",
                    answered=False,
                    released_by="caller",
                )
            )

    def undecided(self, context: ResponseContext, code: int | None, detail: str) -> None:
        """A screened request ended before it was decided: it is on record all the same, once."""
        call, context.call = context.call, None
        if call is not None:
            station = self._station
            station.count("calls", call.direction, "undecided", "", str(code or ""))
            revision = station.view.policy.revision
            station.record(station.recorder.undecided(call, code, detail, revision, station.wall))

    def released(self, active: ActiveCall, dialog: Dialog, since: float, now: float, *, by_caller: bool) -> None:
        """A BYE that came at ``since`` has ended a dialog."""
        if self._station.calls.named(active.identifier) is not active:
            return
        if not active.hung_up(dialog, by_caller=by_caller):
            if active.answered_at is not None:
                self.remember(active, now)
            return
        by = "caller" if by_caller else "called"
        duration = _duration(active, since)
        self._end(active, 200, "Normal call clearing", by, answered=True, duration=duration)
        self._count_ended(active, duration, now)

    def expired(self, active: ActiveCall, now: float) -> None:
        """The BYE never came: the record is closed, and the call no longer counts as up."""
        self._station.log(WARNING, "call.expired", record=active.identifier)
        duration = _duration(active, now)
        self._end(active, 200, "No BYE seen", "timeout", answered=True, duration=duration)
        self._count_ended(active, duration, now)

    def ended_by_policy(self, active: ActiveCall, rule: str, now: float) -> None:
        """We said BYE to both."""
        duration = _duration(active, now)
        self._end(active, 200, RULES[rule].phrase, "policy", answered=True, duration=duration, rule=rule)
        self._count_ended(active, duration, now)

    def released_before_our_time(self, identifier: str) -> None:
        """A BYE for a call of before this process, of which nothing is remembered; how long it lasted nobody knows."""
        if self._station.is_from_before(identifier) and not self._station.remembers:
            self._unknown_end(identifier, "Ended after a restart")

    def given_up(self, active: ActiveCall) -> None:
        """A call of before this process that cannot go on: nothing leads to a side of it any more."""
        self._station.outputs.append(Remember(call_memory.over(active.identifier)))
        self._unknown_end(active.identifier, "No trunk after a restart")

    def _unknown_end(self, identifier: str, reason: str) -> None:
        station = self._station
        station.record(
            station.recorder.end(
                identifier, station.wall, code=200, reason=reason, answered=True, released_by="unknown"
            )
        )

    def _count_ended(self, active: ActiveCall, duration: float | None, now: float) -> None:
        if active.account is not None and duration is not None:
            self._station.view.traffic.ended(active.account, duration, now)

    def _end(
        self, active: ActiveCall, code: int, reason: str, released_by: str, *, answered: bool, duration: float | None,
        rule: str | None = None,
    ) -> None:  # fmt: skip
        station = self._station
        station.calls.remove(active)
        if active.answered_at is not None:
            station.outputs.append(Remember(call_memory.over(active.identifier)))
        if active.callback is not None:
            view = station.view
            view.callbacks.open(active.callback, station.wall, view.policy.emergency_callback_window)
        station.record(
            station.recorder.end(
                active.identifier,
                station.wall,
                code=code,
                reason=reason,
                answered=answered,
                released_by=released_by,
                duration=duration,
                rule=rule,
            )
        )


def _duration(active: ActiveCall, now: float) -> float | None:
    return None if active.answered_at is None else now - active.answered_at

"""Delivery: a request that may go on, to its first target that takes it.

Serial failover (RFC 3263 §4.3): a target that times out, refuses the connection or says 503 is followed by the next,
on a new branch; a 6xx or a caller that gave up ends it. A target may be given up before its transaction times out, when
its trunk says so; then branches overlap, and the first 2xx ends the others (RFC 3261 §16.7 (5), (10)). What goes back
to the caller is for ``upstream`` to say.
"""

from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.proxy import dialog_path, forwarding
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.branch import Attempt, Branch
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.departure import Departure
from sipguard.proxy.disposition import one_at_a_time
from sipguard.proxy.output import WARNING
from sipguard.proxy.response_context import FAILOVER_CODES, ResponseContext
from sipguard.proxy.routing import only_over_tls
from sipguard.proxy.station import Station, identity_of
from sipguard.proxy.upstream import Upstream
from sipguard.proxy.urgency import has_priority
from sipguard.proxy.validation import is_sips
from sipguard.sip.flow import LARGEST_DATAGRAM, Flow, Listener
from sipguard.sip.message import Request
from sipguard.sip.response import build_response
from sipguard.transaction.server import ServerTransaction


class Delivery:
    """Carries requests to targets, one after the other."""

    def __init__(self, station: Station, upstream: Upstream, call_log: CallLog) -> None:
        self._station = station
        self._upstream = upstream
        self._call_log = call_log

    def open(self, server: ServerTransaction) -> ResponseContext:
        """Remember a request until its final answer."""
        return self._upstream.open(server, self)

    # --- towards the target

    def begin(self, context: ResponseContext, now: float) -> None:
        """The call is decided and recorded: send it to its first target."""
        call = context.call
        if call is None:
            return
        if call.routed is not None:  # None when the rule that found no route is not switched on
            context.attempts = self._station.dispatch.attempts(call.routed.trunks, now)
            if is_sips(call.request.uri) and call.emergency is None:
                self._only_over_tls(context)
        if call.request.method == "INVITE":
            tag = call.request.from_.tag or ""
            counted = call.outbound and call.emergency is None  # emergency calls are no traffic statistics
            account = call.account.name if call.account is not None and counted else None
            context.active = ActiveCall(self._call_log, call.identifier, call.request.call_id, tag, account)
            context.active.hold, call.hold = call.hold, None
            if call.emergency is not None and call.emergency.expects_callback:
                context.active.callback = call.emergency.callback
            if account is not None and self._station.view.policy.ends_calls:
                context.active.numbers = {tag: call.request.cseq.number}
            if account is not None and call.identity is not None:
                context.active.end_user, context.active.number = call.identity.end_user, call.identity.effective
            self._station.calls.add(context.active)
            self._call_log.attempted(context, now)
        self.next_attempt(context, now)

    def _only_over_tls(self, context: ResponseContext) -> None:
        """A sips URI is never sent but over TLS (RFC 5630 §5.3); an emergency call is (RFC 6881 §9.1)."""
        attempts = []
        for attempt in context.attempts:
            place = only_over_tls(attempt.place)
            if place is not None:
                attempts.append(Attempt(attempt.route, place, attempt.names))
        context.attempts = attempts
        if not attempts:
            warning = (("warning", self._station.sips_not_allowed()),)
            context.consider(build_response(context.server.request, 480, None, self._station.random(), warning))

    def pass_on(
        self, context: ResponseContext, fork: Request, hop: Server | TargetNeed | None, leave_by: int,
        flow: Flow | None, now: float,
    ) -> None:  # fmt: skip
        """An in-dialog request goes to the hop its route set names, on ``flow`` if that says so; None: it is gone."""
        forwarding.decrement_hops(fork)
        context.base = fork
        context.leave_by = leave_by
        if hop is None:
            self.failed_here(context, 430, now)
            return
        context.attempts = [Attempt(None, hop, self._station.names_at(hop), None, flow)]
        self.next_attempt(context, now)

    def resume(self, context: ResponseContext, need: Need, answer: Answer | TargetAnswer, now: float) -> None:
        """The servers of the name that was to be tried next are known, or it has none."""
        context.parked = None
        if context.done:
            return
        servers = answer.servers if isinstance(answer, TargetAnswer) else ()
        if context.inward:
            servers = dialog_path.customers_own(servers, self._station.view.directory)
        asked = context.attempts[context.next_attempt - 1]
        names = identity_of(need) if isinstance(need, TargetNeed) else ()
        found = [Attempt(asked.route, server, names, asked.contact) for server in servers]
        well, sick = self._station.dispatch.sorted_out(found, now)
        context.attempts[context.next_attempt : context.next_attempt] = well
        context.attempts += sick
        if not servers and isinstance(need, TargetNeed):
            self._station.log(WARNING, "target.unresolved", target=need.host, detail=answer.detail)
        self.next_attempt(context, now)

    def next_attempt(self, context: ResponseContext, now: float) -> None:
        """To the next target, or, when that is a name, to the question who is behind it."""
        station = self._station
        while context.next_attempt < len(context.attempts):
            attempt = context.attempts[context.next_attempt]
            context.next_attempt += 1
            place = attempt.place
            if isinstance(place, TargetNeed):
                context.parked = station.needs.park(place, context, self, now + station.settings.need_timeout)
                return
            egress = station.identity.egress(place.transport, place.host, context.leave_by, attempt.flow)
            if egress is None:
                station.log(WARNING, "target.no-listener", target=f"{place.transport}:{place.host}:{place.port}")
                continue
            throttle = station.throttle
            if throttle.active and not throttle.takes(place, now, spared=self._is_spared(context)):
                context.held_back = True
                continue
            self._send_to(context, attempt, place, egress, now)
            return
        self.finish(context, now)

    def _is_spared(self, context: ResponseContext) -> bool:
        """Whether a request goes even to a server that asked for less: in a dialog, in an emergency, with priority."""
        call = context.call
        if call is None or call.emergency is not None:
            return True
        return has_priority(call.request, call.trunk, self._station.settings.overload.priority_namespaces)

    def _send_to(self, context: ResponseContext, attempt: Attempt, place: Server, egress: Listener, now: float) -> None:
        station = self._station
        try:
            share = _share(context, attempt)
            leaving = Departure(station, context, attempt, place, egress, share, now)
        except Exception as error:
            self._upstream.fail(context.server, error, now)
            return
        if leaving.size > station.settings.max_datagram:
            if context.inside is not None:
                context.inside.refused = True  # it may be lost in pieces: that nobody answers ends no dialog then
            if leaving.size > LARGEST_DATAGRAM:
                self.failed_here(context, 513, now)
                return
        active = context.active
        if active is not None and active.hold is not None and attempt.route is not None:
            active.hold.move("egress", attempt.route[0].name)
        flow = attempt.flow
        if flow is None:
            names = attempt.names if place.transport == "tls" else ()
            flow = Flow(leaving.egress.number, leaving.egress.transport, place.host, place.port, 0, names)
        branch = Branch(context, attempt, breadth=share, switched=leaving.switched)
        context.breadth -= share
        context.pending.append(branch)
        branch.client = station.layer.start_on_branch(leaving.fork, flow, now, branch, leaving.branch)
        if context.server.method == "INVITE":
            branch.begin(station.timers, station.settings.timers.timer_c, now)

    def finish(self, context: ResponseContext, now: float) -> None:
        """No further target: the best response goes back as soon as nothing is waited for."""
        if not context.pending and context.parked is None:
            self._upstream.failure(context, now)

    # --- what becomes of it

    def failed_here(self, context: ResponseContext, code: int, now: float) -> None:
        """A branch came to nothing without a response of its target's, as if that had said ``code``."""
        context.consider(build_response(context.server.request, code, None, self._station.random()))
        self.after_failure(context, code, now)

    def after_failure(self, context: ResponseContext, code: int, now: float) -> None:
        """A branch ended with this code: the next target, or none any more."""
        emergency = code < 600 and _is_emergency(context)  # every target is tried (EMG-16)
        if (code in FAILOVER_CODES or emergency) and not context.over and context.breadth:
            self.next_attempt(context, now)
        else:
            self._stop_trying(context)
            self.finish(context, now)

    def redirect(self, context: ResponseContext, attempts: list[Attempt], now: float) -> None:
        """These come before all other targets, and are tried only once."""
        places = {attempt.place for attempt in attempts}
        others = [attempt for attempt in context.attempts[context.next_attempt :] if attempt.place not in places]
        context.attempts[context.next_attempt :] = attempts + others
        self.next_attempt(context, now)

    def cancel_others(self, branch: Branch, reason: str, now: float) -> None:
        """This branch ends the call: cancel what else is pending, with this Reason (RFC 3261 §16.7 (10), RFC 3326)."""
        for other in branch.context.pending:
            if other is not branch and other.client is not None:
                self._station.layer.cancel(other.client, now, (reason,))

    def blame(self, branch: Branch, detail: str, now: float) -> None:
        """The server did not answer."""
        server = branch.attempt.configured_server
        if server is not None and not branch.context.cancelled:
            self._station.health.failed(server, now, detail)

    # --- giving up

    def due(self, branch: Branch, now: float) -> None:
        """A target was silent, or rang, for too long; or what might have crossed a CANCEL has not come."""
        context = branch.context
        if context.done or (context.cancelled and not branch.given_up):  # cancelled, its transaction ends by itself
            return
        if branch.given_up:
            context.dismiss(branch)
            self.finish(context, now)
        elif branch.heard:
            self._give_up_ringing(branch, now)
        elif context.over or branch.too_long(now) or (context.breadth and context.next_attempt < len(context.attempts)):
            self._give_up_silent(branch, now)
        else:  # there is nobody else to try, or no further branch allowed: it has until Timer B
            branch.watch(self._station.timers, self._station.settings.timers.timer_c, now)

    def _give_up_silent(self, branch: Branch, now: float) -> None:
        """Its INVITE goes on, to be cancelled with the first response, and counts as 408 (RFC 3261 §16.8)."""
        self.blame(branch, "no answer", now)
        self._cancel(branch, now)
        branch.context.dismiss(branch)
        self.failed_here(branch.context, 408, now)

    def _give_up_ringing(self, branch: Branch, now: float) -> None:
        """Timer C, or the trunk's own limit: cancelled, it counts as 408 unless a 2xx wins the race (RFC 3261 §16.8).

        Where it rang, nobody else could do better, and its end is waited for. A server that only ever said 100 is
        followed by the next at once.
        """
        context = branch.context
        self._cancel(branch, now)
        if branch.rang and not _is_emergency(context):
            context.consider(build_response(context.server.request, 408, None, self._station.random()))
            self._stop_trying(context)
        else:
            branch.linger(self._station.timers, self._station.settings.timers.t4, now)
            self.failed_here(context, 408, now)

    def _cancel(self, branch: Branch, now: float) -> None:
        branch.given_up = True
        if branch.client is not None:
            self._station.layer.cancel(branch.client, now)

    def _stop_trying(self, context: ResponseContext) -> None:
        context.over = True
        if context.parked is not None:
            self._station.needs.drop(context.parked)
            context.parked = None

    def cancel(self, context: ResponseContext, reasons: list[str], now: float) -> None:
        """The caller gave up (RFC 3261 §16.10): no further target, and what is pending is cancelled."""
        if context.done:
            return
        context.cancelled = True
        context.gave_up_at = now
        self._stop_trying(context)
        if not context.pending:
            self._upstream.terminated(context, now)
            return
        tried = [branch for branch in context.pending if not branch.given_up]
        if not tried:
            context.consider(build_response(context.server.request, 487, None, self._station.random()))
        for branch in tried:
            branch.stop()
            if branch.client is not None:
                self._station.layer.cancel(branch.client, now, reasons)


def _is_emergency(context: ResponseContext) -> bool:
    return context.call is not None and context.call.emergency is not None


def _share(context: ResponseContext, attempt: Attempt) -> int:
    """The Max-Breadth of the next branch: all there is; where branches may overlap, half of it, and 1 for each to come.

    Whatever is active at one time then never exceeds what the request came with (RFC 5393 §5.3.3).
    """
    left = context.breadth
    more = len(context.attempts) - context.next_attempt
    if not more or not (attempt.may_overlap or _is_emergency(context)) or one_at_a_time(context.server.request):
        return left
    return max(1, min((left + 1) // 2, left - more))

"""Delivery: a request that may go on, to its first target that takes it, and the responses on their way back.

Serial failover (RFC 3263 §4.3): a target that times out, refuses the connection or says 503 is followed by the next,
on a new branch; a 6xx or a caller that gave up ends it. Responses follow RFC 3261 §16.7.
"""

import re

from sipguard.errors import MalformedValue
from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.proxy import forwarding, presentation, stir_reasons
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.departure import Departure
from sipguard.proxy.output import ERROR, WARNING
from sipguard.proxy.response_context import FAILOVER_CODES, Attempt, ResponseContext
from sipguard.proxy.routing import only_over_tls
from sipguard.proxy.station import Station, identity_of
from sipguard.proxy.validation import is_sips
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request, Response
from sipguard.sip.response import build_response
from sipguard.sip.status import reason_phrase
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.server import ServerTransaction

_SECONDS = re.compile(r"[0-9]{1,9}")


class Delivery:
    """Carries requests to targets and responses back."""

    def __init__(self, station: Station, call_log: CallLog) -> None:
        self._station = station
        self._call_log = call_log

    # --- contexts

    def open(self, server: ServerTransaction) -> ResponseContext:
        """Remember a request until its final answer."""
        context = ResponseContext(self, server)
        server.context = context
        self._station.pending += 1
        return context

    def close(self, context: ResponseContext) -> None:
        """The final answer is out, or nobody waits for one any more."""
        if context.done:
            return
        context.done = True
        self._station.pending -= 1
        if context.timer_c is not None:
            context.timer_c.cancel()
        if context.parked is not None:
            self._station.needs.drop(context.parked)
            context.parked = None
        # The transactions keep the context for half a minute more. What it took to decide need not live as long, and
        # without a way back to its client transaction both go away unnoticed by the garbage collector.
        context.call = context.decision = context.best = context.client = None
        context.attempts = []

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
            self._station.calls.add(context.active)
            self._call_log.attempted(context, now)
        self._next_attempt(context, now)

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
        self, context: ResponseContext, fork: Request, hop: Server | TargetNeed, leave_by: int, now: float
    ) -> None:
        """An in-dialog request goes to the hop its route set names."""
        forwarding.decrement_hops(fork)
        context.base = fork
        context.leave_by = leave_by
        context.attempts = [Attempt(None, hop, self._station.names_at(hop))]
        self._next_attempt(context, now)

    def resume(self, context: ResponseContext, need: Need, answer: Answer | TargetAnswer, now: float) -> None:
        """The servers of the name that was to be tried next are known, or it has none."""
        context.parked = None
        if context.done:
            return
        servers = answer.servers if isinstance(answer, TargetAnswer) else ()
        route = context.attempts[context.next_attempt - 1].route
        names = identity_of(need) if isinstance(need, TargetNeed) else ()
        found = [Attempt(route, server, names) for server in servers]
        well, sick = self._station.dispatch.sorted_out(found, now)
        context.attempts[context.next_attempt : context.next_attempt] = well
        context.attempts += sick
        if not servers and isinstance(need, TargetNeed):
            self._station.log(WARNING, "target.unresolved", target=need.host, detail=answer.detail)
        self._next_attempt(context, now)

    def _next_attempt(self, context: ResponseContext, now: float) -> None:
        station = self._station
        if context.timer_c is not None:
            context.timer_c.cancel()
        while context.next_attempt < len(context.attempts):
            attempt = context.attempts[context.next_attempt]
            context.next_attempt += 1
            place = attempt.place
            if isinstance(place, TargetNeed):
                context.parked = station.needs.park(place, context, self, now + station.settings.need_timeout)
                return
            egress = station.identity.egress(place.transport, place.host, context.leave_by)
            if egress is None:
                station.log(WARNING, "target.no-listener", target=f"{place.transport}:{place.host}:{place.port}")
                continue
            self._send_to(context, attempt, place, egress, now)
            return
        self._finish(context, now)

    def _send_to(self, context: ResponseContext, attempt: Attempt, place: Server, egress: Listener, now: float) -> None:
        try:
            leaving = Departure(self._station, context, attempt, place, egress, now)
        except Exception as error:
            self.fail(context.server, error, now)
            return
        names = attempt.names if place.transport == "tls" else ()
        flow = Flow(leaving.egress.number, leaving.egress.transport, place.host, place.port, 0, names)
        context.switched = leaving.switched
        context.client = self._station.layer.start_on_branch(leaving.fork, flow, now, context, leaving.branch)
        self.watch(context, now)

    # --- responses

    def response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """A response from a target (RFC 3261 §16.7)."""
        context: ResponseContext = client.owner
        code = response.code
        if context.switched:
            context.switched = False
            self._station.streams.took(client.flow.host, client.flow.port)
        if code >= 200 and (self._station.health.troubled or code == 503):
            self._judge(context, client, response, now)
        if code == 100:
            return
        upstream = response.fork()
        upstream.remove_first("via")
        if not upstream.has("via"):
            return
        if context.original_from is not None:
            upstream.rows[upstream.names.index("from")] = context.original_from
        station = self._station
        upstream_trusted = station.is_trusted(context.server.flow)
        presentation.cross(upstream, station.is_trusted(client.flow), upstream_trusted)
        if not upstream_trusted:
            for cause in stir_reasons.consume(upstream):
                station.count("disputed", cause)
        if code < 200:
            self._provisional(context, client, upstream, now)
        elif code < 300:
            self._success(context, upstream, now)
        elif client is not context.client or context.done:
            return
        elif context.expired:
            self._failed_here(context, 408, now)
        else:
            context.consider(upstream)
            self._after_failure(context, code, now)

    def _provisional(self, context: ResponseContext, client: ClientTransaction, upstream: Response, now: float) -> None:
        if context.done or client is not context.client:
            return
        if not context.expired:
            self.watch(context, now)
        if context.active is not None:
            self._learn(context.active, upstream)
        stir_reasons.report(upstream, context.call)
        self._station.layer.respond(context.server, upstream, now)

    def _success(self, context: ResponseContext, upstream: Response, now: float) -> None:
        """Any 2xx goes back at once, also a second one and one that lost the race with CANCEL (FRK-01, RFC 6026 §7)."""
        if context.active is not None:
            self._learn(context.active, upstream)
            self._call_log.answered(context, upstream.code, now)
        stir_reasons.report(upstream, context.call)
        self.close(context)
        self._station.layer.respond(context.server, upstream, now)

    def _learn(self, active: ActiveCall, response: Response) -> None:
        tag = response.to.tag
        if tag is not None:
            self._station.calls.learn(active, tag)

    def _judge(self, context: ResponseContext, client: ClientTransaction, response: Response, now: float) -> None:
        """What an answer says about the server: that it is well, or when it wants to be asked again."""
        server = self._configured_server(context, client)
        if server is None:
            return
        if response.code != 503:
            self._station.health.answered(server, now)
            return
        seconds = _SECONDS.match(response.value("retry-after") or "")
        if seconds is not None:
            self._station.health.hold(server, float(seconds[0]), now)

    def _blame(self, context: ResponseContext, client: ClientTransaction, detail: str, now: float) -> None:
        """The server did not answer."""
        server = self._configured_server(context, client)
        if server is not None and not context.cancelled:
            self._station.health.failed(server, now, detail)

    def _configured_server(self, context: ResponseContext, client: ClientTransaction) -> Server | None:
        """The server being tried, when it is a trunk's; who is behind a route set is judged by nobody."""
        if context.done or client is not context.client:
            return None
        attempt = context.attempts[context.next_attempt - 1]
        return attempt.place if attempt.route is not None and isinstance(attempt.place, Server) else None

    def timed_out(self, client: ClientTransaction, now: float) -> None:
        """No final response in time counts as 408 (RFC 3261 §16.8); for a non-INVITE request silence is the answer."""
        context: ResponseContext = client.owner
        if context.done or client is not context.client:
            return
        self._blame(context, client, "no answer", now)
        if client.method == "INVITE":
            self._failed_here(context, 487 if context.cancelled and not context.expired else 408, now)
        elif context.next_attempt < len(context.attempts):
            self._next_attempt(context, now)
        else:
            self.close(context)  # RFC 4320 §4.2

    def unreachable(self, client: ClientTransaction, now: float) -> None:
        """The target can't be reached: as if it had said 503 (RFC 3261 §16.9)."""
        context: ResponseContext = client.owner
        if context.done or client is not context.client:
            return
        if context.switched and not context.cancelled:  # it would not have been TCP but for its size: UDP after all
            self._station.streams.refused(client.flow.host, client.flow.port, now)
            context.next_attempt -= 1
            self._next_attempt(context, now)
        else:
            self._blame(context, client, "unreachable", now)
            self._failed_here(context, 503, now)

    def timer_c(self, context: ResponseContext, now: float) -> None:
        """An INVITE that only ever rang: cancel it; unless a 2xx wins the race it counts as 408 (RFC 3261 §16.8)."""
        if context.done or context.client is None:
            return
        context.cancelled = context.expired = True
        self._station.layer.cancel(context.client, now)

    def _failed_here(self, context: ResponseContext, code: int, now: float) -> None:
        context.consider(build_response(context.server.request, code, None, self._station.random()))
        self._after_failure(context, code, now)

    def _after_failure(self, context: ResponseContext, code: int, now: float) -> None:
        call = context.call
        emergency = call is not None and call.emergency is not None and code < 600  # every target is tried (EMG-16)
        if (code in FAILOVER_CODES or emergency) and not context.cancelled:
            self._next_attempt(context, now)
        else:
            self._finish(context, now)

    def _finish(self, context: ResponseContext, now: float) -> None:
        """No target is left: the best final response goes back, a lone 503 as 500 (PRX-37)."""
        station = self._station
        best = context.best
        if best is None or best.code == 503:
            best = build_response(context.server.request, 500 if best is not None else 480, None, station.random())
        if context.active is not None:
            self._call_log.failed(context, best.code, best.reason, now)
        stir_reasons.report(best, context.call)
        self.close(context)
        station.layer.respond(context.server, best, now)

    def watch(self, context: ResponseContext, now: float) -> None:
        """Start Timer C of an INVITE anew (RFC 3261 §16.6 (11), §16.7 (2))."""
        if context.server.method != "INVITE":
            return
        if context.timer_c is not None:
            context.timer_c.cancel()
        context.timer_c = self._station.timers.start(now + self._station.settings.timers.timer_c, context, 0)

    # --- giving up

    def fail(self, server: ServerTransaction, error: Exception, now: float) -> None:
        """What cannot be handled is answered all the same: 400 for what a peer wrote, 500 for a bug of ours."""
        station = self._station
        code = 400 if isinstance(error, MalformedValue) else 500
        if code == 400:
            station.count("malformed", str(code))
        else:
            station.count("alarms", "bug")
            station.log(ERROR, "request.failed", method=server.method, error=repr(error))
        context: ResponseContext | None = server.context
        if context is not None:
            self.close(context)
        station.answer(server, code, now)
        if context is not None and context.active is not None:
            self._call_log.failed(context, code, reason_phrase(code), now)

    def cancel(self, context: ResponseContext, reasons: list[str], now: float) -> None:
        """The caller gave up (RFC 3261 §16.10): no further target, and the one being tried is cancelled."""
        if context.done:
            return
        context.cancelled = True
        if context.client is not None and context.parked is None:
            self._station.layer.cancel(context.client, now, reasons)
            return
        if context.active is not None:
            self._call_log.failed(context, 487, "Request Terminated", now)
        elif context.decision is not None:
            self._call_log.withdrawn(context)
        self._station.answer(context.server, 487, now)
        self.close(context)

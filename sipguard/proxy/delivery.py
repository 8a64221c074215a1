"""Delivery: a request that may go on, to its first target that takes it.

Serial failover (RFC 3263 §4.3): a target that times out, refuses the connection or says 503 is followed by the next,
on a new branch; a 6xx or a caller that gave up ends it. What goes back to the caller is for ``upstream`` to say.
"""

import re

from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.proxy import forwarding
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.departure import Departure
from sipguard.proxy.output import WARNING
from sipguard.proxy.response_context import FAILOVER_CODES, Attempt, ResponseContext
from sipguard.proxy.routing import only_over_tls
from sipguard.proxy.station import Station, identity_of
from sipguard.proxy.upstream import Upstream
from sipguard.proxy.validation import is_sips
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request, Response
from sipguard.sip.response import build_response
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.server import ServerTransaction

_SECONDS = re.compile(r"[0-9]{1,9}")


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
        self._upstream.failure(context, now)

    def _send_to(self, context: ResponseContext, attempt: Attempt, place: Server, egress: Listener, now: float) -> None:
        try:
            leaving = Departure(self._station, context, attempt, place, egress, now)
        except Exception as error:
            self._upstream.fail(context.server, error, now)
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
        upstream = self._upstream.translated(context, client.flow, response)
        if upstream is None:
            return
        if code < 200:
            self._provisional(context, client, upstream, now)
        elif code < 300:
            self._upstream.success(context, upstream, now)
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
        self._upstream.provisional(context, upstream, now)

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
            self._upstream.close(context)  # RFC 4320 §4.2

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
            self._upstream.failure(context, now)

    def watch(self, context: ResponseContext, now: float) -> None:
        """Start Timer C of an INVITE anew (RFC 3261 §16.6 (11), §16.7 (2))."""
        if context.server.method != "INVITE":
            return
        if context.timer_c is not None:
            context.timer_c.cancel()
        context.timer_c = self._station.timers.start(now + self._station.settings.timers.timer_c, context, 0)

    # --- giving up

    def cancel(self, context: ResponseContext, reasons: list[str], now: float) -> None:
        """The caller gave up (RFC 3261 §16.10): no further target, and the one being tried is cancelled."""
        if context.done:
            return
        context.cancelled = True
        if context.client is not None and context.parked is None:
            self._station.layer.cancel(context.client, now, reasons)
            return
        self._upstream.terminated(context, now)

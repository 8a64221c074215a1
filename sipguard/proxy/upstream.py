"""The way back: what the caller hears of its request (RFC 3261 §16.7 (3) to (9)), and how a request ends.

Provisional responses and every 2xx pass at once, one other final response at the end; what is closed here is closed
whoever else may still speak.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.callee import take_back_call
from sipguard.policy.rotation import note_answer
from sipguard.proxy import dialog_news, emergency_location, forwarding, presentation, stir_reasons
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.disposition import hears_of_early_dialogs
from sipguard.proxy.output import DEBUG, ERROR
from sipguard.proxy.response_context import FAILOVER_CODES, ContextKeeper, ResponseContext
from sipguard.proxy.station import Station
from sipguard.sip.flow import Flow
from sipguard.sip.header import quote
from sipguard.sip.message import Response
from sipguard.sip.response import build_response
from sipguard.sip.status import reason_phrase
from sipguard.transaction.derived import SPENT
from sipguard.transaction.server import ServerTransaction

_RINGING = frozenset((180, 181, 182, 183))


class Upstream:
    """Answers the requests that are under way."""

    def __init__(self, station: Station, call_log: CallLog) -> None:
        self._station = station
        self._call_log = call_log

    def open(self, server: ServerTransaction, keeper: ContextKeeper) -> ResponseContext:
        """Remember a request until its final answer."""
        context = ResponseContext(keeper, server)
        server.context = context
        self._station.pending += 1
        return context

    def close(self, context: ResponseContext, now: float, *, answered: bool = True) -> None:
        """The final answer is out, or nobody waits for one any more; it may still come, unless it was ``answered``."""
        if answered and context.inside is not None:
            dialog_news.closed(context, self._call_log, now)
        if context.done:
            return
        context.done = True
        if context.decision is None and context.call is not None:
            self._call_log.undecided(context, None, "it ended before it was decided")
        self._station.pending -= 1
        for branch in context.pending:
            branch.stop()
            branch.client = None
        if context.parked is not None:
            self._station.needs.drop(context.parked)
            context.parked = None
        # The transactions keep the context for half a minute more. What it took to decide need not live as long, and
        # without a way back to their client transactions all go away unnoticed by the garbage collector.
        call = context.call
        if call is not None and call.hold is not None:  # it went nowhere
            call.hold.release()
            take_back_call(call, self._station.view)
        context.call = context.decision = context.best = None
        context.challenges = ()
        context.attempts = []
        context.pending = []
        context.base = SPENT

    def translated(self, context: ResponseContext, flow: Flow, response: Response) -> Response | None:
        """A response as the caller may see it, without our Via; None when it has no other: it was ours (PRX-20)."""
        upstream = response.fork()
        upstream.remove_first("via")
        if not upstream.has("via"):
            return None
        if context.original_from is not None:
            upstream.set_row("from", context.original_from)
        if context.original_to is not None:
            tag = upstream.to.tag
            row = context.original_to if tag is None else f"{context.original_to};tag={tag}"
            upstream.set_row("to", row)
        if context.server.flow.reliable:
            forwarding.frame(upstream)
        if context.resubmission is not None:
            context.resubmission.restore(upstream)
        station = self._station
        if presentation.is_concerned(upstream):
            presentation.cross(upstream, station.is_trusted(flow), station.is_trusted(context.server.flow))
        if upstream.has("reason") and not station.is_trusted(context.server.flow):
            for cause in stir_reasons.consume(upstream):
                station.count("disputed", cause)
        return upstream

    def provisional(self, context: ResponseContext, response: Response, now: float) -> None:
        """A 101 to 199 passes at once."""
        if context.rang_at is None and context.active is not None and response.code in _RINGING:
            context.rang_at = now
        stir_reasons.report(response, context.call)
        self._station.layer.respond(context.server, response, now)

    def early_dialogs_over(
        self, context: ResponseContext, tags: tuple[str, ...], code: int, reason: str, now: float
    ) -> None:
        """A 199 for each, if the caller takes it, with the status that ended them (RFC 6228 §6, RFC 3326)."""
        request = context.server.request
        if not hears_of_early_dialogs(request):
            return
        why = (("reason", f"SIP;cause={code};text={quote(reason)}"),)
        for tag in tags:
            self._station.layer.respond(context.server, build_response(request, 199, None, tag, why), now)

    def success(self, context: ResponseContext, response: Response, now: float) -> None:
        """Any 2xx goes back at once, also a second one and one that lost the race with CANCEL (FRK-01, RFC 6026 §7)."""
        if context.active is not None:
            self._call_log.answered(context, response.code, now)
        stir_reasons.report(response, context.call)
        self.close(context, now)
        self._station.layer.respond(context.server, response, now)

    def failure(self, context: ResponseContext, now: float) -> None:
        """No target is left: the best final response goes back, a lone 503 as 500 (PRX-37)."""
        station = self._station
        if len(context.challenges) > 1:
            context.gather_challenges()
        best = context.best
        if context.cancelled and (best is None or best.code in FAILOVER_CODES):  # it crossed the CANCEL
            best = build_response(context.server.request, 487, None, station.random())
        elif best is None and context.held_back:  # RFC 7339 §5.10: 503 without Retry-After
            best = build_response(context.server.request, 503, None, station.random())
        elif best is None or best.code == 503 or self._location_is_nobodys(context, best.code):
            best = build_response(context.server.request, 500 if best is not None else 480, None, station.random())
        if best.code >= 600 and context.call is not None:
            note_answer(context.call, best, station.view, now)
        if context.active is not None:
            self._call_log.failed(context, best.code, best.reason, now)
        stir_reasons.report(best, context.call)
        self.close(context, now)
        station.layer.respond(context.server, best, now)

    def _location_is_nobodys(self, context: ResponseContext, code: int) -> bool:
        return emergency_location.is_nobodys(code, context.server.request, context.call, self._station.view.policy)

    def terminated(self, context: ResponseContext, now: float) -> None:
        """The caller gave up before the request went anywhere, or between two targets."""
        if context.active is not None:
            self._call_log.failed(context, 487, "Request Terminated", now)
        elif context.decision is not None:
            self._call_log.withdrawn(context)
        else:
            self._call_log.undecided(context, 487, "cancelled before it was decided")
        self._station.answer(context.server, 487, now)
        self.close(context, now)

    def _account_for(self, context: ResponseContext, code: int) -> None:
        """A request that could not be decided is on record, unless that is what could not be done."""
        if context.decision is None:
            try:
                self._call_log.undecided(context, code, "it could not be handled")
            except Exception as error:  # the answer must go out; what failed first is logged already
                self._station.log(DEBUG, "record.failed", error=repr(error))

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
            if context.inside is not None:
                context.inside.refused = True
            self._account_for(context, code)
            self.close(context, now)
        station.answer(server, code, now)
        if context is not None and context.active is not None:
            self._call_log.failed(context, code, reason_phrase(code), now)

"""What comes of a branch: the responses of its target (RFC 3261 §16.7), its silence (§16.8), its absence (§16.9).

A 2xx always reaches the caller. Of all other final responses one does, when nothing is pending any more.
"""

import re

from sipguard.proxy import dialog_news
from sipguard.proxy.branch import Branch
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.delivery import Delivery
from sipguard.proxy.disposition import refuses_recursion
from sipguard.proxy.duration_limits import DurationLimits
from sipguard.proxy.ending import Ending
from sipguard.proxy.redirection import redirection
from sipguard.proxy.resubmission import CHALLENGED, Verdict, take, taken
from sipguard.proxy.station import Station
from sipguard.proxy.upstream import Upstream
from sipguard.sip.flow import Flow
from sipguard.sip.message import Response
from sipguard.transaction.client import ClientTransaction

_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326 §2: no missed call to show
_SECONDS = re.compile(r"[0-9]{1,9}")


class Responses:
    """Hears the client transactions of forwarded requests."""

    def __init__(
        self, station: Station, upstream: Upstream, delivery: Delivery, ending: Ending, call_log: CallLog
    ) -> None:
        self._station = station
        self._call_log = call_log
        self._upstream = upstream
        self._delivery = delivery
        self._ending = ending
        self.duration_limits = DurationLimits(station, ending)

    def response(self, client: ClientTransaction, response: Response, now: float) -> None:
        """A response from a target (RFC 3261 §16.7)."""
        branch: Branch = client.owner
        context = branch.context
        code = response.code
        if not branch.heard:
            self._heard(branch, client, now)
        if code >= 200 and (self._station.health.troubled or code == 503):
            self._judge(branch, response, now)
        if code == 100:
            return
        upstream = self._upstream.translated(context, client.flow, response)
        if upstream is None:
            return
        if context.inside is not None:
            context.inside.answered(upstream)
        if context.resubmission is not None and code not in CHALLENGED:
            taken(self._station, branch)
        if code < 200:
            self._provisional(branch, client.flow, upstream, now)
        elif code < 300:
            self._success(branch, client.flow, upstream, now)
        elif not context.done:
            self._failed(branch, upstream, now)
        else:
            self._upstream.close(context, now)

    def _heard(self, branch: Branch, client: ClientTransaction, now: float) -> None:
        """The first response on a branch, whatever it is: there is somebody."""
        branch.heard = True
        station, context = self._station, branch.context
        if branch.switched:
            station.streams.took(client.flow.host, client.flow.port)
        if context.done or context.server.method != "INVITE":
            return
        if branch.given_up:  # the transaction layer cancels it now
            context.pending.append(branch)
            branch.linger(station.timers, station.settings.timers.t4, now)
        elif branch.attempt.response_timeout:
            branch.watch(station.timers, station.settings.timers.timer_c, now)

    def _provisional(self, branch: Branch, flow: Flow, upstream: Response, now: float) -> None:
        context = branch.context
        if context.done or branch.given_up:
            return
        if context.active is not None:
            dialog_news.opened(self._station, context.active, branch, flow, upstream)
        branch.learn(upstream.to.tag, over=upstream.code == 199)
        if context.server.method == "INVITE":
            branch.watch(self._station.timers, self._station.settings.timers.timer_c, now)
        self._upstream.provisional(context, upstream, now)

    def _success(self, branch: Branch, flow: Flow, upstream: Response, now: float) -> None:
        """A 2xx ends every other branch (RFC 3261 §16.7 (10)); a further one passes as well."""
        context = branch.context
        active, up = context.active, False
        if active is not None:
            up = dialog_news.opened(self._station, active, branch, flow, upstream)
            policy = self._station.view.policy
            if policy.ends_calls:
                self._ending.note(active, now)
                if policy.destinations.max_duration:
                    self.duration_limits.answered(context, now)
        if branch.attempt.route is not None:
            context.route = branch.attempt.route[0].name
        self._delivery.cancel_others(branch, _ELSEWHERE, now)
        self._upstream.success(context, upstream, now)
        if up and active is not None:
            if self._station.calls.named(active.identifier) is active:
                self._call_log.remember(active, now)
            else:
                self._ending.answered_late(active, upstream.to.tag, upstream.cseq.number, now)

    def _failed(self, branch: Branch, upstream: Response, now: float) -> None:
        """A final response that is no 2xx. What a branch that was given up says no longer counts, unless it is 6xx."""
        context = branch.context
        context.ended(branch)
        if branch.given_up and upstream.code < 600:
            self._delivery.finish(context, now)
        else:
            self._answered(branch, upstream, now)
        self._over(branch, upstream.code, upstream.reason, now)

    def _answered(self, branch: Branch, upstream: Response, now: float) -> None:
        """A target decided: to its contacts, to itself once more with credentials, to the next, or to an end."""
        context, code = branch.context, upstream.code
        if 300 <= code < 400 and self._follow(branch, upstream, now):
            return
        if code in CHALLENGED and context.resubmission is not None and self._taken(branch, upstream, now):
            return
        context.consider(upstream)
        if code >= 600:
            self._delivery.cancel_others(branch, f"SIP;cause={code}", now)
        self._delivery.after_failure(context, code, now)

    def _over(self, branch: Branch, code: int, reason: str, now: float) -> None:
        """The early dialogs of a branch ended while the call goes on: the caller may hear of it (RFC 6228 §6)."""
        context = branch.context
        if branch.early and not context.done and context.call is not None:
            self._upstream.early_dialogs_over(context, branch.early, code, reason, now)

    def _follow(self, branch: Branch, upstream: Response, now: float) -> bool:
        """Go on to the contacts of a 3xx where its trunk allows that; what is left of it is a response like any."""
        context, route = branch.context, branch.attempt.route
        call = context.call
        if route is None or not route[0].follow_redirects or call is None or context.over:
            return False
        if refuses_recursion(call.request):
            return False
        tried = [attempt.place for attempt in context.attempts[: context.next_attempt]]
        followed = redirection(call, route[0], upstream, tried)
        if not followed.attempts:
            return False
        if followed.left:
            upstream.set("contact", ", ".join(followed.left))
            context.consider(upstream)
        self._delivery.redirect(context, followed.attempts, now)
        return True

    def _taken(self, branch: Branch, upstream: Response, now: float) -> bool:
        """A carrier asks for credentials: whether that is for us, and not for the caller (``resubmission``)."""
        context = branch.context
        verdict = take(self._station, branch, upstream)
        if verdict is Verdict.AGAIN:
            resubmission = context.resubmission
            if resubmission is not None and resubmission.active is not None and resubmission.active.is_up:
                self._call_log.remember(resubmission.active, now)  # its numbers are further ahead now
            context.attempts.insert(context.next_attempt, branch.attempt)
            self._delivery.next_attempt(context, now)
        elif verdict is Verdict.REFUSED:
            self._delivery.failed_here(context, 487 if context.cancelled else 503, now)
        return verdict is not Verdict.PASS

    def _judge(self, branch: Branch, response: Response, now: float) -> None:
        """What an answer says about the server: that it is well, or when it wants to be asked again."""
        server = branch.attempt.configured_server
        if server is None:
            return
        if response.code != 503:
            self._station.health.answered(server, now)
            return
        seconds = _SECONDS.match(response.value("retry-after") or "")
        if seconds is not None:
            self._station.health.hold(server, float(seconds[0]), now)

    def timed_out(self, client: ClientTransaction, now: float) -> None:
        """No final response in time counts as 408 (RFC 3261 §16.8); for a non-INVITE request silence is the answer."""
        branch: Branch = client.owner
        context = branch.context
        if context.done:
            self._upstream.close(context, now)
            return
        context.ended(branch)
        if branch.given_up:
            self._delivery.finish(context, now)
            return
        self._delivery.blame(branch, "no answer", now)
        if client.method == "INVITE":
            self._delivery.failed_here(context, 487 if context.cancelled else 408, now)
        elif context.next_attempt < len(context.attempts):
            self._delivery.next_attempt(context, now)
        else:
            self._upstream.close(context, now)  # RFC 4320 §4.2

    def unreachable(self, client: ClientTransaction, now: float) -> None:
        """The target can't be reached: as if it had said 503 (RFC 3261 §16.9)."""
        branch: Branch = client.owner
        context = branch.context
        if context.done:
            self._upstream.close(context, now)
            return
        context.ended(branch)
        if branch.given_up:
            self._delivery.finish(context, now)
        elif branch.switched and not branch.heard and not context.over:  # it would not have been TCP but for its size
            self._station.streams.refused(client.flow.host, client.flow.port, now)
            context.next_attempt -= 1
            self._delivery.next_attempt(context, now)
        else:
            self._delivery.blame(branch, "unreachable", now)
            # On a flow that is gone there is nobody else to try (RFC 5626 §5.3.1).
            lost = 503 if branch.attempt.flow is None else 430
            self._delivery.failed_here(context, 487 if context.cancelled else lost, now)

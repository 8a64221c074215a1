"""Screening: an out-of-dialog request through the policy chain, its decision onto the log, then applied.

The order never changes: decide, make the record durable, act. Every wait (a certificate, the log) parks the context
and ``resume`` goes on where it stopped; a call that was cancelled meanwhile is done and goes nowhere.
"""

from sipguard.policy import chain
from sipguard.policy.call import UNKNOWN_TRUNK, Call
from sipguard.policy.call_limits import places
from sipguard.policy.callee import note_call
from sipguard.policy.decision import Decision
from sipguard.policy.finding import Emergency, Refusal
from sipguard.policy.licence import remember
from sipguard.policy.need import Answer, CommitNeed, Need, TargetAnswer
from sipguard.policy.recorder import reported_rules
from sipguard.policy.rotation import note_refusal
from sipguard.policy.trunk import Trunk
from sipguard.policy.velocity import note_attempt
from sipguard.proxy.authentication import Authentication
from sipguard.proxy.delivery import Delivery
from sipguard.proxy.emergency_notice import RULE, notice_of
from sipguard.proxy.log_budget import LogBudget
from sipguard.proxy.output import ERROR, INFO, WARNING
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.proxy.upstream import Upstream
from sipguard.sip.flow import Flow
from sipguard.sip.header import quote
from sipguard.stir.unix_time import UnixTime
from sipguard.transaction.server import ServerTransaction

_LIMITED_LINES = 60  # a minute, of calls that were too many: each of them is on record


class Screening:
    """Decides about calls."""

    def __init__(
        self, station: Station, delivery: Delivery, upstream: Upstream, authentication: Authentication
    ) -> None:
        self._station = station
        self._delivery = delivery
        self._upstream = upstream
        self._authentication = authentication
        self._limited = LogBudget(_LIMITED_LINES)

    def screen(self, server: ServerTransaction, now: float) -> None:
        """A new out-of-dialog request that passed validation."""
        station = self._station
        directory = station.view.directory
        trunk = directory.trunk_of(server.flow)
        username = ""
        if directory.asks_credentials if trunk is None else trunk.digest:
            admission = self._authentication.admit(server, trunk, now)
            if admission is None:
                return
            trunk, username = admission
        account = directory.account(trunk.account) if trunk is not None and trunk.account is not None else None
        context = self._delivery.open(server)
        context.call = call = Call(
            station.next_identifier(),
            server.request,
            server.flow,
            UnixTime(int(station.wall)),
            trunk or UNKNOWN_TRUNK,
            account,
            now,
        )
        if username:
            call.authenticated = username
            call.trail.append(("source", "digest", username))
        refusal = _source_refusal(trunk, server.flow)
        if refusal is None:
            self._advance(context, call, now)
        else:
            call.trail.append(("source", *refusal.trail()))
            self._decided(context, call, chain.refuse(refusal), now)

    def resume(self, context: ResponseContext, need: Need, answer: Answer | TargetAnswer, now: float) -> None:
        """A need of a parked call is answered."""
        context.parked = None
        call = context.call
        if call is None or context.done:
            return
        try:
            if isinstance(need, CommitNeed):
                self._committed(context, call, answer, now)
            else:
                if isinstance(answer, Answer):
                    call.answers[need] = answer
                self._advance(context, call, now)
        except Exception as error:
            self._upstream.fail(context.server, error, now)

    def _advance(self, context: ResponseContext, call: Call, now: float) -> None:
        """Run the chain from where the call stands.

        A stage that raises is a bug of ours and costs one call; an emergency call goes on without that stage.
        """
        outcome: Decision | Need | None = None
        while outcome is None:
            try:
                outcome = chain.run(call, self._station.view)
            except Exception as error:
                self._station.count("alarms", "bug")
                self._station.log(
                    ERROR, "stage.failed", record=call.identifier, error=repr(error), position=call.position
                )
                if call.emergency is None:
                    outcome = chain.refuse(Refusal("node.error", "internal error"))
                else:
                    call.position += 1
        if isinstance(outcome, Decision):
            self._decided(context, call, outcome, now)
        else:
            self._park(context, outcome, now)

    def _park(self, context: ResponseContext, need: Need, now: float) -> None:
        station = self._station
        context.parked = station.needs.park(need, context, self, now + station.settings.need_timeout)

    def _decided(self, context: ResponseContext, call: Call, decision: Decision, now: float) -> None:
        """The decision goes to the attestation log before anything else happens."""
        station = self._station
        if station.draining and decision.forward and call.emergency is None:
            decision = chain.refuse(Refusal("node.draining", "the node is shutting down"))
        line = station.recorder.decision(call, decision, station.view.policy.revision, station.wall)
        context.decision = decision
        self._take_places(call, decision, now)
        self._park(context, CommitNeed(call.identifier, line), now)

    def _take_places(self, call: Call, decision: Decision, now: float) -> None:
        """A call that goes on is one of those that are up, and to its number; a refused one gives back what it had."""
        if not decision.forward:
            if call.hold is not None:
                call.hold.release()
        elif call.request.method == "INVITE" and call.emergency is None:
            view = self._station.view
            taken = places(call, view)
            call.hold = view.usage.hold(taken) if call.hold is None else call.hold.extended(taken)
            note_attempt(call, view, now)
            note_call(call, view, now)

    def _committed(self, context: ResponseContext, call: Call, answer: Answer | TargetAnswer, now: float) -> None:
        """The record is durable, or it is not and the configuration says what follows."""
        decision = context.decision
        if decision is None:
            return
        if isinstance(answer, Answer) and not answer.met:
            decision = context.decision = self._without_record(call, decision, answer.detail)
        self._count(call, decision)
        self._report(call, decision)
        if decision.forward:
            if not call.outbound:
                remember(call, self._station.view)
            self._delivery.begin(context, now)
        else:
            note_refusal(call, decision.rule, self._station.view, now)
            self._refuse(context, call, decision, now)

    def _without_record(self, call: Call, decision: Decision, detail: str) -> Decision:
        station = self._station
        station.log(ERROR, "ledger.failed", record=call.identifier, detail=detail)
        station.count("alarms", "ledger")
        if not decision.forward or call.emergency is not None or station.settings.ledger_on_failure == "continue":
            return decision
        refusal = chain.refuse(Refusal("node.ledger", "the attestation log cannot be written"))
        # A log that was only slow has a record now that says "forward".
        station.record(
            station.recorder.end(
                call.identifier,
                station.wall,
                code=refusal.code,
                reason=refusal.phrase,
                answered=False,
                released_by="node",
            )
        )
        return refusal

    def _count(self, call: Call, decision: Decision) -> None:
        verdict = "forwarded" if decision.forward else "refused"
        self._station.count("calls", call.direction, verdict, decision.rule, str(decision.code or ""))
        for rule in reported_rules(call):
            self._station.count("reported", call.direction, rule)
        for throttled in call.throttled:
            outcome = "admitted" if throttled.admitted else "refused"
            self._station.count("throttled", call.direction, throttled.rule, outcome)
        if call.verified is not None:
            reason = call.verified.verdict.reason
            self._station.count("verified", call.verified.verdict.verstat.value, reason.value if reason else "")
        if call.attested is not None and call.signed is not None and call.attested.level is not None:
            self._station.count("signed", call.attested.level)

    def _report(self, call: Call, decision: Decision) -> None:
        """What an operator hears at once: emergency calls, refusals that alert, calls that left unsigned."""
        station = self._station
        if call.emergency is not None or decision.rule == RULE:
            at = station.recorder.timestamp(station.wall)
            station.notify(notice_of(call, decision, station.settings.node, at))
        if decision.alert:
            station.count("alarms", decision.rule)
            station.log(
                WARNING,
                "alert",
                rule=decision.rule,
                record=call.identifier,
                trunk=call.trunk.name,
                detail=decision.detail,
            )
        elif call.emergency is not None:
            self._tell(call, call.emergency)
        if call.callback is not None:
            station.log(
                INFO, "emergency.callback", record=call.identifier, trunk=call.trunk.name, why=call.callback.why
            )
        if call.unsigned is not None and call.unsigned.alarm:
            station.count("alarms", "signing")
            station.log(ERROR, "signing.outage", record=call.identifier, detail=call.unsigned.why)

    def _tell(self, call: Call, emergency: Emergency) -> None:
        view = self._station.view
        if emergency.callback is not None and emergency.expects_callback:
            view.callbacks.open(emergency.callback, self._station.wall, view.policy.emergency_callback_window)
        provisioned = emergency.registration is not None
        if not provisioned:
            self._station.count("alarms", "emergency.unprovisioned")
        self._station.log(
            WARNING,
            "emergency.test" if emergency.test else "emergency.call",
            record=call.identifier,
            trunk=call.trunk.name,
            number=emergency.number,
            provisioned=provisioned,
            handling="" if provisioned else emergency.handling.value,
        )

    def _refuse(self, context: ResponseContext, call: Call, decision: Decision, now: float) -> None:
        station = self._station
        warning = f"{decision.detail} (record {call.identifier})"
        headers = [("warning", f"399 {station.settings.node} {quote(warning)}")]
        reason = decision.reason(station.view.policy)
        if reason is not None:
            headers.insert(0, ("reason", reason))
        limited = decision.rule.startswith("limit.")
        if not limited or self._limited.admits(now):
            more = {"unlogged": self._limited.omitted()} if limited else {}
            station.log(
                INFO,
                "call.refused",
                record=call.identifier,
                trunk=call.trunk.name,
                rule=decision.rule,
                code=decision.code,
                **more,
            )
        station.answer(context.server, decision.code, now, decision.phrase, headers)
        self._upstream.close(context, now)


def _source_refusal(trunk: Trunk | None, flow: Flow) -> Refusal | None:
    """Why a source may not call at all."""
    if trunk is None:
        proved = f" with a certificate of {', '.join(flow.names)}" if flow.names else ""
        return Refusal("source.unknown", f"no trunk at {flow.host}{proved}")
    return None

"""The recorder: what the stages found about a call, written down once as octets that the log only appends.

Header text is Latin-1 inside the house (one octet, one character); ``readable`` turns it into the text a person meant.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from sipguard.errors import MalformedValue
from sipguard.policy.account import AccountState
from sipguard.policy.call import Call
from sipguard.policy.decision import Decision
from sipguard.policy.emergency_numbers import TESTS
from sipguard.policy.record import Called, Calling, DecisionRecord, FollowUpRecord, ShedRecord
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.sip.message import Request
from sipguard.stir.verdict import PriorityVerdict, Verdict

VERSION = 1


class Recorder:
    """Builds encoded records for one node."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._encoder = msgspec.json.Encoder()
        self._second = -1
        self._prefix = ""

    def decision(self, call: Call, decision: Decision, revision: str, wall: float) -> bytes:
        """The decision record, one line of JSON without the line end."""
        record = self._record(call, "forward" if decision.forward else "refuse", revision, wall)
        unprovisioned = call.emergency is not None and call.emergency.registration is None
        record.alert = decision.alert or unprovisioned
        if not decision.forward:
            record.rule, record.code, record.detail = decision.rule, decision.code, readable(decision.detail)
        if decision.emergency:
            _refused_help(record, decision.emergency)
        return self._encoder.encode(record)

    def undecided(self, call: Call, code: int | None, detail: str, revision: str, wall: float) -> bytes:
        """The record of a request that ended before it was decided: what was found until then, and why it ended."""
        record = self._record(call, "undecided", revision, wall)
        record.code, record.detail = code, detail
        return self._encoder.encode(record)

    def _record(self, call: Call, decision: str, revision: str, wall: float) -> DecisionRecord:
        request = call.request
        record = DecisionRecord(
            v=VERSION,
            id=call.identifier,
            at=self.timestamp(wall),
            event="decision",
            node=self.node,
            direction=call.direction,
            trunk=call.trunk.name,
            source=f"{call.flow.transport}:{call.flow.host}:{call.flow.port}",
            call_id=readable(request.call_id),
            method=request.method,
            decision=decision,
            calling=_calling(call),
            called=_called(call),
            trail=call.trail,
            revision=revision,
            account=call.account.name if call.account else None,
            authenticated=call.authenticated or None,
            identity_received=request.values("identity"),
        )
        if call.account is not None and call.account.state is not AccountState.ACTIVE:
            record.account_state = call.account.state.value
        record.reported = reported_rules(call)
        _findings(record, call)
        return record

    def answer(self, identifier: str, code: int, route: str, wall: float) -> bytes:
        """The follow-up for a 2xx that passed."""
        return self._encoder.encode(
            FollowUpRecord(VERSION, identifier, self.timestamp(wall), "answer", self.node, code=code, route=route)
        )

    def refused(self, identifier: str, request: Request, decision: Decision, wall: float) -> bytes:
        """The follow-up for a request inside a call that was refused."""
        return self._encoder.encode(
            FollowUpRecord(
                VERSION,
                identifier,
                self.timestamp(wall),
                "refused",
                self.node,
                code=decision.code,
                method=request.method,
                rule=decision.rule,
                detail=readable(decision.detail),
                raw_from=readable(request.required("from")),
            )
        )

    def end(
        self,
        identifier: str,
        wall: float,
        *,
        code: int,
        reason: str,
        answered: bool,
        released_by: str,
        duration: float | None = None,
        rule: str | None = None,
    ) -> bytes:
        """The follow-up that closes a record; ``duration`` in seconds, None where there is none or nobody knows it.

        ``rule`` is the one that ended the call.
        """
        return self._encoder.encode(
            FollowUpRecord(
                VERSION,
                identifier,
                self.timestamp(wall),
                "end",
                self.node,
                code=code,
                reason=readable(reason),
                answered=answered,
                duration=None if duration is None else round(duration, 3),
                released_by=released_by,
                rule=rule,
            )
        )

    def reported(self, identifier: str, account: str | None, rule: str, detail: str, wall: float) -> bytes:
        """The follow-up for a call that a rule would have ended."""
        return self._encoder.encode(
            FollowUpRecord(
                VERSION,
                identifier,
                self.timestamp(wall),
                "reported",
                self.node,
                rule=rule,
                detail=readable(detail),
                account=account,
            )
        )

    def shed(self, rule: str, calls: Mapping[str, int], wall: float) -> bytes:
        """How many calls were turned away undecided, by trunk."""
        return self._encoder.encode(ShedRecord(VERSION, self.timestamp(wall), "shed", self.node, rule, calls))

    def timestamp(self, wall: float) -> str:
        """Wall-clock seconds as UTC with milliseconds; the date part is formatted once a second."""
        second = int(wall)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{int((wall - second) * 1000):03d}Z"


def _calling(call: Call) -> Calling:
    request = call.request
    calling = Calling(raw_from=readable(request.required("from")))
    if request.has("p-asserted-identity"):
        calling.raw_asserted = [readable(value) for value in request.values("p-asserted-identity")]
    if request.has("privacy"):
        calling.privacy = request.value("privacy")
    identity = call.identity
    calling.from_ = call.from_tn if identity is None else identity.from_tn
    if call.verified is not None:
        calling.effective = call.verified.caller
    if identity is not None:
        calling.effective = identity.effective
        calling.asserted = list(identity.asserted)
        calling.replaced = identity.replaced
        if identity.forwarded is not None:
            calling.diverted_by = identity.forwarded.by
    return calling


def _called(call: Call) -> Called:
    request = call.request
    called = Called(raw_request_uri=readable(request.uri), raw_to=readable(request.required("to")), to=call.to_tn)
    try:
        called.request_uri = call.request_tn
    except MalformedValue:
        called.request_uri = None
    return called


def reported_rules(call: Call) -> list[str]:
    """The rules that matched a call and only report."""
    rules = [refusal.rule for refusal in call.reported]
    mismatch = call.identity.mismatch if call.identity is not None else ""
    if mismatch and mismatch not in call.tags and all(throttled.rule != mismatch for throttled in call.throttled):
        rules.append(mismatch)
    return rules


def _findings(record: DecisionRecord, call: Call) -> None:
    """What each finding adds to the record."""
    if call.identity is not None:
        record.end_user = call.identity.end_user
    emergency = call.emergency
    if emergency is not None:
        record.emergency = emergency.number
        record.emergency_test = emergency.test
        record.emergency_provisioned = emergency.registration is not None
        if emergency.registration is None:
            record.emergency_handling = emergency.handling.value
    if call.callback is not None:
        record.callback = call.callback.why
    if call.attested is not None and call.attested.level is not None:
        record.attest = call.attested.level
        record.origid = call.attested.origid
    if call.signed is not None:
        record.x5u, record.spc, record.identity_sent = call.signed.x5u, call.signed.spc, call.signed.identity
        record.identities_beside = list(call.signed.beside)
    if call.verified is not None:
        _verdict(record, call.verified.verdict)
    if call.classified is not None:
        record.traffic_class = call.classified.traffic_class
        record.tags = [*call.tags, *call.classified.tags]
    elif call.tags:
        record.tags = call.tags
    if call.routed is not None:
        record.routes = [trunk.name for trunk in call.routed.trunks]


def _refused_help(record: DecisionRecord, number: str) -> None:
    """A call for help that was refused has no finding, and is found by the same fields."""
    record.emergency = number
    record.emergency_test = number in TESTS
    record.emergency_provisioned = False
    record.emergency_handling = Unprovisioned.REJECT.value


def _verdict(record: DecisionRecord, verdict: Verdict) -> None:
    record.verstat = verdict.verstat.value
    record.verify_reason = verdict.reason.value if verdict.reason else None
    if len(verdict.results) > 1 or verdict.best.ppt != "shaken":
        if verdict.priority is not PriorityVerdict.NONE:
            record.priority = verdict.priority.value
        record.diversions = [(number, held.value) for number, held in verdict.diversions]
    best = verdict.best
    if best is not None:
        record.attest, record.origid, record.x5u, record.spc = best.attest, best.origid, best.x5u, best.spc


def readable(text: str) -> str:
    """Header text as its sender meant it: UTF-8 where it is UTF-8, replacement characters where it is nothing."""
    if text.isascii():
        return text
    return text.encode("latin-1").decode("utf-8", "replace")

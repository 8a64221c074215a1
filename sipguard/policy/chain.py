"""The chain: one ordered tuple of stages per direction, and the loop that applies what they return.

Stages return, the chain applies (house rule 6). A stage that answers with a ``Need`` parks the call at that stage;
``run`` called again resumes there, never from the start. A refusal is weighed by its rule's mode; on an emergency call
it is recorded and not applied (EMG-04); so it is on a call back from an emergency centre (EMG-10), unless there is
nowhere for it to go.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sipguard.policy.call import Call
from sipguard.policy.decision import FORWARD, Decision
from sipguard.policy.finding import (
    Attested,
    Callback,
    CallerIdentity,
    Classified,
    Emergency,
    Finding,
    Refusal,
    Routed,
    Signed,
    TrailEntry,
    Unsigned,
    Verified,
)
from sipguard.policy.heading import Heading
from sipguard.policy.need import CertificateNeed, CommitNeed, Need, TargetNeed
from sipguard.policy.rules import RULES, Mode
from sipguard.policy.stages import (
    account_state,
    attest,
    call_rate,
    callback,
    caller_identity,
    caller_number,
    calling_hours,
    classify,
    concurrency,
    destination,
    display_name,
    display_number,
    diversion,
    do_not_call,
    do_not_originate,
    egress,
    emergency,
    enforce,
    hugging,
    network_caller,
    privacy,
    repeated_calls,
    rotation,
    route_inbound,
    route_outbound,
    sign,
    velocity,
    verify,
    wangiri,
)
from sipguard.policy.throttling import spend, throttle
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_for


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its name in the trail and the function that looks at the call; ``passed`` is the usual entry."""

    name: str
    examine: Callable[[Call, View], Finding | Need | None]
    passed: TrailEntry = field(init=False)

    def __post_init__(self) -> None:
        """Make what the trail shows of most calls."""
        object.__setattr__(self, "passed", (self.name, "pass"))


ORIGINATION = (
    Stage("emergency", emergency.examine),
    Stage("account", account_state.examine),
    Stage("rate", call_rate.examine),
    Stage("rotation", rotation.examine),
    Stage("caller-id", caller_identity.examine),
    Stage("end-user", account_state.examine_end_user),
    Stage("diversion", diversion.examine),
    Stage("caller-number", caller_number.examine),
    Stage("display-name", display_name.examine),
    Stage("display-number", display_number.examine),
    Stage("do-not-originate", do_not_originate.examine),
    Stage("destination", destination.examine),
    Stage("do-not-call", do_not_call.examine),
    Stage("hours", calling_hours.examine),
    Stage("repeated", repeated_calls.examine),
    Stage("velocity", velocity.examine),
    Stage("wangiri", wangiri.examine),
    Stage("concurrency", concurrency.examine),
    Stage("hugging", hugging.examine),
    Stage("robodial", classify.examine),
    Stage("attest", attest.examine),
    Stage("sign", sign.examine),
    Stage("route", route_outbound.examine),
    Stage("egress", egress.examine),
    Stage("privacy", privacy.examine),
)

TERMINATION = (
    Stage("callback", callback.examine),
    Stage("rate", call_rate.examine),
    Stage("verify", verify.examine),
    Stage("enforce", enforce.examine),
    Stage("network-caller", network_caller.examine),
    Stage("concurrency", concurrency.examine),
    Stage("route", route_inbound.examine),
    Stage("egress", egress.examine),
    Stage("privacy", privacy.examine),
)

_SLOTS = {
    Emergency: "emergency",
    Callback: "callback",
    CallerIdentity: "identity",
    Heading: "heading",
    Classified: "classified",
    Attested: "attested",
    Signed: "signed",
    Unsigned: "unsigned",
    Verified: "verified",
    Routed: "routed",
}

_NOWHERE = ("destination.unknown", "destination.no-route")
_NEEDS = (CertificateNeed, TargetNeed, CommitNeed)
_LENIENT = (CallerIdentity, Classified)  # findings that may say which rule matched without refusing


def run(call: Call, view: View) -> Decision | Need:
    """Take the call through its direction's stages, from where it stands, to a decision or a need."""
    stages = ORIGINATION if call.outbound else TERMINATION
    trail = call.trail
    for position in range(call.position, len(stages)):
        call.position = position
        stage = stages[position]
        examine = stage.examine
        finding = examine(call, view)
        if finding is None:
            trail.append(stage.passed)
        elif isinstance(finding, _NEEDS):
            return finding
        else:
            trail.append((stage.name, *finding.trail()))
            if isinstance(finding, Refusal):
                decision = _weigh(finding, call, view)
                if decision is not None:
                    return decision
            else:
                setattr(call, _SLOTS[type(finding)], finding)
                if isinstance(finding, _LENIENT) and finding.matched:
                    decision = _accept(finding.matched, call, view)
                    if decision is not None:
                        return decision
    if call.throttled:
        spend(call, view)
    return FORWARD


def refuse(refusal: Refusal) -> Decision:
    """The decision a blocking rule makes."""
    rule = RULES[refusal.rule]
    phrase = refusal.phrase or rule.phrase
    return Decision(rule.code, phrase, rule.name, refusal.detail, refusal.alert, refusal.emergency)


def _weigh(refusal: Refusal, call: Call, view: View) -> Decision | None:
    """None when the call goes on all the same: the rule does not block it, or it is an emergency or a call back."""
    mode = mode_for(refusal.rule, call, view)
    exempt = call.emergency is not None and not refusal.rule.startswith("emergency.")
    if call.callback is not None:
        exempt = refusal.rule not in _NOWHERE
    if not exempt:
        if mode is Mode.BLOCK:
            return refuse(refusal)
        if mode is Mode.THROTTLE:
            return _throttle(refusal, call, view)
        if _mark(call, refusal.rule, mode):
            return None
    if mode is not Mode.OFF:
        call.reported.append(refusal)
    return None


def _accept(rule: str, call: Call, view: View) -> Decision | None:
    """What else a rule's mode makes of a call that its stage lets go on; None when nothing."""
    mode = mode_for(rule, call, view)
    if mode is Mode.THROTTLE and call.emergency is None:
        return _throttle(Refusal(rule, RULES[rule].meaning.rstrip(".")), call, view)
    _mark(call, rule, mode)
    return None


def _throttle(refusal: Refusal, call: Call, view: View) -> Decision | None:
    """Let the call go on, marked, or refuse it because there are too many of its kind."""
    excess = throttle(refusal, call, view)
    if excess is not None:
        return refuse(excess)
    if refusal.rule not in call.tags:
        call.tags.append(refusal.rule)
    return None


def _mark(call: Call, rule: str, mode: Mode) -> bool:
    """Mark a call that a rule lets go on; whether the rule's mode is one that marks."""
    if mode not in (Mode.TAG, Mode.DIVERT):
        return False
    call.tags.append(rule)
    call.diverted = call.diverted or mode is Mode.DIVERT
    return True

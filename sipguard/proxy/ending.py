"""Ending the calls of accounts that were suspended or terminated, where ``policy.suspended_calls`` says so.

BYE goes to both sides (RFC 3261 §15), each as the other party would have sent it and by the same way as one received
from it: with route set, shown identities, numbers and credentials of the carrier. Many calls are ended some at a time,
so that nobody's messages wait. Calls of other accounts, calls to the account's numbers, emergency calls and calls that
still ring go on; what is answered while the account is suspended is ended soon after.
"""

from collections import deque

from sipguard.errors import MalformedValue
from sipguard.policy.directory import Account, AccountState
from sipguard.policy.presented import number_of
from sipguard.policy.rules import RULES, Mode
from sipguard.policy.weighing import mode_at
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.in_dialog import InDialog
from sipguard.proxy.kept_dialogs import REFRESHING, Leg, own_values
from sipguard.proxy.output import DEBUG, INFO
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response

_RULES = {AccountState.SUSPENDED: "account.suspended", AccountState.TERMINATED: "account.terminated"}
_AT_ONCE = 50
_BETWEEN = 0.1  # seconds
_AFTER_ANSWER = 1.0  # seconds for the ACK to pass


class Ending:
    """Ends calls, when there is a reason to."""

    def __init__(self, station: Station, in_dialog: InDialog, call_log: CallLog) -> None:
        self._station = station
        self._in_dialog = in_dialog
        self._call_log = call_log
        self._due: deque[ActiveCall] = deque()

    def review(self) -> None:
        """The view is another: see which calls may not go on under it; they end by the engine's next tick."""
        due = [call for call in self._station.calls if call.answered_at is not None and self._rule(call) is not None]
        running = bool(self._due)
        self._due = deque(due)
        if due and not running:
            self._station.timers.start(0.0, self, 0)

    def note(self, context: ResponseContext, flow: Flow, response: Response, now: float) -> None:
        """A 2xx that came on this flow opens a dialog, or changes one; one that cannot be read is left alone.

        If the account was suspended since its call began, the call ends soon.
        """
        station, server, call = self._station, context.server, context.active
        try:
            if call is not None and call.kept is not None:
                ours = own_values(response, station.identity, station.calls, call.identifier)
                call.kept.answered(call, server.request, server.flow, response, flow, ours)
                if self._rule(call) is not None:
                    self._put_off(call, now)
            elif call is None and server.method in REFRESHING:
                known = station.calls.find(response.call_id, response.from_.tag)
                if known is not None and known.kept is not None:
                    known.kept.refreshed(response)
        except MalformedValue as error:
            station.log(DEBUG, "dialog.not-kept", detail=str(error))

    def _put_off(self, call: ActiveCall, now: float) -> None:
        if not self._due:
            self._station.timers.start(now + _AFTER_ANSWER, self, 0)
        self._due.append(call)

    def fire(self, _kind: int, now: float) -> None:
        """Some of those that are due."""
        batch = [self._due.popleft() for _ in range(min(_AT_ONCE, len(self._due)))]
        if self._due:
            self._station.timers.start(now + _BETWEEN, self, 0)
        for call in batch:
            rule = self._rule(call)
            if rule is not None and call.up and self._station.calls.named(call.identifier) is call:
                self.end(call, rule, now)

    def _rule(self, call: ActiveCall) -> str | None:
        """The rule by which a call may not go on."""
        view = self._station.view
        if call.kept is None or call.account is None or not view.policy.end_suspended:
            return None
        account = view.directory.account(call.account)
        rule = None if account is None else _RULES.get(account.state)
        if account is None or rule is None or self.mode(rule, call, account) is not Mode.BLOCK:
            return None
        return rule

    def mode(self, rule: str, call: ActiveCall, account: Account) -> Mode:
        """The mode of a rule for a call that is up."""
        if call.caller is None:
            return Mode.OFF
        trunk = call.caller.trunk
        try:
            number = number_of(call.caller.own, trunk.dial_plan)
        except MalformedValue:
            number = None
        return mode_at(rule, number, trunk, account, self._station.view.policy)

    def end(self, call: ActiveCall, rule: str, now: float) -> None:
        """BYE to both sides of a call, by this rule."""
        station, kept = self._station, call.kept
        phrase = RULES[rule].phrase
        if kept is not None:
            for tag, pair in list(kept.pairs.items()):
                if tag in call.up:
                    self._say_bye(call, pair.caller, kept.numbers.get(call.caller_tag, 0), None, now)
                    self._say_bye(call, pair.called, kept.numbers.get(tag, 0), phrase, now)
        station.log(INFO, "call.ended", record=call.identifier, account=call.account, rule=rule)
        self._call_log.ended_by_policy(call, rule, now)

    def _say_bye(self, call: ActiveCall, leg: Leg, last: int, phrase: str | None, now: float) -> None:
        """As the party of this leg would; the customer hears why."""
        listener = self._station.identity.arrived_on(leg.flow)
        place = f"{listener.advertised_host}:{listener.advertised_port}"
        via = f"SIP/2.0/{listener.transport.upper()} {place};branch=z9hG4bK{self._station.random()}"
        request = Request(f"BYE {leg.target} SIP/2.0", [], [], b"", "BYE", leg.target)
        for name, value in (
            ("via", via),
            *(("route", route) for route in leg.routes),
            ("max-forwards", "70"),
            ("from", leg.from_),
            ("to", leg.to),
            ("call-id", call.call_id),
            ("cseq", f"{last + 1} BYE"),
            *((("reason", f'SIP;cause=403;text="{phrase}"'),) if phrase is not None else ()),
            ("content-length", "0"),
        ):
            request.append(name, value)
        self._in_dialog.say(request, leg.flow, now)

"""Ending the calls of accounts and end users that are suspended or terminated, if ``policy.suspended_calls`` says so.

BYE goes to both sides (RFC 3261 §15), each as the other party would have sent it and by the same way as one received
from it: with route set, shown identities, numbers and credentials of the carrier. Many calls are ended some at a time,
so that nobody's messages wait. Calls of other accounts, calls to the account's numbers, emergency calls and calls that
still ring go on; what is answered while the account is suspended is ended soon after. So is what a fork downstream
answers when the call is over and its record closed.
"""

from collections import deque

from sipguard.policy.account import Account, AccountState
from sipguard.policy.end_user import below
from sipguard.policy.rules import RULES, Mode
from sipguard.policy.weighing import mode_at
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.dialog import Dialog, State
from sipguard.proxy.in_dialog import InDialog
from sipguard.proxy.output import INFO
from sipguard.proxy.station import Station
from sipguard.sip.address import Address, format_address
from sipguard.sip.message import Request

_RULES = {AccountState.SUSPENDED: "account.suspended", AccountState.TERMINATED: "account.terminated"}
_AT_ONCE = 50
_BETWEEN = 0.1  # seconds
_AFTER_ANSWER = 1.0  # seconds for the ACK to pass
_GAP = 100  # numbers the caller may have used of which nothing was kept
_LAST_NUMBER = 2**31 - 1  # RFC 3261 §8.1.1.5; a party that has used it must not be the one that cannot be sent a BYE


class _Late:
    """A dialog that was answered when its call was over already."""

    __slots__ = ("_call", "_dialog", "_ending")

    def __init__(self, ending: "Ending", call: ActiveCall, dialog: Dialog) -> None:
        self._ending = ending
        self._call = call
        self._dialog = dialog

    def fire(self, _kind: int, now: float) -> None:
        """The ACK has passed."""
        self._ending.end_dialog(self._call, self._dialog, None, now)


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

    def note(self, call: ActiveCall, now: float) -> None:
        """A call is answered; if the account was suspended since it began, it ends soon."""
        if self._rule(call) is not None:
            self._put_off(call, now)

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
            if rule is not None and call.is_up and self._station.calls.named(call.identifier) is call:
                self.end(call, rule, now)

    def _rule(self, call: ActiveCall) -> str | None:
        """The rule by which a call may not go on."""
        view = self._station.view
        if call.numbers is None or call.account is None or not view.policy.end_suspended:
            return None
        for name in (call.account, call.end_user):
            account = None if name is None else view.directory.account(name)
            rule = None if account is None else _RULES.get(account.state)
            if account is not None and rule is not None and self.mode(rule, call, account) is Mode.BLOCK:
                return rule
        return None

    def mode(self, rule: str, call: ActiveCall, account: Account) -> Mode:
        """The mode of a rule for a call that is up."""
        if call.caller is None:
            return Mode.OFF
        view = self._station.view
        whose = below(account, call.end_user, view.directory)
        return mode_at(rule, call.number, call.caller.trunk, account, view.policy, whose)

    def end(self, call: ActiveCall, rule: str, now: float) -> None:
        """BYE to both sides of a call, by this rule."""
        station = self._station
        phrase = RULES[rule].phrase
        for dialog in call.dialogs:
            if dialog.state is State.UP:
                self.end_dialog(call, dialog, phrase, now)
        station.log(INFO, "call.ended", record=call.identifier, account=call.account, rule=rule)
        self._call_log.ended_by_policy(call, rule, now)

    def answered_late(self, call: ActiveCall, tag: str | None, number: int, now: float) -> None:
        """A fork downstream answers when the last BYE was said: it ends soon, for its call is on record as over.

        A caller that means no harm ends it as well. ``number`` is that of the INVITE.
        """
        dialog = call.dialog_with(tag)
        if dialog is None or call.is_for_help:
            return
        if call.numbers is None:
            call.numbers = {call.caller_tag: number + _GAP}
        self._station.log(INFO, "call.answered-late", record=call.identifier, account=call.account)
        self._station.timers.start(now + _AFTER_ANSWER, _Late(self, call, dialog), 0)

    def end_dialog(self, call: ActiveCall, dialog: Dialog, phrase: str | None, now: float) -> None:
        """BYE to both sides of one dialog; the customer hears why."""
        self._say_bye(call, dialog, None, now, by_caller=True)
        self._say_bye(call, dialog, phrase, now, by_caller=False)

    def _say_bye(self, call: ActiveCall, dialog: Dialog, phrase: str | None, now: float, *, by_caller: bool) -> None:
        """As the party would, to the other."""
        if call.caller is None or call.called is None:
            return
        if by_caller:
            own, peer, leg, there = call.caller.own, call.called.shown, dialog.caller, dialog.called
            tags = (call.caller_tag, dialog.tag)
        else:
            own, peer, leg, there = call.called.own, call.caller.shown, dialog.called, dialog.caller
            tags = (dialog.tag, call.caller_tag)
        listener = self._station.identity.arrived_on(leg.flow)
        place = f"{listener.advertised_host}:{listener.advertised_port}"
        via = f"SIP/2.0/{listener.transport.upper()} {place};branch=z9hG4bK{self._station.random()}"
        number = min((call.numbers or {}).get(tags[0], 0) + 1, _LAST_NUMBER)
        request = Request(f"BYE {there.target} SIP/2.0", [], [], b"", "BYE", there.target)
        for name, value in (
            ("via", via),
            ("max-forwards", "70"),
            ("from", format_address(Address(own.display, own.uri, {"tag": tags[0]}))),
            ("to", format_address(Address(peer.display, peer.uri, {"tag": tags[1]}))),
            ("call-id", call.call_id),
            ("cseq", f"{number} BYE"),
            *((("reason", f'SIP;cause=403;text="{phrase}"'),) if phrase is not None else ()),
            ("content-length", "0"),
        ):
            request.append(name, value)
        self._in_dialog.say(request, leg.flow, call, now)

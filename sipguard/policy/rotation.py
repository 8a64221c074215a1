"""Which refusals begin the watch for changing caller numbers, and what counts as one caller.

A refusal that may be got around by another number begins it: of the caller's number or name, of the destination, by
analytics, here (``603 Network Blocked``) or at a carrier (that, 607 and 608). A callee that declines with a plain 603
has blocked nobody. Emergency calls and calls back enter nothing, nor do calls of a gateway: it brings many callers.
"""

from sipguard.policy.call import Call
from sipguard.policy.callee import called_number
from sipguard.policy.presented import ASSERTED, PREFERRED, REMOTE_PARTY, numbers
from sipguard.policy.rules import RULES, Family
from sipguard.policy.view import View
from sipguard.sip.message import Response
from sipguard.traffic.shares import Pair

_ABOUT_THE_CALLER = ("caller-id.", "network-caller.", "destination.")
_OURS = ("destination.no-route", "destination.unknown")
_BLOCKED = frozenset((607, 608))
_PHRASE, _REASON = "network blocked", "v=analytics"  # what tells a 603 of analytics from a person's (ATIS-1000099)


def note_refusal(call: Call, rule: str, view: View, now: float) -> None:
    """We refused a call."""
    if rule in _OURS or not (rule.startswith(_ABOUT_THE_CALLER) or RULES[rule].family is Family.ANALYTICS):
        return
    _note(call, view, now)


def note_answer(call: Call, response: Response, view: View, now: float) -> None:
    """A call got a 6xx from the other side."""
    if response.code in _BLOCKED or (response.code == 603 and _is_of_analytics(response)):
        _note(call, view, now)


def pair_of(call: Call) -> Pair | None:
    """The account and the called number; None when a call has none of them, or is not counted."""
    if call.account is None or call.trunk.gateway or call.emergency is not None or call.callback is not None:
        return None
    tn = called_number(call)
    return None if tn is None else (call.account.name, tn)


def caller_of(call: Call) -> int:
    """A fingerprint of the numbers a call presents: of one caller they are the same, in whatever field and spelling."""
    fields = (ASSERTED, PREFERRED, REMOTE_PARTY)
    shown = [tn for field in fields for tn in numbers(call.request, field, call.trunk.dial_plan)]
    return hash(frozenset((call.from_tn, *shown)))


def _note(call: Call, view: View, now: float) -> None:
    pair = pair_of(call) if view.policy.rotation.window else None
    if pair is not None:
        view.rotation.refused(pair, caller_of(call), now, view.policy.rotation.window)


def _is_of_analytics(response: Response) -> bool:
    return response.reason.lower() == _PHRASE or any(_REASON in value.lower() for value in response.values("reason"))

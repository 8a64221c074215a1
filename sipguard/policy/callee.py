"""Who is called, and for whom, for rules about people who do not want to be.

Called is a whole number: short codes, service numbers and the crisis line are nobody's telephone, and what has no
number at all is for ``destination`` to refuse. It is the number that a switch reaches, whatever else was dialled: a
service code in front (``*67``, ``#31#``), what follows a ``#``, digits beyond the eleven that numbers within +1 have. A
call is made for the end user that the calling number belongs to, over whosever trunk, and else for the trunk's account.
"""

import re

from sipguard.errors import MalformedValue
from sipguard.policy.account import Account
from sipguard.policy.call import Call
from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.end_user import end_user_of
from sipguard.policy.view import View
from sipguard.stir.telephone_number import TN, canonicalise
from sipguard.traffic.shares import Pair

_NATIONAL = DoNotCall.NATIONAL  # looked up once: every call asks
_SHORTEST = 7  # digits; what is shorter is a service code
_NORTH_AMERICAN = 11  # digits
_REACHED = re.compile(r"(?:[*#]{1,2}[0-9]{2,3}[*#]|\*(?:67|70|82))?([0-9]{7,})(?:[*#]|\Z)")


def called_number(call: Call) -> TN | None:
    """The number a call reaches; None for short and service codes, and for what is no number."""
    try:
        tn = call.request_tn
    except MalformedValue:
        return None
    if tn is not None and not tn.isdecimal():
        found = _REACHED.match(tn)
        tn = None if found is None else canonicalise(found[1], call.trunk.dial_plan)
    if tn is None or len(tn) < _SHORTEST:
        return None
    return TN(tn[:_NORTH_AMERICAN]) if tn[0] == "1" else tn


def callee_of(call: Call) -> TN | None:
    """The called number that somebody may have at home; None when there is none, or the call is for help."""
    return None if call.emergency is not None or call.callback is not None else called_number(call)


def account_of(call: Call, view: View) -> Account | None:
    """The account a call is made for; None when nobody's trunk brings it."""
    if call.identity is not None and call.identity.end_user is not None:
        return end_user_of(call, view) or call.account
    return call.account


def sells(call: Call, view: View) -> bool:
    """Whether the call is of an account that sells by telephone: one held against the national do-not-call list."""
    account = account_of(call, view)
    return account is not None and account.do_not_call is _NATIONAL


def repeat_of(call: Call, view: View) -> Pair | None:
    """What a call counts for among calls to the same number; None when it does not count."""
    account = account_of(call, view)
    if account is None or not (view.policy.repeated.everybody or account.do_not_call is _NATIONAL):
        return None
    tn = callee_of(call) if call.request.method == "INVITE" else None
    return None if tn is None else (account.name, tn)


def note_call(call: Call, view: View, now: float) -> None:
    """A call is let go: it counts, until it turns out that it never left."""
    call.repeat = repeat_of(call, view)
    if call.repeat is not None:
        repeated = view.policy.repeated
        view.usage.repeats.count(call.repeat, repeated.calls, repeated.window, now)


def take_back_call(call: Call, view: View) -> None:
    """It never left, or was only asked for credentials (401, 407): what comes with them is the call."""
    if call.repeat is not None:
        view.usage.repeats.withdraw(call.repeat)
        call.repeat = None

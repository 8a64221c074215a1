"""Do-not-call: a number that is on the national list, or that opted out of this account's calls, is not called.

Nothing is looked up while the registry has no such list, nor for accounts that are held against none.
"""

from sipguard.policy.call import Call
from sipguard.policy.call_lists import DoNotCall, objection
from sipguard.policy.callee import account_of, callee_of
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse to call who does not want it."""
    numbers = view.directory.numbers
    if not numbers.has_call_lists:
        return None
    account = account_of(call, view)
    if account is None or account.do_not_call is DoNotCall.OFF:
        return None
    tn = callee_of(call)
    found = numbers.called(tn) if tn is not None else None
    if not found:
        return None
    path = account.path or (account.name,)
    if call.account is not None and account is not call.account:
        path += call.account.path
    national = account.do_not_call is DoNotCall.NATIONAL
    why = objection(found, path, national=national, now=call.received_at)
    if why is None:
        return None
    source = f" ({why.listing.source})" if why.listing.source else ""
    return Refusal("destination.do-not-call", f"+{tn} {why.words}{source}")

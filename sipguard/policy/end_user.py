"""The end user a call is made for: a customer of the account, known by the number that the call shows.

What was decided about an end user - its state, its attestation cap, its limit - also holds where it calls over the
trunk of an account above it; so does what was decided about the accounts between the two.
"""

from sipguard.policy.account import Account, AccountState
from sipguard.policy.call import Call
from sipguard.policy.directory import Directory
from sipguard.policy.view import View

_SEVERITY = {state: severity for severity, state in enumerate(AccountState)}


def end_user_of(call: Call, view: View) -> Account | None:
    """The account of the end user, None where the call is the account's own."""
    identity, account = call.identity, call.account
    if identity is None or identity.end_user is None or account is None or identity.end_user in account.path:
        return None
    return view.directory.account(identity.end_user)


def below(account: Account | None, end_user: str | None, directory: Directory) -> tuple[str, ...]:
    """The accounts from the one below an account down to its end user; none where there is no end user."""
    if end_user is None:
        return ()
    known = directory.account(end_user)
    own = () if account is None else account.path or (account.name,)
    return tuple(name for name in (known and known.path) or (end_user,) if name not in own)


def state_of(call: Call, view: View) -> AccountState:
    """The stricter of the account's state and its end user's. Only of a call with an account."""
    state = call.account.state if call.account is not None else AccountState.ACTIVE
    end_user = end_user_of(call, view)
    return state if end_user is None else max(state, end_user.state, key=_SEVERITY.__getitem__)

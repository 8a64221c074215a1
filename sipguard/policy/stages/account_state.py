"""Account state: a suspended or terminated customer makes no calls; neither does a trunk without an account, and nobody
while the registry has been out of reach for too long, if the operator wants that.

The directory already holds the strictest state on the path from the top of the tree down to the account. An end user of
the account is known once the number is: what its state says is asked then.
"""

from sipguard.policy.account import Account, AccountState
from sipguard.policy.call import Call
from sipguard.policy.end_user import end_user_of
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse what no active account answers for."""
    if view.directory.stale and view.policy.registry_on_stale == "refuse":
        return Refusal("node.registry", "the registry has been out of reach for too long")
    account = call.account
    if account is None:
        return Refusal("source.no-account", f"trunk {call.trunk.name} has no account")
    return _refusal(account)


def examine_end_user(call: Call, view: View) -> Refusal | None:
    """Refuse the call of an end user who may not call, over the trunk of the account above it."""
    if call.identity is None or call.identity.end_user is None:
        return None
    end_user = end_user_of(call, view)
    return None if end_user is None else _refusal(end_user)


def _refusal(account: Account) -> Refusal | None:
    if account.state is AccountState.TERMINATED:
        return Refusal("account.terminated", f"account {account.name} is terminated")
    if account.state is AccountState.SUSPENDED:
        return Refusal("account.suspended", f"account {account.name} is suspended")
    return None

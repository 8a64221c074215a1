"""Account state: a suspended or terminated customer makes no calls; neither does a trunk without an account, and nobody
while the registry has been out of reach for too long, if the operator wants that.

The directory already holds the strictest state on the path from the top of the tree down to the account.
"""

from sipguard.policy.call import Call
from sipguard.policy.directory import AccountState
from sipguard.policy.finding import Refusal
from sipguard.policy.view import View


def examine(call: Call, view: View) -> Refusal | None:
    """Refuse what no active account answers for."""
    if view.directory.stale and view.policy.registry_on_stale == "refuse":
        return Refusal("node.registry", "the registry has been out of reach for too long")
    account = call.account
    if account is None:
        return Refusal("source.no-account", f"trunk {call.trunk.name} has no account")
    if account.state is AccountState.TERMINATED:
        return Refusal("account.terminated", f"account {account.name} is terminated")
    if account.state is AccountState.SUSPENDED:
        return Refusal("account.suspended", f"account {account.name} is suspended")
    return None

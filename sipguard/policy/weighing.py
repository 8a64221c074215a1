"""What a rule that matched does to this very call: its mode, and the exceptions to it."""

from collections.abc import Sequence

from sipguard.policy.account import Account
from sipguard.policy.call import Call
from sipguard.policy.end_user import below
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Trunk
from sipguard.policy.view import View


def mode_for(rule: str, call: Call, view: View) -> Mode:
    """The mode of a rule for a call."""
    policy = view.policy
    if rule not in policy.scopes:
        return policy.mode(rule)
    identity = call.identity
    if identity is None:
        return mode_at(rule, call.from_tn, call.trunk, call.account, policy)
    whose = below(call.account, identity.end_user, view.directory)
    return mode_at(rule, identity.effective, call.trunk, call.account, policy, whose)


def mode_at(
    rule: str,
    number: str | None,
    trunk: Trunk | None,
    account: Account | None,
    policy: PolicySettings,
    whose: Sequence[str] = (),
) -> Mode:
    """The mode of a rule for what comes from this number, trunk and account.

    ``whose`` are the accounts below that one, down to the end user whose number it is.
    """
    scope = policy.scopes.get(rule)
    if scope is None:
        return policy.mode(rule)
    path: Sequence[str] = (account.path or (account.name,)) if account is not None else ()
    return scope.mode(number, trunk.name if trunk is not None else "", (*path, *whose)) or policy.mode(rule)

"""What a rule that matched does to this very call: its mode, and the exceptions to it."""

from collections.abc import Sequence

from sipguard.policy.call import Call
from sipguard.policy.directory import Account, Trunk
from sipguard.policy.rules import Mode
from sipguard.policy.settings import PolicySettings


def mode_for(rule: str, call: Call, policy: PolicySettings) -> Mode:
    """The mode of a rule for a call."""
    if rule not in policy.scopes:
        return policy.mode(rule)
    if call.identity is None:
        return mode_at(rule, call.from_tn, call.trunk, call.account, policy)
    return mode_at(rule, call.identity.effective, call.trunk, call.account, policy, call.identity.end_user)


def mode_at(
    rule: str,
    number: str | None,
    trunk: Trunk | None,
    account: Account | None,
    policy: PolicySettings,
    end_user: str | None = None,
) -> Mode:
    """The mode of a rule for what comes from this number, trunk and account, and of the number's end user."""
    scope = policy.scopes.get(rule)
    if scope is None:
        return policy.mode(rule)
    path: Sequence[str] = (account.path or (account.name,)) if account is not None else ()
    return scope.mode(number, trunk.name if trunk is not None else "", path, end_user) or policy.mode(rule)

"""Which mode every rule has for one account, who says so, and where a trunk or a number of it has another."""

from collections.abc import Sequence

from sipguard.policy.account import Account
from sipguard.policy.rules import TABLE, Family, Mode
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Trunk
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_at
from sipguard.registry.values import shown_number
from sipguard.runtime.clock import Clock
from sipguard.stir.telephone_number import TN


def rules_of(account: Account, policy: PolicySettings) -> list[dict[str, object]]:
    """The rules its calls are held against, in order: mode in force, and by whose word."""
    return [
        {
            "rule": rule.name,
            "mode": mode_at(rule.name, None, None, account, policy).value,
            "by": _by(rule.name, account, policy),
        }
        for rule in TABLE
        if rule.family is not Family.STIR  # those are for calls from the network
    ]


def _by(rule: str, account: Account, policy: PolicySettings) -> str:
    scope = policy.scopes.get(rule)
    for name in reversed(account.path):
        if scope is not None and name in scope.accounts:
            return f"account:{name}"
    return "policy" if rule in policy.modes else "default"


def exceptions_of(account: Account, trunks: Sequence[Trunk], view: View) -> list[dict[str, object]]:
    """The exceptions for its trunks and for numbers it may use: they come before those for accounts."""
    names = {trunk.name for trunk in trunks}
    found: list[dict[str, object]] = []
    for rule, scope in view.policy.scopes.items():
        found += [_exception(f"trunk:{name}", rule, mode) for name, mode in scope.trunks.items() if name in names]
        found += [
            _exception(f"number:{shown_number(number)}", rule, mode)
            for number, mode in scope.numbers.items()
            if view.directory.right(TN(number), account.name, Clock().unix_time()) is not None
        ]
    return found


def _exception(subject: str, rule: str, mode: Mode) -> dict[str, object]:
    return {"for": subject, "rule": rule, "mode": mode.value}

"""What limits the calls of an account: its own limit and those of the accounts above it, and what they have in use.

The counts of a running node are in its memory; the attestation log tells as much: a call that went on and has no end is
up. After a crash, calls that were up then seem to be so for a day.
"""

from collections.abc import Mapping
from dataclasses import asdict

from sipguard.policy.account import Account, AccountState
from sipguard.policy.account_limits import TREE, charges_of, restricted_at
from sipguard.policy.view import View


def limits_of(account: Account, view: View, up: Mapping[tuple[str, str], int]) -> list[dict[str, object]]:
    """Every limit a call of it is held against, the nearest first; 0 is no limit. ``up`` is by account and end user."""
    return [
        {
            "of": name,
            "counts": "its calls and those below it" if kind == TREE else "its calls",
            **asdict(limit),
            "set_in": _set_in(name, kind == TREE, account, view),
            "up": _up(name, kind == TREE, view, up),
        }
        for (kind, name), limit in charges_of(account, view)
    ]


def _set_in(name: str, own: bool, account: Account, view: View) -> str:
    limits = view.policy.limits
    if not own:
        return "configuration, for every account"
    where = "registry" if name in dict(account.limits) else "configuration" if name in limits.accounts else ""
    restricted = account.state is AccountState.RESTRICTED and restricted_at(account, view) == name
    return " and ".join(filter(None, (where, "restricted" if restricted else "")))


def _up(name: str, below: bool, view: View, up: Mapping[tuple[str, str], int]) -> int:
    if not below:
        return sum(calls for (caller, _), calls in up.items() if caller == name)
    accounts = view.directory.accounts
    return sum(
        calls
        for whose, calls in up.items()
        if name in whose or any(name in accounts[one].path for one in whose if one in accounts)
    )

"""The limits on the calls of an account: its own, and those of the accounts above it.

A limit of one's own - the registry's, else the configuration's - counts all calls of the account and of everything
below it, so a reseller's customers cannot have more together than the reseller; every level with such a limit is asked.
An account without one is held to everybody's limit, which counts the calls that come under its own name.

A restriction caps as well: the highest restricted account on the path has the limit of restricted accounts, with all
that is below it, beside its own.
"""

from sipguard.policy.account import Account, AccountState
from sipguard.policy.view import View
from sipguard.traffic.gcra import Key
from sipguard.traffic.limit import CallLimit

OWN, TREE = "account", "tree"  # kinds of keys: the calls of an account itself, and with those below it
Charge = tuple[Key, CallLimit]


def charges_of(account: Account, view: View) -> list[Charge]:
    """What a call of the account is held against, the nearest account first."""
    limits = view.policy.limits
    restricted = account.state is AccountState.RESTRICTED
    if not (account.limits or limits.accounts or restricted):
        return [((OWN, account.name), limits.account)]
    kept = dict(account.limits)
    capped = restricted_at(account, view) if restricted else ""
    charges: list[Charge] = []
    for name in reversed(account.path or (account.name,)):
        limit = kept.get(name) or limits.accounts.get(name)
        if limit is None and name == account.name:
            charges.append(((OWN, name), limits.account))
        if name == capped:
            limit = limits.restricted if limit is None else limit.stricter(limits.restricted)
        if limit is not None:
            charges.append(((TREE, name), limit))
    return charges


def places_of(account: Account) -> list[Key]:
    """What a call of the account counts for while it is up; it must be right also for limits that are set later."""
    return [(OWN, account.name), *((TREE, name) for name in account.path or (account.name,))]


def restricted_at(account: Account, view: View) -> str:
    """The highest account on the path that is restricted: everything below it is by that."""
    for name in account.path:
        known = view.directory.account(name)
        if known is not None and known.state is AccountState.RESTRICTED:
            return name
    return account.name

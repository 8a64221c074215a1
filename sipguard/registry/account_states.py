"""The account state machine: from which state an operator may put an account into which, as a table.

Termination is final, because numbers may have been given to others and contracts ended: only an operator who says so
(``force``) takes it back. Any other state may follow any other; to say the same again is no change, but is audited
with its reason. What is in force of an account is the strictest state on its path.
"""

from collections.abc import Iterable

from sipguard.policy.account import AccountState

_ACTIVE, _WARNED, _RESTRICTED, _SUSPENDED, _TERMINATED = AccountState

TRANSITIONS = {
    _ACTIVE: frozenset((_ACTIVE, _WARNED, _RESTRICTED, _SUSPENDED, _TERMINATED)),
    _WARNED: frozenset((_ACTIVE, _WARNED, _RESTRICTED, _SUSPENDED, _TERMINATED)),
    _RESTRICTED: frozenset((_ACTIVE, _WARNED, _RESTRICTED, _SUSPENDED, _TERMINATED)),
    _SUSPENDED: frozenset((_ACTIVE, _WARNED, _RESTRICTED, _SUSPENDED, _TERMINATED)),
    _TERMINATED: frozenset((_TERMINATED,)),
}
FORCED = {_TERMINATED: frozenset((_ACTIVE,))}  # only by an operator who insists

_SEVERITY = {state: severity for severity, state in enumerate(AccountState)}


def transition_problem(name: str, before: AccountState, after: AccountState, *, force: bool = False) -> str | None:
    """Why an account cannot go from one state into another."""
    if after in TRANSITIONS[before] or (force and after in FORCED.get(before, ())):
        return None
    return f'account "{name}" is {before}, which is final; "sipguard account activate {name} --force" takes it back'


def strictest(states: Iterable[AccountState]) -> AccountState:
    """The state in force, of all those on a path."""
    return max(states, key=_SEVERITY.__getitem__)

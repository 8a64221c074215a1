"""The account state machine: every pair of states, and whom a change touches."""

from itertools import product
from pathlib import Path

import pytest

from sipguard.errors import RegistryError
from sipguard.policy.account import AccountState
from sipguard.registry.account_states import FORCED, TRANSITIONS, strictest, transition_problem
from sipguard.registry.accounts import StateChange
from tests.registry.kit import acme

ACTIVE, WARNED, RESTRICTED, SUSPENDED, TERMINATED = AccountState


@pytest.mark.parametrize(("before", "after"), list(product(AccountState, AccountState)))
def test_every_transition(before: AccountState, after: AccountState) -> None:
    """Any state may follow any other, but nothing follows termination, except active by force."""
    assert (transition_problem("acme", before, after) is None) is (before is not TERMINATED or after is TERMINATED)
    forced = transition_problem("acme", before, after, force=True)
    assert (forced is None) is (before is not TERMINATED or after in (ACTIVE, TERMINATED))


def test_the_table_is_whole() -> None:
    """Every state has its row, and force only adds."""
    assert set(TRANSITIONS) == set(AccountState)
    assert not any(FORCED[state] & TRANSITIONS[state] for state in FORCED)


def test_the_strictest_state() -> None:
    """In the order they are listed, from active to terminated."""
    assert strictest([WARNED, SUSPENDED, ACTIVE]) is SUSPENDED
    assert strictest([TERMINATED, SUSPENDED]) is TERMINATED


@pytest.mark.usefixtures("store")
def test_whom_a_change_touches(tmp_path: Path) -> None:
    """The account and those below whose state in force is another now; the audit has state and reason."""
    registry = acme(tmp_path)
    registry.accounts.put_into("acme/sales", RESTRICTED)
    assert registry.accounts.put_into("reseller", WARNED) == [
        StateChange("acme", ACTIVE, WARNED),
        StateChange("reseller", ACTIVE, WARNED),
    ]
    assert registry.accounts.put_into("reseller", SUSPENDED, reason="unpaid")[1:] == [
        StateChange("acme/sales", RESTRICTED, SUSPENDED),
        StateChange("reseller", WARNED, SUSPENDED),
    ]
    latest = registry.audit(subject="reseller")[0]
    assert (latest.what, latest.detail) == (
        "account.set",
        {"before": {"state": "warned"}, "after": {"state": "suspended", "reason": "unpaid"}},
    )


@pytest.mark.usefixtures("store")
def test_a_refused_transition_changes_nothing(tmp_path: Path) -> None:
    """The account stays terminated and the audit has no word of it."""
    registry = acme(tmp_path)
    registry.accounts.put_into("acme", TERMINATED)
    changes = len(registry.audit())
    for attempt in (
        lambda: registry.accounts.put_into("acme", SUSPENDED, force=True),
        lambda: registry.accounts.change("acme", state="active"),
    ):
        with pytest.raises(RegistryError, match="final"):
            attempt()
    with pytest.raises(RegistryError, match="no account"):
        registry.accounts.put_into("nobody", ACTIVE)
    assert len(registry.audit()) == changes
    assert registry.effective_accounts()["acme/sales"].state is TERMINATED

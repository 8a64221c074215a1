"""The account state stage."""

import pytest

from sipguard.policy.account import AccountState
from sipguard.policy.finding import Refusal
from sipguard.policy.stages.account_state import examine
from tests.policy.kit import call_of, in_state, view_of


@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.WARNED, AccountState.RESTRICTED])
def test_a_live_account_passes(state):
    """Active, warned and restricted accounts may call."""
    assert examine(call_of(account=in_state(state)), view_of()) is None


@pytest.mark.parametrize(
    ("state", "rule"),
    [(AccountState.SUSPENDED, "account.suspended"), (AccountState.TERMINATED, "account.terminated")],
)
def test_a_suspended_or_terminated_account_is_refused(state, rule):
    """Each end of the account has its own rule, and the detail names the account."""
    finding = examine(call_of(account=in_state(state)), view_of())
    assert isinstance(finding, Refusal)
    assert finding.rule == rule
    assert "acme" in finding.detail


def test_a_trunk_without_account_is_refused():
    """Nobody answers for a customer trunk without an account."""
    assert examine(call_of(account=None), view_of()) == Refusal("source.no-account", "trunk acme-pbx has no account")

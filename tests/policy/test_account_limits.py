"""Which limits the calls of an account are held against."""

from dataclasses import replace

import pytest

from sipguard.policy.account import Account, AccountState
from sipguard.policy.account_limits import charges_of, places_of
from sipguard.policy.directory import Directory
from sipguard.policy.settings import CallLimits, PolicySettings
from sipguard.traffic.limit import MODEST, UNLIMITED, CallLimit
from tests.policy.kit import view_of

TEN, FIVE, THREE = CallLimit(concurrent=10), CallLimit(concurrent=5), CallLimit(concurrent=3)
PATH = ("operator", "reseller", "acme")
ACME = Account("acme", path=PATH)


def charged(caller: Account, /, others: tuple[Account, ...] = (), **limits: object) -> list[tuple[str, str, CallLimit]]:
    """The charges of a call of the account: kind, name, limit."""
    view = view_of(directory=Directory(accounts=(*others, caller)), policy=PolicySettings(limits=CallLimits(**limits)))
    return [(*key, limit) for key, limit in charges_of(caller, view)]


def test_without_one_of_its_own_an_account_has_everybodys_limit():
    """It counts the calls of the account itself, and none is one."""
    assert charged(ACME) == [("account", "acme", UNLIMITED)]
    assert charged(ACME, account=FIVE) == [("account", "acme", FIVE)]


def test_every_level_with_a_limit_of_its_own_is_asked():
    """The nearest first; each counts with everything below it, and everybody's limit is for the caller alone."""
    assert charged(ACME, account=THREE, accounts={"operator": TEN, "reseller": FIVE}) == [
        ("account", "acme", THREE), ("tree", "reseller", FIVE), ("tree", "operator", TEN),
    ]  # fmt: skip
    assert charged(ACME, account=THREE, accounts={"acme": TEN}) == [("tree", "acme", TEN)]


def test_the_registry_wins_over_the_configuration():
    """Level by level: the configured limit of another level stays."""
    account = replace(ACME, limits=(("reseller", FIVE), ("acme", UNLIMITED)))
    accounts = {"operator": TEN, "reseller": THREE, "acme": THREE}
    assert charged(account, account=THREE, accounts=accounts) == [
        ("tree", "acme", UNLIMITED), ("tree", "reseller", FIVE), ("tree", "operator", TEN),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("restricted", "at"), [((), "acme"), (("reseller",), "reseller"), (("operator", "reseller"), "operator")]
)
def test_a_restriction_caps_where_it_was_imposed(restricted: tuple[str, ...], at: str):
    """With everything below, whatever other limits there are."""
    account = replace(ACME, state=AccountState.RESTRICTED)
    others = tuple(Account(name, AccountState.RESTRICTED, (name,)) for name in restricted)
    assert ("tree", at, MODEST) in charged(account, others)
    assert [charge for charge in charged(account, others) if charge[2] is MODEST] == [("tree", at, MODEST)]


def test_of_a_restriction_and_a_limit_the_stricter_figures_count():
    """A low rate of one and a low number of the other hold both."""
    account = replace(ACME, state=AccountState.RESTRICTED, limits=(("acme", CallLimit(0.5, 3, 100)),))
    assert charged(account) == [("tree", "acme", CallLimit(0.5, 3, 10))]
    assert charged(account, restricted=UNLIMITED) == [("tree", "acme", CallLimit(0.5, 3, 100))]
    fast = replace(account, limits=(("acme", CallLimit(50.0, 3)),))
    assert charged(fast) == [("tree", "acme", MODEST)]


def test_a_call_counts_at_every_level():
    """Also where no limit is yet: one may be set while the call is up."""
    assert places_of(ACME) == [("account", "acme"), ("tree", "operator"), ("tree", "reseller"), ("tree", "acme")]
    assert places_of(Account("alone")) == [("account", "alone"), ("tree", "alone")]

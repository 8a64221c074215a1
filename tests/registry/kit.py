"""A registry in a temporary directory, with one customer in it."""

from pathlib import Path

from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.schema import AccountKind
from sipguard.stir.telephone_number import TN


def sqlite_file(directory: Path) -> str:
    """The URL of a directory's own SQLite file."""
    return f"sqlite:///{directory / 'registry.db'}"


url_of = sqlite_file  # the fixture ``store`` may put PostgreSQL databases in their place


def empty(directory: Path) -> Registry:
    """A new registry, or the one made here before."""
    return Registry(url_of(directory), actor="tester", patience=0.1)


def acme(directory: Path) -> Registry:
    """A registry with reseller > acme > acme/sales, and one number."""
    registry = empty(directory)
    registry.accounts.add(AccountEntry("reseller", AccountKind.RESELLER))
    registry.accounts.add(AccountEntry("acme", parent="reseller"))
    registry.accounts.add(AccountEntry("acme/sales", AccountKind.END_USER, "acme"))
    registry.numbers.add(NumberEntry(TN("14155550100"), "acme", end_user="acme/sales"))
    return registry

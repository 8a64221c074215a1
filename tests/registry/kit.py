"""A registry in a temporary directory, with one customer in it."""

from pathlib import Path

from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.schema import AccountKind
from sipguard.stir.telephone_number import TN


def empty(directory: Path) -> Registry:
    """A new registry."""
    return Registry(f"sqlite:///{directory / 'registry.db'}", actor="tester", patience=0.1)


def acme(directory: Path) -> Registry:
    """A registry with reseller > acme > acme/sales, and one number."""
    registry = empty(directory)
    registry.accounts.add(AccountEntry("reseller", AccountKind.RESELLER))
    registry.accounts.add(AccountEntry("acme", parent="reseller"))
    registry.accounts.add(AccountEntry("acme/sales", AccountKind.END_USER, "acme"))
    registry.numbers.add(NumberEntry(TN("14155550100"), "acme", end_user="acme/sales"))
    return registry

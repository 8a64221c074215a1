"""Who may present which number: accounts, numbers, trunks, emergency registrations and lists, in an SQL store.

The hot path never asks the database. ``Registry.directory`` reads everything once into a frozen ``Directory``; a
reload builds a new one. Changes come from the command line and from CSV imports, and each leaves an audit row.
"""

from sipguard.registry.registry import Registry

__all__ = ["Registry"]

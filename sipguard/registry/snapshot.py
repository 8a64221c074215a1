"""The registry as the hot path sees it: one read of everything, frozen into a ``Directory``.

What holds for an account also holds for everything below it: the strictest state and the lowest attestation cap on
the path win; of the emergency settings, the signing certificates, the caller names, the countries and the do-not-call
lists that count the nearest wins. Limits on calls hold all together, each for its account and everything below it.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from sipguard.policy.account import Account
from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.trunk import Trunk
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.registry.account_states import strictest
from sipguard.registry.accounts import AccountEntry, path_of, read_above, read_accounts, read_below
from sipguard.registry.changes import Touched, read_changes
from sipguard.registry.compilation import latest_revision
from sipguard.registry.credentials import read_credentials
from sipguard.registry.trunks import read_trunks


def read_directory(connection: Connection, config_trunks: Iterable[Trunk], numbers: NumberBook) -> Directory:
    """Read everything; trunks of the configuration come first, and win over one of the same name in the registry."""
    trunks = {trunk.name: trunk for trunk in config_trunks}
    for section in read_trunks(connection):
        trunks.setdefault(section.name, section.trunk())
    return Directory(
        revision=latest_revision(connection),
        accounts=effective_accounts(connection),
        trunks=trunks.values(),
        numbers=numbers,
        credentials=read_credentials(connection),
    )


def follow(connection: Connection, previous: Directory, touched: Touched) -> Directory:
    """The directory after these changes to accounts and to single numbers."""
    accounts = previous.accounts
    names = touched.of("account")
    if names:
        accounts = {} if "" in names else {name: known for name, known in accounts.items() if not _below(known, names)}
        changed = effective_accounts(connection) if "" in names else _effective_below(connection, names)
        accounts |= {account.name: account for account in changed}
    numbers = previous.numbers.with_changes(read_changes(connection, touched))
    return Directory(
        revision=latest_revision(connection),
        accounts=accounts.values(),
        trunks=previous.trunks.values(),
        numbers=numbers,
        credentials=read_credentials(connection) if touched.of("credential") else previous.credentials,
    )


def follow_accounts(connection: Connection, previous: Directory) -> Directory:
    """What must not wait for the rest of the changes: who may call. The revision stays, for they are still to come."""
    directory = Directory(
        revision=previous.revision,
        accounts=effective_accounts(connection),
        trunks=previous.trunks.values(),
        numbers=previous.numbers,
        credentials=read_credentials(connection),
    )
    return directory.aged() if previous.stale else directory


def _below(account: Account, names: frozenset[str]) -> bool:
    return not names.isdisjoint(account.path)


def effective_accounts(connection: Connection) -> list[Account]:
    """Every account with what those above it impose."""
    entries = read_accounts(connection)
    known = {entry.name: entry for entry in entries}
    return [effective([known[name] for name in path_of(entry.name, known)]) for entry in entries]


def _effective_below(connection: Connection, names: frozenset[str]) -> list[Account]:
    """These accounts and everything below them."""
    below = read_below(connection, names)
    known = read_above(connection, [entry.name for entry in below])
    return [effective([known[name] for name in path_of(entry.name, known)]) for entry in below]


def effective(path: list[AccountEntry]) -> Account:
    """The account at the end of a path, with what the accounts above it impose."""
    upwards = list(reversed(path))
    return Account(
        name=path[-1].name,
        state=strictest(entry.state for entry in path),
        path=tuple(entry.name for entry in path),
        attest_cap=max((entry.attest_cap for entry in path if entry.attest_cap), default=None),  # "C" is below "B"
        emergency_unprovisioned=next(
            (Unprovisioned(entry.emergency_unprovisioned) for entry in upwards if entry.emergency_unprovisioned), None
        ),
        certificate=next(filter(None, (entry.certificate for entry in upwards)), None),
        countries=next((tuple(entry.countries.split()) for entry in upwards if entry.countries), ()),
        limits=tuple((entry.name, entry.limit) for entry in path if entry.limit is not None),
        caller_name=next(filter(None, (entry.caller_name for entry in upwards)), None),
        do_not_call=next((DoNotCall(entry.do_not_call) for entry in upwards if entry.do_not_call), DoNotCall.INTERNAL),
    )

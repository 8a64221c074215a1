"""The registry as the hot path sees it: one read of everything, frozen into a ``Directory``.

What holds for an account also holds for everything below it: the strictest state and the lowest attestation cap on
the path win; of the emergency settings, the signing certificates and the caller names the nearest wins.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from sipguard.policy.directory import (
    Account,
    AccountState,
    Directory,
    EmergencyRegistration,
    ListEntry,
    NumberRight,
    Trunk,
)
from sipguard.registry.accounts import AccountEntry, path_of, read_accounts
from sipguard.registry.credentials import read_credentials
from sipguard.registry.emergency import read_emergency
from sipguard.registry.numbers import KINDS, read_numbers
from sipguard.registry.schema import AuditRow
from sipguard.registry.trunks import read_trunks

_SEVERITY = {state: severity for severity, state in enumerate(AccountState)}


def read_directory(connection: Connection, config_trunks: Iterable[Trunk]) -> Directory:
    """Read everything; trunks of the configuration come first, and win over one of the same name in the registry."""
    trunks = {trunk.name: trunk for trunk in config_trunks}
    for section in read_trunks(connection):
        trunks.setdefault(section.name, section.trunk())
    entries = read_accounts(connection)
    known = {entry.name: entry for entry in entries}
    return Directory(
        revision=str(connection.execute(select(func.max(AuditRow.number))).scalar() or 0),
        accounts=[effective([known[name] for name in path_of(entry.name, known)]) for entry in entries],
        trunks=trunks.values(),
        rights=(
            NumberRight(entry.tn, entry.account, KINDS[entry.kind], entry.expires, entry.end_user, entry.trunk)
            for entry in read_numbers(connection)
        ),
        emergency=(EmergencyRegistration(*entry) for entry in read_emergency(connection)),
        do_not_originate=_patterns(connection),
        credentials=read_credentials(connection),
    )


def _patterns(connection: Connection) -> dict[str, ListEntry]:
    """Every pattern; the driver's own rows, since a list may have a million of them."""
    rows = connection.exec_driver_sql("SELECT pattern, source, expires FROM do_not_originate").cursor
    return {} if rows is None else {row[0]: ListEntry(*row) for row in rows.fetchall()}


def effective(path: list[AccountEntry]) -> Account:
    """The account at the end of a path, with what the accounts above it impose."""
    upwards = list(reversed(path))
    return Account(
        name=path[-1].name,
        state=max((entry.state for entry in path), key=_SEVERITY.__getitem__),
        path=tuple(entry.name for entry in path),
        attest_cap=max((entry.attest_cap for entry in path if entry.attest_cap), default=None),  # "C" is below "B"
        emergency_unprovisioned=next(filter(None, (entry.emergency_unprovisioned for entry in upwards)), None),
        certificate=next(filter(None, (entry.certificate for entry in upwards)), None),
        caller_name=next(filter(None, (entry.caller_name for entry in upwards)), None),
    )

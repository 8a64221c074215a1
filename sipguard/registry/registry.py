"""The registry: one store, one door per noun, and the frozen snapshot of it all."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.trunk import Trunk
from sipguard.registry.accounts import Accounts
from sipguard.registry.audit_trail import AuditEntry, audit_entries, number_history
from sipguard.registry.call_lists import CallLists
from sipguard.registry.changes import Touched, touched_since
from sipguard.registry.compilation import fingerprint, latest_revision
from sipguard.registry.compiled_file import Damaged, kept_book, open_book
from sipguard.registry.credentials import Credentials
from sipguard.registry.database import Database
from sipguard.registry.emergency import EmergencyRegistrations
from sipguard.registry.lists import DoNotOriginate
from sipguard.registry.numbers import Numbers
from sipguard.registry.snapshot import effective_accounts, follow, follow_accounts, read_directory
from sipguard.registry.trunks import Trunks


class Registry:
    """An opened registry, created and migrated when needed. Raises RegistryError, here and in every method.

    ``actor`` is who the audit says made a change; ``patience`` is how many seconds to wait for another writer.
    """

    def __init__(self, url: str, actor: str = "sipguard", patience: float = 5.0) -> None:
        self.url = url
        self.database = Database(url, actor, patience)
        self.accounts = Accounts(self.database)
        self.numbers = Numbers(self.database)
        self.trunks = Trunks(self.database)
        self.credentials = Credentials(self.database)
        self.emergency = EmergencyRegistrations(self.database)
        self.lists = DoNotOriginate(self.database)
        self.call_lists = CallLists(self.database)

    def directory(
        self, config_trunks: Iterable[Trunk] = (), compiled: Path | None = None, damaged: Damaged = lambda _: None
    ) -> Directory:
        """Everything as the hot path sees it, with the trunks of the configuration file.

        ``compiled`` is the file that numbers are compiled into and mapped from; without one they are compiled into
        this process's memory. ``damaged`` is told of one whose octets are not what was written: it is made anew.
        """
        with self.database.reading() as connection:
            return read_directory(connection, config_trunks, open_book(connection, compiled, damaged))

    def effective_accounts(self) -> dict[str, Account]:
        """Every account with what those above it impose, by name."""
        with self.database.reading() as connection:
            return {account.name: account for account in effective_accounts(connection)}

    def changes(self, previous: Directory) -> Touched:
        """What was touched since this directory was read."""
        with self.database.reading() as connection:
            latest = latest_revision(connection)
            touched = touched_since(connection, previous.revision)._replace(latest=latest)
            return touched if self._same(connection, previous, latest) else touched._replace(wholesale=True)

    @staticmethod
    def _same(connection: Connection, previous: Directory, latest: int) -> bool:
        """Whether this is the database the directory was read from, not another or an older copy put in its place."""
        base = previous.numbers.base
        if base is not None and base.fingerprint != fingerprint(connection, base.revision):
            return False
        return latest >= previous.revision

    def in_step(self, compiled: Path, damaged: Damaged = lambda _: None) -> bool:
        """Whether the compiled file can be mapped as it is, and need not be made anew."""
        with self.database.reading() as connection:
            return kept_book(connection, compiled, damaged) is not None

    def follow(self, previous: Directory, touched: Touched) -> Directory:
        """The directory after these changes, if none of them is wholesale or to a trunk."""
        with self.database.reading() as connection:
            return follow(connection, previous, touched)

    def follow_accounts(self, previous: Directory) -> Directory:
        """The same directory, revision and all, with the accounts and the credentials as they are now."""
        with self.database.reading() as connection:
            return follow_accounts(connection, previous)

    def audit(
        self, *, subject: str | None = None, what: str | None = None, who: str | None = None,
        since: int | None = None, limit: int | None = None,
    ) -> list[AuditEntry]:  # fmt: skip
        """Changes, the latest first: of a thing, of a kind (``number``, ``number.add``), by a user, since then."""
        with self.database.reading() as connection:
            return audit_entries(connection, subject=subject, what=what, who=who, since=since, limit=limit)

    def history(self, pattern: str) -> list[AuditEntry]:
        """Every change to a number or a block and to the blocks it is in, also by imports; the latest first."""
        with self.database.reading() as connection:
            return number_history(connection, pattern)

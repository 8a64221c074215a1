"""User names of customer trunks, with what their passwords become. The passwords themselves are never kept."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Session

from sipguard.errors import RegistryError
from sipguard.policy.directory import Credential
from sipguard.registry.database import Database
from sipguard.registry.schema import CredentialRow


class CredentialEntry(NamedTuple):
    """One user name as it may be shown: for which trunk, in which realm, under which algorithms."""

    trunk: str
    username: str
    realm: str
    algorithms: tuple[str, ...]


class Credentials:
    """The credentials of one registry. Every method raises RegistryError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[CredentialEntry]:
        """All user names, by trunk."""
        table = CredentialRow.__table__.c
        statement = select(table.trunk, table.username, table.realm, table.algorithm)
        found: dict[tuple[str, str, str], list[str]] = {}
        with self._database.reading() as connection:
            for trunk, username, realm, algorithm in connection.execute(
                statement.order_by(table.trunk, table.username, table.realm, table.algorithm)
            ):
                found.setdefault((trunk, username, realm), []).append(algorithm)
        return [CredentialEntry(*names, tuple(algorithms)) for names, algorithms in found.items()]

    def set(self, trunk: str, username: str, realm: str, secrets: Mapping[str, str]) -> None:
        """Give a user of a realm new secrets (H(A1) by algorithm) in place of those it had."""
        with self._database.writing() as session:
            place = (CredentialRow.realm == realm, CredentialRow.username == username)
            other = session.execute(select(CredentialRow.trunk).where(*place, CredentialRow.trunk != trunk)).first()
            if other is not None:
                raise RegistryError(f'user "{username}" of realm "{realm}" is of trunk "{other[0]}" already')
            held = session.execute(select(CredentialRow.algorithm).where(*place)).scalars().all()
            before = {"username": username, "realm": realm, "algorithms": list(held)} if held else None
            session.execute(delete(CredentialRow).where(*place))
            for algorithm, secret in secrets.items():
                session.add(
                    CredentialRow(realm=realm, username=username, algorithm=algorithm, trunk=trunk, secret=secret)
                )
            after = {"username": username, "realm": realm, "algorithms": list(secrets)}  # never the secrets
            self._database.audit(session, "credential.set", trunk, before, after)

    def remove(self, trunk: str, username: str) -> None:
        """Take a user name off a trunk, in every realm."""
        with self._database.writing() as session:
            place = (CredentialRow.trunk == trunk, CredentialRow.username == username)
            realms = session.execute(select(CredentialRow.realm).where(*place).distinct()).scalars().all()
            if not realms:
                raise RegistryError(f'trunk "{trunk}" has no user "{username}"')
            session.execute(delete(CredentialRow).where(*place))
            before = {"username": username, "realms": sorted(realms)}
            self._database.audit(session, "credential.remove", trunk, before, None)


def forget_trunk(session: Session, trunk: str) -> Sequence[str]:
    """A trunk goes: its user names go with it, so that they open nothing should the name be used again.

    Returns them.
    """
    names = select(CredentialRow.username).where(CredentialRow.trunk == trunk).distinct()
    users = session.execute(names.order_by(CredentialRow.username)).scalars().all()
    session.execute(delete(CredentialRow).where(CredentialRow.trunk == trunk))
    return list(users)


def read_credentials(connection: Connection) -> list[Credential]:
    """Everything that customers may prove themselves by."""
    table = CredentialRow.__table__.c
    rows = connection.execute(select(table.trunk, table.username, table.realm, table.algorithm, table.secret))
    return [Credential(*row) for row in rows]

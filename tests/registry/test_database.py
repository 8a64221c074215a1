"""Opening the store: migrations, transactions, and one clear line for whatever goes wrong."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from sipguard.errors import RegistryError
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.database import newest, shown_url
from sipguard.registry.schema import Table
from tests.registry.kit import acme, empty


def test_migrations_make_the_schema(tmp_path: Path) -> None:
    """The migrations build the tables, columns and keys that the code expects."""
    empty(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    found = inspect(engine)
    assert set(found.get_table_names()) == set(Table.metadata.tables) | {"alembic_version"}
    for name, table in Table.metadata.tables.items():
        columns = {column["name"]: column for column in found.get_columns(name)}
        assert set(columns) == set(table.columns.keys())
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable or column.primary_key
        assert set(found.get_pk_constraint(name)["constrained_columns"]) == {c.name for c in table.primary_key}
        assert {key["constrained_columns"][0] for key in found.get_foreign_keys(name)} == {
            column.name for column in table.columns if column.foreign_keys
        }
    engine.dispose()


def test_opened_again(tmp_path: Path) -> None:
    """A registry that is opened again holds what was stored."""
    acme(tmp_path)
    assert [entry.name for entry in empty(tmp_path).accounts.list()] == ["acme", "acme/sales", "reseller"]


def test_write_ahead_log(tmp_path: Path) -> None:
    """The database is in WAL mode, so that a snapshot does not wait for an import."""
    registry = acme(tmp_path)
    with registry.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE accounts SET state = 'suspended'")
        assert registry.directory().accounts["acme"].state == "active"


def test_locked(tmp_path: Path) -> None:
    """Another writer that does not finish is one clear line."""
    registry = acme(tmp_path)
    with registry.database.writing(), pytest.raises(RegistryError, match=r"registry\.db: is locked by another process"):
        empty(tmp_path).accounts.add(AccountEntry("other"))


def test_all_or_nothing(tmp_path: Path) -> None:
    """A transaction that fails leaves no trace."""
    registry = acme(tmp_path)

    def change() -> None:
        with registry.database.writing() as session:
            session.connection().exec_driver_sql("DELETE FROM numbers")
            raise RegistryError("stop")

    with pytest.raises(RegistryError, match="stop"):
        change()
    assert len(registry.numbers.list()) == 1


@pytest.mark.parametrize("content", [b"this is not a database, and quite long enough to be sure of it" * 20, None])
def test_unreadable(tmp_path: Path, content: bytes | None) -> None:
    """A file that is no database, or a directory in its place, is one clear line."""
    path = tmp_path / "registry.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(RegistryError, match="registry") as caught:
        empty(tmp_path)
    assert "\n" not in str(caught.value)


def test_state_directory_cannot_be_made(tmp_path: Path) -> None:
    """A path through a file is one clear line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match=r"Not a directory|File exists"):
        Registry(f"sqlite:///{tmp_path}/file/registry.db")


def test_newer_schema(tmp_path: Path) -> None:
    """A registry that a newer version has migrated is refused, not damaged."""
    empty(tmp_path)
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RegistryError, match="newer version"):
        empty(tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "postgresql://127.0.0.1", "mysql://127.0.0.1/x"])
def test_no_store(url: str) -> None:
    """Only SQLite files and PostgreSQL databases are opened."""
    with pytest.raises(RegistryError, match="registry URL"):
        Registry(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://sipguard:hunter@2pass@127.0.0.1:1/x",
        "postgresql://sipguard:2pass@127.0.0.1:1/x",
        "postgresql://sipguard:2pass@127.0.0.1:port/x",
        "postgresql://sipguard:2pass@[::1/x",
        "postgresql://sipguard@127.0.0.1:1/x?password=2pass&sslmode=wrong",
    ],
)
def test_no_password_in_what_is_said(url: str) -> None:
    """Whatever is wrong with the URL of a registry, the message shows nothing of a password, and is one line."""
    with pytest.raises(RegistryError, match="registry") as caught:
        Registry(url)
    assert "2pass" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_is_shown_without_its_password() -> None:
    """Nor with options, one of which may be a password."""
    shown = shown_url("postgresql://sipguard:hunter@127.0.0.1:5432/x?password=hunter")
    assert shown == "postgresql://sipguard:***@127.0.0.1:5432/x"
    assert shown_url("sqlite:///var/registry.db") == "sqlite:///var/registry.db"


def test_opened_by_two_processes_at_once(tmp_path: Path) -> None:
    """Two processes that meet at a new registry both find it migrated."""
    program = "import sys; from sipguard.registry import Registry; Registry(sys.argv[1])"
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    running = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(2)]
    assert [process.wait(timeout=30) for process in running] == [0, 0]
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest(),)]
    connection.close()


def test_a_registry_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """What an older version stored is kept, and has neither a certificate of its own nor a caller name."""
    empty(tmp_path).accounts.add(AccountEntry("acme"))
    with sqlite3.connect(tmp_path / "registry.db") as connection:
        added = ("certificate", "caller_name", "countries", "do_not_call", "max_rate", "max_burst", "max_calls")
        for column in added:
            connection.execute(f"ALTER TABLE accounts DROP COLUMN {column}")
        for column in ("unit", "callback", "activated_at"):
            connection.execute(f"ALTER TABLE emergency DROP COLUMN {column}")
        connection.execute("DROP INDEX ix_audit_subject")
        for table in ("numbers", "do_not_originate"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN imported")
        connection.execute("ALTER TABLE numbers DROP COLUMN max_calls")
        connection.execute("DROP TABLE credentials")
        connection.execute("DROP TABLE call_lists")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    assert empty(tmp_path).accounts.list() == [AccountEntry("acme")]

"""The stores that registry tests run on: an SQLite file, and a database of a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry import kit
from tests.registry.server import PostgresqlServer, postgresql_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server, started once per worker."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs once on each store."""
    if request.param == "sqlite":
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    databases: dict[Path, str] = {}

    def database(directory: Path) -> str:
        if directory not in databases:
            databases[directory] = server.new_database()
        return databases[directory]

    monkeypatch.setattr(kit, "url_of", database)

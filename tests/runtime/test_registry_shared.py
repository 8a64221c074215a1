"""Nodes that share a registry on a real PostgreSQL server: each hears of changes, none needs the server for a call."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipguard.registry import Registry
from tests.registry.server import PostgresqlServer, postgresql_server
from tests.runtime.live_node import LiveNode

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CALLED = "INVITE sip:+14155550199@"
OTHER = "+14155550123"


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """A server that a test may stop."""
    with postgresql_server() as server:
        yield server


@contextlib.contextmanager
def node_on(url: str, directory: Path, *, fill: bool) -> Iterator[LiveNode]:
    """A node on this database; it looks for changes by itself only once a minute."""
    directory.mkdir(exist_ok=True)
    node = LiveNode(directory)
    node.registry_url = url
    node.write_configuration(f'[registry]\nurl = "{url}"\npoll_interval = 60\n')
    try:
        if fill:
            node.fill_registry()
        node.start()
        node.wait_for("ready")
        yield node
    finally:
        node.close()


def follows(node: LiveNode, url: str, name: str, state: str) -> None:
    """The node hears of the account's new state within a second."""
    count = sum(line["event"] == "registry.followed" for line in node.lines)
    start = time.monotonic()
    Registry(url).accounts.change(name, state=state)
    node.wait_for("registry.followed", count + 1)
    assert time.monotonic() - start < 1.0


def test_every_node_hears_of_a_change(server: PostgresqlServer, tmp_path: Path) -> None:
    """A suspension holds on both nodes within a second, though neither would have looked for a minute."""
    url = server.new_database()
    with (
        node_on(url, tmp_path / "first", fill=True) as first,
        node_on(url, tmp_path / "second", fill=False) as second,
    ):
        first.wait_for("registry.listening")
        second.wait_for("registry.listening")
        follows(second, url, "acme", "suspended")
        for node in (first, second):
            node.wait_for("registry.followed")
            node.invite("suspended")
            assert "account.suspended" in node.customer.receive("SIP/2.0 403")
        follows(first, url, "acme", "active")
        first.invite("active")
        first.carrier.receive(CALLED)


def test_calls_outlive_the_server(server: PostgresqlServer, tmp_path: Path) -> None:
    """With the server gone calls are screened as before, with an alarm; when it is back changes are heard again."""
    url = server.new_database()
    with node_on(url, tmp_path / "node", fill=True) as node:
        node.wait_for("registry.listening")
        node.invite("before")
        node.carrier.receive(CALLED)
        server.stop()
        node.wait_for("alarm.registry")
        for number in range(5):
            node.invite(f"without-{number}")
            node.carrier.receive(CALLED)
            node.invite(f"forged-{number}", OTHER)
            node.customer.receive("SIP/2.0 403")
        server.start()
        node.wait_for("registry.readable")
        node.wait_for("registry.listening", 2)
        node.add_number(OTHER)
        node.wait_for("registry.followed")
        node.invite("after", OTHER)
        node.carrier.receive(CALLED)

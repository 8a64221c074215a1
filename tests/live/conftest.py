"""What every live test starts from: TEST certificates and a filled registry, made once per worker."""

from pathlib import Path

import pytest

from scenarios import topology
from scenarios.node import Node
from scenarios.topology import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """TEST certificates."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's registry, filled once by its commands."""
    node = Node(tmp_path_factory.mktemp("registry"))
    node.configure("")
    topology.provision(node)
    return node.registry

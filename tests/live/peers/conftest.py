"""The lines that calls are played on, each started once per worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios import topology
from scenarios.driver import free_port
from scenarios.node import Node
from scenarios.topology import Certificates
from tests.live.peers import lines
from tests.live.peers.lines import CARRIER, CUSTOMER, Direction, Line
from tests.live.peers.sipp import Identities

CALL_OUT = Identities(
    f"sip:+{topology.OUTSIDE}@sipguard.example;user=phone",
    f'"J. H. Doe" <sip:+{topology.OWNED}@pbx.example>',
    f"<sip:+{topology.OUTSIDE}@sipguard.example;user=phone>",
)
CALL_IN = Identities(
    f"sip:+{topology.OWNED}@sipguard.example;user=phone",
    f'"A Friend" <sip:+{topology.FRIEND}@carrier.example>',
    f"<sip:+{topology.OWNED}@sipguard.example;user=phone>",
)


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, registry: Path) -> Iterator[Line]:
    """Nothing between the proxy and its neighbours."""
    directory = tmp_path_factory.mktemp("direct")
    customer, carrier = ((host, free_port(host)) for host in (CUSTOMER, CARRIER))
    with Node(directory) as node:
        sections = lines.trunks("sip:{}:{}".format(*customer), "sip:{}:{}".format(*carrier))
        lines.start(node, sections + lines.signing(certificates), registry)
        yield Line(
            node, directory,
            Direction("outbound", CUSTOMER, node.address, carrier, CALL_OUT),
            Direction("inbound", CARRIER, node.address, customer, CALL_IN),
        )  # fmt: skip
        lines.check_end(node)

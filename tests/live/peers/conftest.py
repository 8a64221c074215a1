"""The lines that calls are played on, each started once per worker."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios import topology
from scenarios.driver import free_port
from scenarios.node import Node
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import Issued, StiCa
from sipguard.testing.tls_ca import TlsCa, write
from tests.live.peers import kamailio, lines
from tests.live.peers.lines import CARRIER, CUSTOMER, Direction, Line
from tests.live.peers.sipp import Identities

FRONT, BEHIND, STREAM = "127.0.0.51", "127.0.0.52", "127.0.0.53"
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
def certificate() -> Issued:
    """What the proxy signs with."""
    return StiCa.create(UnixTime(int(time.time()))).issue()


@pytest.fixture(scope="session")
def one_customer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One customer with one number."""
    file = tmp_path_factory.mktemp("registry") / "registry.db"
    filled = Registry(f"sqlite:///{file}")
    filled.accounts.add(AccountEntry("acme"))
    filled.numbers.add(NumberEntry(TN(topology.OWNED), "acme"))
    return file


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory, certificate: Issued, one_customer: Path) -> Iterator[Line]:
    """Nothing between the proxy and its neighbours."""
    directory = tmp_path_factory.mktemp("direct")
    customer, carrier = ((host, free_port(host)) for host in (CUSTOMER, CARRIER))
    with Node(directory) as node:
        sections = lines.trunks(customer, carrier)
        lines.start(node, sections + lines.signing(certificate, directory), one_customer)
        yield Line(
            node, directory,
            Direction("outbound", CUSTOMER, node.address, carrier, CALL_OUT),
            Direction("inbound", CARRIER, node.address, customer, CALL_IN),
        )  # fmt: skip
        lines.check_end(node)


@pytest.fixture(scope="session")
def between(tmp_path_factory: pytest.TempPathFactory, certificate: Issued, one_customer: Path) -> Iterator[Line]:
    """Kamailio on both sides of the proxy, over UDP: every call crosses three proxies that record their route."""
    directory = tmp_path_factory.mktemp("between")
    front, behind, customer, carrier, spare = _places(FRONT, BEHIND, CUSTOMER, CARRIER, CARRIER)
    with Node(directory) as node:
        values = _values(node.address, customer, carrier, spare) | {"FRONT": FRONT, "STREAM": STREAM}
        with kamailio.running(directory, [_udp(front), _udp(behind)], values):
            lines.start(node, lines.trunks(front, behind) + lines.signing(certificate, directory), one_customer)
            yield Line(
                node, directory,
                Direction("outbound", CUSTOMER, front, carrier, CALL_OUT),
                Direction("inbound", CARRIER, behind, customer, CALL_IN),
                hops=3, spare=spare,
            )  # fmt: skip
            lines.check_end(node)


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory, certificate: Issued, one_customer: Path) -> Iterator[Line]:
    """Kamailio as the carrier, over TCP towards the proxy and over UDP beyond."""
    directory = tmp_path_factory.mktemp("stream")
    customer, carrier, spare = _places(CUSTOMER, CARRIER, CARRIER)
    behind, own, secure = ((host, free_port(host, "tcp")) for host in (STREAM, "127.0.0.1", "127.0.0.1"))
    with Node(directory) as node:
        values = _values(own, customer, carrier, spare) | {"FRONT": FRONT, "STREAM": STREAM}
        with kamailio.running(directory, [_udp(behind), f"tcp:{STREAM}:{behind[1]}"], values):
            trunks = lines.trunks(customer, behind, ";transport=tcp")
            lines.start(
                node, _streams(directory, own, secure) + trunks + lines.signing(certificate, directory), one_customer
            )
            yield Line(
                node, directory,
                Direction("outbound", CUSTOMER, node.address, carrier, CALL_OUT),
                Direction("inbound", CARRIER, behind, customer, CALL_IN),
                hops=2, streams=True, entrances={"udp": node.address, "tcp": own, "tls": secure}, spare=spare,
            )  # fmt: skip
            lines.check_end(node)


def _streams(directory: Path, plain: tuple[str, int], secure: tuple[str, int]) -> str:
    """The listeners beside the node's own, with a certificate."""
    authority = TlsCa(UnixTime(int(time.time())))
    files = write(authority.issue("edge.example"), directory, "edge")
    return f"""
[[listener]]
transport = "tcp"
bind = "{plain[0]}:{plain[1]}"

[[listener]]
transport = "tls"
bind = "{secure[0]}:{secure[1]}"
certificate = "{files.certificate}"
key = "{files.key}"
transport_parameter = true
"""


def _places(*hosts: str) -> list[tuple[str, int]]:
    return [(host, free_port(host)) for host in hosts]


def _udp(place: tuple[str, int]) -> str:
    return "udp:{}:{}".format(*place)


def _values(proxy: tuple[str, int], *agents: tuple[str, int]) -> dict[str, str]:
    """What Kamailio's configuration says of its neighbours."""
    names = zip(("PHONE", "GATEWAY", "SPARE"), agents, strict=True)
    own = {"PROXY_HOST": proxy[0], "PROXY_PORT": str(proxy[1])}
    return own | {name: "{}:{}".format(*place) for name, place in names}

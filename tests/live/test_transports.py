"""Real SIPp calls across address families and transports: what a customer and its carrier do not share."""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scenarios import passport, topology
from scenarios.driver import Agent, Played, Stage, free_port
from scenarios.node import Node
from scenarios.topology import Certificates
from scenarios.trace import Traced
from tests.live.kit import keys, stored

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]


class Leg(NamedTuple):
    """One side of the proxy: where the neighbour is, and what is spoken there."""

    host: str
    transport: str

    @property
    def listener(self) -> "Leg":
        """What the proxy needs to speak with it."""
        return Leg("::1" if ":" in self.host else "127.0.0.1", self.transport)

    @property
    def sent_by(self) -> str:
        """What its Via starts with."""
        return f"SIP/2.0/{self.transport.upper()} {_bracketed(self.host)}:"

    def __str__(self) -> str:
        return f"{'IPv6' if ':' in self.host else 'IPv4'}-{self.transport}"


UDP4, TCP4 = Leg(topology.ACME, "udp"), Leg(topology.ACME, "tcp")
CARRIER_UDP, CARRIER_TCP = Leg(topology.CONVERSATIONAL, "udp"), Leg(topology.CONVERSATIONAL, "tcp")
UDP6, TCP6 = Leg("::1", "udp"), Leg("::1", "tcp")  # loopback has one IPv6 address: both sides' here
LINES = [
    (UDP6, UDP6), (TCP4, CARRIER_TCP), (TCP4, CARRIER_UDP), (UDP4, CARRIER_TCP),
    (UDP6, CARRIER_UDP), (TCP6, CARRIER_UDP), (UDP4, TCP6),
]  # fmt: skip


class Proxy:
    """One proxy for all lines, with a listener of every kind; a line is a reload, which is cheaper than a start."""

    def __init__(self, node: Node, certificates: Certificates) -> None:
        self.node = node
        self.certificates = certificates
        self.listeners = {UDP4.listener: node.address}
        for leg in (TCP4.listener, UDP6.listener, TCP6.listener):
            self.listeners[leg] = (leg.host, free_port(*leg))
        self._reloads = 0

    def configure(self, customer: Leg, target: str) -> None:
        """Write the configuration of a line."""
        own = self.certificates.own
        self.node.configure(
            "\n".join(
                (
                    *self._listener_sections(),
                    topology.trunk("pbx", "customer", customer.host, 'account = "acme"'),
                    f'[[trunk]]\nname = "carrier"\nside = "network"\ntargets = ["{target}"]\n',
                    "[stir.sign.certificates.default]",
                    f'certificate = "{own / "chain.pem"}"',
                    f'key = "{own / "leaf.key"}"',
                    'url = "https://certificates.example/leaf.pem"',
                )
            )
        )

    def reload(self) -> None:
        """Put the configuration into force."""
        self._reloads += 1
        os.kill(self.node.process_id, signal.SIGHUP)
        deadline = time.monotonic() + 20
        while self._reloaded() < self._reloads:
            assert time.monotonic() < deadline, self.node.log.read_text()
            time.sleep(0.01)

    def _reloaded(self) -> int:
        return sum(entry["event"] == "reloaded" for entry in self.node.log_events())

    def _listener_sections(self) -> Iterator[str]:
        """The listeners beside the node's own."""
        for leg, (host, port) in self.listeners.items():
            if leg != UDP4.listener:
                yield f'[[listener]]\ntransport = "{leg.transport}"\nbind = "{_bracketed(host)}:{port}"\n'


@dataclass(frozen=True, slots=True)
class Line:
    """One customer and one carrier at the proxy."""

    stage: Stage
    proxy: Proxy
    customer: Leg
    carrier: Agent

    def call(self, flow: str) -> Played:
        """The customer calls."""
        customer = self.customer
        entrance = self.proxy.listeners[customer.listener]
        return self.stage.call(flow, customer.host, entrance, keys(), transport=customer.transport, hold=50)

    def arrived(self, method: str, call_id: str) -> Traced:
        """The request of a call as the carrier got it."""
        request = self.carrier.received(method, call_id)
        assert request is not None, f"no {method}"
        return request

    def end(self, call_id: str) -> Mapping[str, Any]:
        """The record that closes a call."""
        records = stored(self.proxy.node)
        (identifier,) = [r["id"] for r in records if r["event"] == "decision" and r["call_id"] == call_id]
        (found,) = [r for r in records if r["event"] == "end" and r["id"] == identifier]
        return found


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, registry: Path) -> Iterator[Proxy]:
    """The proxy; it must end cleanly and without a traceback."""
    with Node(tmp_path_factory.mktemp("proxy")) as node:
        running = Proxy(node, certificates)
        running.configure(UDP4, "sip:127.0.0.1:9")
        shutil.copy(registry, node.registry)
        node.start()
        yield running
        assert node.stop() == 0
        assert "Traceback" not in node.log.read_text()


@contextmanager
def line(directory: Path, proxy: Proxy, legs: tuple[Leg, Leg], answers: str) -> Iterator[Line]:
    """Connect a customer and a carrier; ``answers`` is the carrier's flow."""
    customer, carrier = legs
    with Stage(directory / "sipp") as stage:
        agent = stage.server(answers, carrier.host, transport=carrier.transport, hold=50)
        proxy.configure(customer, f"{agent.uri};transport={carrier.transport}")
        proxy.reload()
        yield Line(stage, proxy, customer, agent)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@pytest.mark.clause("PRX-05", "PRX-08", "PRX-09", "RFC 3261 18", "RFC 5658 3")
@pytest.mark.parametrize("legs", LINES, ids=lambda legs: f"{legs[0]}-to-{legs[1]}")
def test_a_call_runs_whatever_the_two_sides_speak(tmp_path: Path, proxy: Proxy, legs: tuple[Leg, Leg]) -> None:
    """INVITE, ACK and BYE arrive over the carrier's transport and family, signed; a route for each side is recorded."""
    with line(tmp_path, proxy, legs, "carrier_uas") as running:
        played = running.call("customer_uac")
        assert (played.exit_code, played.code) == (0, 200), played.errors
        customer, carrier = legs
        invite = running.arrived("INVITE", played.call_id)
        claims = passport.read(invite.header("Identity") or "", proxy.certificates.own / "chain.pem")
        assert isinstance(claims, passport.Read), claims
        assert claims.attest == "A"
        recorded = ",".join(invite.headers("Record-Route")).count("<sip:")
        assert recorded == (1 if customer.listener == carrier.listener else 2)
        for method in ("INVITE", "ACK", "BYE"):
            vias = running.arrived(method, played.call_id).headers("Via")
            assert vias[0].startswith(carrier.listener.sent_by)
            assert vias[-1].startswith(customer.sent_by)
        end = running.end(played.call_id)
        assert (end["code"], end["answered"], end["released_by"]) == (200, True, "caller")


@pytest.mark.clause("PRX-09", "RFC 3261 12.2.1.1", "RFC 3261 16.12")
@pytest.mark.parametrize("legs", [(UDP4, CARRIER_UDP), *LINES], ids=lambda legs: f"{legs[0]}-to-{legs[1]}")
def test_the_called_side_may_lead(tmp_path: Path, proxy: Proxy, legs: tuple[Leg, Leg]) -> None:
    """A re-INVITE and a BYE of the called side find the caller along the recorded route, and are not signed."""
    with line(tmp_path, proxy, legs, "leading_uas") as running:
        played = running.call("led_uac")
        assert (played.exit_code, played.code) == (0, 200), played.errors
        received = [m for m in played.messages if not m.sent and m.code is None]
        assert [m.method for m in received] == ["INVITE", "ACK", "BYE"]
        assert all(m.headers("Via")[0].startswith(legs[0].listener.sent_by) for m in received)
        assert all(m.header("Identity") is None for m in received)
        end = running.end(played.call_id)
        assert (end["code"], end["answered"], end["released_by"]) == (200, True, "called")

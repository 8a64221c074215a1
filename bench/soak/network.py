"""Where the soak takes place: customer, proxy and carrier in network namespaces of their own, or all on loopback.

With namespaces there are two cables, customer - relay - proxy and carrier - relay - proxy, each of two veth pairs whose
inner ends are the relay's; addresses are those of the wire, and nothing in a message speaks of the relay. The harness
itself moves into the proxy's namespace, which is why that is decided once, at the start. Without the right to do that,
agents talk to UDP sockets of the relay on loopback and advertise the relay's address towards the proxy as theirs.

The kernel's own ``netem`` is not used: many kernels are built without it, and it has no memory of what it did.
"""

import shutil
from dataclasses import dataclass

from bench.process import BenchError
from bench.soak import namespace
from bench.soak.agent import Place
from bench.soak.relay import Cable
from scenarios.driver import free_port

_PORT = 5060
_MAC = "02:00:00:00:00"  # told to both ends: a late answer to ARP would make a neighbour unreachable
CUSTOMER, CARRIER = "customer", "carrier"
_NETS = {CUSTOMER: "10.77.1", CARRIER: "10.77.2"}
_AGENTS = {CUSTOMER: "127.0.0.21", CARRIER: "127.0.0.31"}  # loopback: where the agents are,
_RELAYS = {CUSTOMER: "127.0.0.22", CARRIER: "127.0.0.32"}  # and where the proxy sees them


@dataclass(frozen=True, slots=True)
class Wire:
    """One agent's way to the proxy: the places of its sockets, and how the proxy sees and reaches it."""

    source: str
    places: list[Place]

    @property
    def targets(self) -> list[str]:
        """Its sockets as SIP URIs."""
        return [f"sip:{place.advertised}" for place in self.places]


class Namespaces:
    """The proxy's namespace is this process's, entered by ``enter``."""

    means = "network namespaces, veth pairs, packet relay"
    apart = True  # agents and relay begin in namespaces of their own
    proxy_host = "10.77.0.1"
    interface = "wire"

    @classmethod
    def enter(cls) -> bool:
        """Move this process into a namespace of its own; False when it may not. Raises BenchError."""
        if shutil.which("ip") is None or shutil.which("nsenter") is None:
            return False
        try:
            namespace.leave()
        except OSError:
            return False
        namespace.ip("link", "set", "dev", "lo", "up")
        namespace.ip("address", "add", f"{cls.proxy_host}/32", "dev", "lo")
        return True

    def lay(self, agents: dict[str, int], relay: int, proxy: tuple[str, int]) -> tuple[dict[str, Wire], list[Cable]]:
        """Lay the cables between processes, given by their ids, and say who is where. Raises BenchError."""
        wires, cables = {}, []
        for name, agent in agents.items():
            net, near, far = _NETS[name], f"{name}-near", f"{name}-far"
            here, there = f"{_MAC}:{net[-1]}1", f"{_MAC}:{net[-1]}2"
            _plug(name, here, near, relay)
            namespace.ip("address", "add", f"{net}.1/24", "dev", name)
            namespace.ip("link", "set", "dev", name, "up")
            namespace.without_offload(name)
            _plug(self.interface, there, far, relay, inside=agent)
            for words in (
                ("address", "add", f"{net}.2/24", "dev", self.interface),
                ("link", "set", "dev", self.interface, "up"),
                ("route", "add", "default", "via", f"{net}.1"),
                ("neighbour", "add", f"{net}.1", "lladdr", here, "dev", self.interface),
            ):
                namespace.ip(*words, inside=agent)
            namespace.ip("neighbour", "add", f"{net}.2", "lladdr", there, "dev", name)
            for end in (near, far):
                namespace.ip("link", "set", "dev", end, "up", inside=relay)
            places = [Place((f"{net}.2", port), f"{net}.2:{port}", proxy) for port in _ports(name)]
            wires[name] = Wire(f"{net}.2", places)
            cables.append(Cable(interfaces=(far, near)))
        return wires, cables

    def dead_target(self) -> str:
        """Where nobody listens."""
        return f"sip:{_NETS[CARRIER]}.2:{_PORT + 9}"


class Loopback:
    """Everything on 127/8."""

    means = "loopback addresses, UDP relay (no right to make network namespaces)"
    apart = False
    proxy_host = "127.0.0.1"
    interface = ""

    def lay(self, agents: dict[str, int], relay: int, proxy: tuple[str, int]) -> tuple[dict[str, Wire], list[Cable]]:
        """Choose ports; one cable for each socket."""
        wires, cables = {}, []
        for name in agents:
            places = []
            for _ in _ports(name):
                agent, outer = self._free(_AGENTS[name]), self._free(_RELAYS[name])
                inner = self._free(_RELAYS[name])
                places.append(Place(agent, f"{inner[0]}:{inner[1]}", outer))
                cables.append(Cable(addresses=(outer, inner), peers=(agent, proxy)))
            wires[name] = Wire(_RELAYS[name], places)
        return wires, cables

    def dead_target(self) -> str:
        """Where nobody listens."""
        host = "127.0.0.39"
        return f"sip:{host}:{free_port(host)}"

    @staticmethod
    def _free(host: str) -> tuple[str, int]:
        return host, free_port(host)


Network = Namespaces | Loopback


def choose(wanted: str) -> Network:
    """``namespaces``, ``loopback``, or ``auto``: the first that this machine allows. Raises BenchError."""
    if wanted != "loopback" and Namespaces.enter():
        return Namespaces()
    if wanted == "namespaces":
        raise BenchError("network namespaces cannot be made here (they need root and iproute2)")
    return Loopback()


def _plug(interface: str, address: str, end: str, relay: int, *, inside: int | None = None) -> None:
    """One veth pair between a namespace and the relay's."""
    pair = ("name", interface, "address", address, "type", "veth", "peer", "name", end, "netns", str(relay))
    namespace.ip("link", "add", *pair, inside=inside)


def _ports(name: str) -> range:
    """The carrier has two servers."""
    return range(_PORT, _PORT + (2 if name == CARRIER else 1))

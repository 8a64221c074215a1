"""The path of a request inside a dialog that is up: from one of its parties, to the other, by the route set.

With true tags a customer could otherwise say BYE to itself, and give back its place under a limit while the carrier
hears nothing, or send a re-INVITE to another carrier, or to another number by way of its carrier's proxy: a call that
nobody screened. So the Request-URI must be the remote target and what is left of Route the route set (RFC 3261
§12.2.1.1), compared as addresses; what then leaves is what the other side wrote. Nobody speaks for the other side: a
neighbour of no trunk only with the token that side was given.
"""

import ipaddress

from sipguard.policy.directory import Directory
from sipguard.policy.need import Server
from sipguard.policy.trunk import Side, Trunk
from sipguard.proxy.active_calls import Party
from sipguard.proxy.dialog import Leg
from sipguard.sip.host import is_address
from sipguard.sip.message import Request

SENDER = "dialog.sender"
TARGET = "dialog.target"


def may_speak(party: Party | None, trunk: Trunk | None) -> bool:
    """Whether a request in the name of this party may come from this trunk, as far as its flow says."""
    if party is None:
        return True
    if trunk is None:
        return party.trunk.side is Side.CUSTOMER
    if trunk.side is not party.trunk.side:
        return False
    return trunk.side is Side.NETWORK or trunk.account == party.trunk.account


def is_ambiguous(request: Request) -> bool:
    """Whether a careless reader finds a second tag, in a name or URI, and no dialog: it answers a BYE by 481."""
    first = request.first
    return first["from"].lower().count(";tag=") > 1 or first["to"].lower().count(";tag=") > 1


def is_a_carriers(host: str, directory: Directory) -> bool:
    """Whether a carrier is there: no place for a customer to be, whatever its Contact or Record-Route says.

    Its other side need only send a re-INVITE there, and the carrier gets a call from us that nobody screened.
    """
    if ":" in host:
        address = ipaddress.IPv6Address(host)
        host = str(address.ipv4_mapped or address)
    trunk = directory.trunk_at(host) if is_address(host) else None
    if trunk is not None:
        return trunk.side is Side.NETWORK
    host = host.lower().rstrip(".")
    if host not in directory.target_hosts:
        return False
    carriers = (trunk for trunk in directory.trunks.values() if trunk.side is Side.NETWORK)
    return any(target.host == host for trunk in carriers for target in trunk.targets)


def customers_own(servers: tuple[Server, ...], directory: Directory) -> tuple[Server, ...]:
    """Those of the servers behind a customer's name that are no carrier's."""
    return tuple(server for server in servers if not is_a_carriers(server.host, directory))


def direct(fork: Request, there: Leg) -> str | None:
    """Let a request without our Route values go to this party; what it said else, None when it said the same.

    A user agent that knows no routes is led by them. Raises MalformedValue.
    """
    wrong = None
    target = there.place_of(fork.uri)
    if target is None:
        wrong = "the Request-URI is not the remote target of the dialog"
        target = there.target
    if target != fork.uri:
        fork.set_uri(target)
    if fork.has("route"):
        routes = fork.listed("route")
        if wrong is None and not there.leads_by(routes):
            wrong = "Route is not the route set of the dialog"
    elif not there.routes:
        return wrong
    fork.remove("route")
    for value in reversed(there.routes):
        fork.prepend("route", value)
    return wrong

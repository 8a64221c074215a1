"""Route preprocessing and the next hop of in-dialog requests (RFC 3261 §16.4, §16.6 (6), §16.12)."""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.need import Server, TargetNeed
from sipguard.proxy.identity import ProxyIdentity
from sipguard.sip.address import parse_address
from sipguard.sip.flow import WEBSOCKET, Listener
from sipguard.sip.host import is_address
from sipguard.sip.message import Request
from sipguard.sip.uri import SIP_PORT, SipUri, Uri, default_port, parse_uri

_CACHED_LENGTH = 256


class Preprocessed(NamedTuple):
    """What our own Route values said: the dialog token; of the last one, the listener to send from and a flow token."""

    token: str | None
    listener: Listener | None
    flow: str | None = None


def preprocess(fork: Request, identity: ProxyIdentity) -> Preprocessed:
    """Take our own values off the Route of a fork (PRX-03, PRX-05). Raises MalformedValue on a broken Route."""
    _undo_strict_router(fork, identity)
    token = None
    listener = flow = None
    for position in range(2):  # one value, or the two of a double Record-Route, which carry one token
        if not fork.has("route"):
            break
        uri = parse_uri(parse_address(_routes(fork)[0]).uri)
        if not isinstance(uri, SipUri) or not identity.means_us(uri):
            break
        mark = uri.parameters.get("dialog")
        if position and mark != token:
            break  # the call comes through here twice; its second passage has a token of its own
        token = mark
        listener = identity.listener_of(uri)
        flow = uri.user
        fork.remove_first("route")
    return Preprocessed(token, listener, flow)


def _undo_strict_router(fork: Request, identity: ProxyIdentity) -> None:
    """A Request-URI we once put into Record-Route: a strict router moved the real one to the end of Route (§16.4)."""
    uri = parse_uri(fork.uri)
    if not isinstance(uri, SipUri) or "dialog" not in uri.parameters or not identity.means_us(uri):
        return
    routes = fork.listed("route")
    if not routes:
        return
    fork.set_uri(parse_address(routes[-1]).uri)
    _set_routes(fork, [f"<{uri.text}>", *routes[:-1]])


def next_hop(fork: Request, unsaid: str | None = None) -> Server | TargetNeed:
    """Where a request with a route set goes: the top Route value, or its Request-URI. Raises MalformedValue.

    ``unsaid`` is the transport of a URI that says none.

    A top Route without ``lr`` is a strict router: it becomes the Request-URI, which moves to the end (§16.6 (6)).
    """
    if not fork.has("route"):
        return _hop_at(fork.uri, unsaid)
    routes = _routes(fork)
    uri = parse_uri(parse_address(routes[0]).uri)
    hop = hop_of(uri, unsaid)
    if isinstance(uri, SipUri) and "lr" not in uri.parameters:
        _set_routes(fork, [*routes[1:], f"<{fork.uri}>"])
        fork.set_uri(uri.text)
    return hop


def _hop_at(text: str, unsaid: str | None) -> Server | TargetNeed:
    """The hop of a URI; the Contact of a trunk comes again and again, a long one is no Contact to remember."""
    return _cached_hop(text, unsaid) if len(text) <= _CACHED_LENGTH else hop_of(parse_uri(text), unsaid)


@lru_cache(maxsize=4096)
def _cached_hop(text: str, unsaid: str | None) -> Server | TargetNeed:
    return hop_of(parse_uri(text), unsaid)


def hop_of(uri: Uri, unsaid: str | None = None) -> Server | TargetNeed:
    """The hop a SIP URI names: maddr before host (RFC 3263 §4). Raises MalformedValue.

    An address has what the URI says, or UDP and 5060, TLS and 5061 of a SIPS URI; a name has to be asked for.
    ``unsaid`` is the transport of a URI that says none, nor port 5060.
    """
    if not isinstance(uri, SipUri):
        raise MalformedValue("the next hop is not a SIP URI")
    host = (uri.parameters.get("maddr") or uri.host).strip("[]")
    said = (uri.parameters.get("transport") or "").lower() or (unsaid if uri.port != SIP_PORT else None)
    secure = uri.scheme == "sips"
    if said in WEBSOCKET:  # whatever the host: nobody is asked for it, and nobody dialled
        return Server("wss" if secure else said or "ws", host, uri.port or default_port(said))
    if not is_address(host):
        return TargetNeed(host, uri.port, said, secure)
    try:
        _check_address(host)
    except ValueError:
        raise MalformedValue("the next hop is not an address") from None
    transport = "tls" if secure else said or "udp"
    return Server(transport, host, uri.port or default_port(transport))


def only_over_tls(hop: Server | TargetNeed | None) -> Server | TargetNeed | None:
    """The hop for a sips Request-URI, which nothing but TLS may carry (RFC 5630 §5.3); None where that cannot be."""
    if isinstance(hop, TargetNeed) and hop.transport is None:
        return hop._replace(sips=True)
    return hop if hop is not None and hop.transport == "tls" else None


@lru_cache(maxsize=4096)
def _check_address(host: str) -> None:
    """Raise ValueError when something that looks like an address is none."""
    ipaddress.ip_address(host)


def _routes(fork: Request) -> list[str]:
    """The values of a Route that is there. Raises MalformedValue when it holds none: RFC 3261 §20.34 wants one."""
    routes = fork.listed("route")
    if not routes:
        raise MalformedValue("empty Route")
    return routes


def _set_routes(fork: Request, routes: list[str]) -> None:
    if routes:
        fork.set("route", ", ".join(routes))
    else:
        fork.remove("route")

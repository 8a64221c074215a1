"""What is wrong between the TLS and WebSocket keys of listeners and trunks. As in ``checks``, the raw tree is read."""

from collections.abc import Iterable, Iterator, Mapping

from sipguard.config.address import parse_socket_address, parse_target
from sipguard.errors import Problem
from sipguard.sip.flow import OVER_TLS, WEBSOCKET
from sipguard.sip.uri import default_port

Raw = Mapping[str, object]

_ONLY_OVER_TLS = ("certificate", "key", "client_ca")
_REQUIRED = ("certificate", "key")


def listener_problems(listeners: list[Raw]) -> Iterator[Problem]:
    """Keys that a listener lacks or has no use for, and a TLS address that its URI could not tell from a UDP one."""
    datagrams = {_advertised(listener) for listener in listeners if listener.get("transport") == "udp"}
    for position, listener in enumerate(listeners):
        key = f"listener[{position}]"
        transport = listener.get("transport")
        if "transport_parameter" in listener and transport != "tls":
            yield Problem(f"{key}.transport_parameter", "is for TLS listeners")
        if "origins" in listener and transport not in WEBSOCKET:
            yield Problem(f"{key}.origins", "is for WebSocket listeners")
        if transport not in OVER_TLS:
            for name in _ONLY_OVER_TLS:
                if name in listener:
                    yield Problem(f"{key}.{name}", "is for TLS listeners")
            continue
        for name in _REQUIRED:
            if not listener.get(name):
                yield Problem(f"{key}.{name}", "is required by a TLS listener")
        if transport == "tls" and _advertised(listener) in datagrams and not listener.get("transport_parameter"):
            yield Problem(f"{key}.bind", "a UDP listener has the same address and port; a sip URI could not tell them")


def trunk_tls_problems(key: str, trunk: Raw, listeners: list[Raw], authorities: bool) -> Iterator[Problem]:
    """A trunk whose certificate nobody asks for, or nobody could vouch for; ``authorities``: whether tls.ca is set."""
    targets = trunk.get("targets")
    texts = [text for text in targets if isinstance(text, str)] if isinstance(targets, list) else []
    secure = any(_over_tls(text) for text in texts)
    if secure and not authorities and not trunk.get("tls_ca"):
        yield Problem(f"{key}.tls_ca", "or tls.ca is required by a TLS target: whose certificates are believed")
    asks = any(listener.get("client_ca") for listener in listeners)
    if trunk.get("tls_names") and not asks and not secure:
        yield Problem(f"{key}.tls_names", "no TLS listener asks for certificates; give one a client_ca")


def claimed_names(trunks: Iterable[tuple[str, Iterable[str]]]) -> Iterator[Problem]:
    """The names that two trunks both claim; trunks by key."""
    seen: dict[str, str] = {}
    for key, names in trunks:
        for name in names:
            first = seen.setdefault(name.lower(), key)
            if first != key:
                yield Problem(f"{key}.tls_names", f"{name} is a name of {first} already; a call must have one trunk")


def _over_tls(text: str) -> bool:
    try:
        return parse_target(text).transport == "tls"
    except ValueError:
        return False


def _advertised(listener: Raw) -> str | None:
    text = listener.get("advertise") or listener.get("bind")
    transport = listener.get("transport")
    try:
        return str(parse_socket_address(str(text), default_port(str(transport)), names=True))
    except ValueError:
        return None

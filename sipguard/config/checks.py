"""What is wrong between sections: duplicate names, addresses that two trunks claim, next hops no listener can reach.

These checks read the raw tree, not the finished models, so that they also speak when some other key is wrong: the
operator sees every problem in one run. A value that does not parse is skipped; its own section has reported it.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from sipguard.config.address import SocketAddress, is_address, parse_socket_address, parse_target
from sipguard.config.model import IDLE_TIMEOUT, TIMER_C
from sipguard.config.suggestion import suggestion
from sipguard.config.tls_checks import claimed_names, listener_problems, trunk_tls_problems
from sipguard.config.trunk import DEFAULT_CERTIFICATE, trunk_problems
from sipguard.errors import Problem
from sipguard.policy.trunk import Target, Trunk
from sipguard.sip.flow import WEBSOCKET
from sipguard.sip.uri import default_port

Raw = Mapping[str, object]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def cross_checks(raw: Raw) -> Iterator[Problem]:
    """Every problem between sections of the raw configuration."""
    listeners, trunks = _tables(raw, "listener"), _tables(raw, "trunk")
    if raw.get("listener") == []:
        yield Problem("listener", "is empty; calls must arrive somewhere")
    yield from _listeners(listeners)
    yield from listener_problems(listeners)
    yield from _duplicate_names(trunks)
    yield from _idle_timeout(raw)
    for position, trunk in enumerate(trunks):
        yield from _trunk(label(trunk, position), trunk, listeners)
        yield from _certificate(label(trunk, position), trunk, _certificates(raw))
        yield from trunk_tls_problems(label(trunk, position), trunk, listeners, _has_authorities(raw))
    yield from _overlaps([(label(trunk, position), _networks(trunk)) for position, trunk in enumerate(trunks)])
    yield from claimed_names(
        (label(trunk, position), _texts(trunk, "tls_names")) for position, trunk in enumerate(trunks)
    )


def label(table: Raw, position: int) -> str:
    """How a trunk is called in a key: by its name, or by its place when it has none."""
    name = table.get("name")
    return f"trunk.{name}" if isinstance(name, str) and name else f"trunk[{position}]"


def overlapping(trunks: Iterable[Trunk]) -> Iterator[Problem]:
    """The sources that two finished trunks both claim."""
    return _overlaps(
        [
            (f"trunk.{trunk.name}", _networks({"sources": list(trunk.sources), "tls_names": trunk.tls_names}))
            for trunk in trunks
        ]
    )


def _has_authorities(raw: Raw) -> bool:
    tls = raw.get("tls")
    return isinstance(tls, dict) and bool(tls.get("ca"))


def _tables(raw: Raw, section: str) -> list[Raw]:
    tables = raw.get(section)
    return [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []


def _texts(table: Raw, key: str) -> list[str]:
    values = table.get(key)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _listeners(listeners: list[Raw]) -> Iterator[Problem]:
    seen: set[tuple[bool, str]] = set()
    for position, listener in enumerate(listeners):
        try:
            address = _bound(listener)
        except ValueError:
            continue
        place = (listener.get("transport") == "udp", str(address))
        if place in seen:
            yield Problem(f"listener[{position}].bind", f"an earlier listener has {address} already")
        seen.add(place)
        if address.wildcard and not listener.get("advertise"):
            yield Problem(f"listener[{position}].advertise", f"is required: others cannot answer to {address}")


def _duplicate_names(trunks: list[Raw]) -> Iterator[Problem]:
    seen: set[str] = set()
    for position, trunk in enumerate(trunks):
        name = trunk.get("name")
        if isinstance(name, str):
            if name in seen:
                yield Problem(f"trunk[{position}].name", f'an earlier trunk is called "{name}" already')
            seen.add(name)


def _idle_timeout(raw: Raw) -> Iterator[Problem]:
    """A connection outlives the longest ringing, or the answer to a pending INVITE is lost with it (TRN-07)."""
    timers, limits = raw.get("timers"), raw.get("limits")
    timer_c = timers.get("timer_c", TIMER_C) if isinstance(timers, dict) else TIMER_C
    idle = limits.get("idle_timeout", IDLE_TIMEOUT) if isinstance(limits, dict) else IDLE_TIMEOUT
    if isinstance(idle, int | float) and isinstance(timer_c, int | float) and idle <= timer_c:
        yield Problem("limits.idle_timeout", f"should exceed timers.timer_c ({timer_c:g} s)")


def _trunk(key: str, trunk: Raw, listeners: list[Raw]) -> Iterator[Problem]:
    for name, text in trunk_problems(trunk):
        yield Problem(f"{key}.{name}", text)
    for position, text in enumerate(_texts(trunk, "targets")):
        try:
            target = parse_target(text)
        except ValueError:
            continue
        if not any(_reaches(listener, target) for listener in listeners):
            yield Problem(f"{key}.targets[{position}]", f'no {target.transport or "udp"} listener can send to "{text}"')


def _certificates(raw: Raw) -> list[str]:
    table: object = raw
    for name in ("stir", "sign", "certificates"):
        table = table.get(name) if isinstance(table, dict) else None
    return list(table) if isinstance(table, dict) else []


def _certificate(key: str, trunk: Raw, names: list[str]) -> Iterator[Problem]:
    name = trunk.get("certificate", DEFAULT_CERTIFICATE)
    if trunk.get("side") == "customer" and isinstance(name, str):
        yield from certificate_problem(key, name, names)


def certificate_problem(key: str, name: str, names: Iterable[str]) -> Iterator[Problem]:
    """That a trunk's signing certificate is not there; a node that signs nothing needs none."""
    names = list(names)
    if name not in names and (names or name != DEFAULT_CERTIFICATE):
        yield Problem(f"{key}.certificate", f"there is no [stir.sign.certificates.{name}]{suggestion(name, names)}")


def _reaches(listener: Raw, target: Target) -> bool:
    transport = listener.get("transport")
    if transport in WEBSOCKET or (target.transport is not None and transport != target.transport):
        return False
    try:
        local = ipaddress.ip_address(_bound(listener).host)
    except ValueError:
        return True  # reported by its own section
    return not is_address(target.host) or ipaddress.ip_address(target.host).version == local.version


def _bound(listener: Raw) -> SocketAddress:
    """The address to bind. Raises ValueError."""
    return parse_socket_address(str(listener.get("bind")), default_port(str(listener.get("transport"))))


def _networks(trunk: Raw) -> list[Network]:
    """What a trunk claims by its sources; one that is known by its certificate claims nothing."""
    networks: list[Network] = []
    if trunk.get("tls_names"):
        return networks
    for text in _texts(trunk, "sources"):
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            continue
    return networks


def _overlaps(trunks: list[tuple[str, list[Network]]]) -> Iterator[Problem]:
    for (first, left), (second, right) in combinations(trunks, 2):
        for mine in left:
            for other in right:
                if mine.version == other.version and mine.overlaps(other):
                    yield Problem(
                        f"{second}.sources", f"{other} overlaps {mine} of {first}; a call must have one trunk"
                    )

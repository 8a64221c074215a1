"""Host names to addresses, for what is fetched over HTTPS. Targets of calls are resolved by ``targets``.

The system's resolver blocks, so each lookup has a thread of its own, a daemon one: a name server that never answers
must not hold the process at its end. Their number is bounded; equal lookups are one; answers are kept a short while,
"no such name" a shorter one. When there is no room for a lookup an answer that was good before is good enough.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from sipguard.runtime.addressing import plain_host
from sipguard.runtime.clock import Clock

_KEPT = 30.0  # seconds
_ABSENCE_KEPT = 5.0
_CAPACITY = 1024
_MOST_LOOKUPS = 32
_LONGEST_NAME = 253
NO_ROOM = "too many lookups"


class AddressAnswer(NamedTuple):
    """The addresses found for a host name, best first; empty when it does not resolve."""

    addresses: tuple[str, ...]
    detail: str = ""


LookUp = Callable[[str], tuple[str, ...]]  # blocking; raises OSError


def system_lookup(host: str) -> tuple[str, ...]:
    """The addresses of a host as the operating system finds them, best first. Blocks. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return tuple(dict.fromkeys(plain_host(address) for *_, address in found))


class AddressBook:
    """A bounded cache in front of a resolver."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop, look_up: LookUp = system_lookup) -> None:
        self._clock = clock
        self._loop = loop
        self._look_up = look_up
        self._known: OrderedDict[str, tuple[AddressAnswer, float]] = OrderedDict()
        self._flights: dict[str, asyncio.Future[AddressAnswer]] = {}

    async def find(self, host: str) -> AddressAnswer:
        """The addresses of a host; an empty answer says why there are none."""
        known = self.known(host)
        return await asyncio.shield(self._flight(host)) if known is None else known

    def known(self, host: str) -> AddressAnswer | None:
        """What is known without asking anybody."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            return AddressAnswer((host,))
        if not host or not host.isascii() or not host.isprintable() or len(host) > _LONGEST_NAME:
            return AddressAnswer((), "not a host name")
        entry = self._known.get(host)
        if entry is None or entry[1] <= self._clock.monotonic():
            return None
        self._known.move_to_end(host)
        return entry[0]

    def _flight(self, host: str) -> asyncio.Future[AddressAnswer]:
        flight = self._flights.get(host)
        if flight is not None:
            return flight
        flight = self._loop.create_future()
        if len(self._flights) >= _MOST_LOOKUPS:
            before, _ = self._known.get(host, (AddressAnswer(()), 0.0))
            flight.set_result(before if before.addresses else AddressAnswer((), NO_ROOM))
            return flight
        self._flights[host] = flight
        try:
            threading.Thread(target=self._run, args=(host,), name="resolver", daemon=True).start()
        except RuntimeError:  # no more threads
            self._land(host, AddressAnswer((), NO_ROOM))
        return flight

    def _run(self, host: str) -> None:
        """In a thread of its own; whatever happens there, the flight lands."""
        try:
            found = AddressAnswer(self._look_up(host))
        except Exception as error:
            found = AddressAnswer((), str(error))
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._land, host, found)

    def _land(self, host: str, found: AddressAnswer) -> None:
        until = self._clock.monotonic() + (_KEPT if found.addresses else _ABSENCE_KEPT)
        self._known[host] = (found, until)
        self._known.move_to_end(host)
        if len(self._known) > _CAPACITY:
            self._known.popitem(last=False)
        flight = self._flights.pop(host)
        if not flight.done():
            flight.set_result(found)

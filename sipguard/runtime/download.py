"""Fetching from a URL that a stranger chose, or posting to one: judged, looked up once (VS-31, VS-33).

Only public addresses are connected to, unless the operator named the host. A name is looked up once, and what was
judged is what is connected to: a name that changes its mind (DNS rebinding) changes nothing.
"""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from sipguard.errors import StartupError
from sipguard.runtime.addresses import NO_ROOM, AddressBook
from sipguard.runtime.https import Fetched, FetchError, get, post
from sipguard.stir.x5u import Location, X5uRules, is_public, locate, problem

_T = TypeVar("_T")
_MOST_ADDRESSES = 3  # tried one after the other within the time limit


class NoRoomError(FetchError):
    """Nothing was found out about the URL: we have too much to do."""


class Downloader:
    """Downloads over HTTPS. ``context`` is what a server's certificate is verified against."""

    def __init__(self, addresses: AddressBook, context: ssl.SSLContext) -> None:
        self.context = context
        self._addresses = addresses

    async def get(self, url: str, rules: X5uRules, largest: int) -> Fetched:
        """Fetch at most ``largest`` octets; the caller bounds the time. Raises FetchError."""
        location, addresses = await self._find(url, rules)
        fetch = partial(get, port=location.port, host=location.host, target=location.path, context=self.context)
        return await _first(addresses, lambda address: fetch(address, largest=largest))

    async def post(self, url: str, rules: X5uRules, body: bytes) -> None:
        """Post JSON; the caller bounds the time. Raises FetchError."""
        location, addresses = await self._find(url, rules)
        send = partial(post, port=location.port, host=location.host, target=location.path, context=self.context)
        await _first(addresses, lambda address: send(address, body=body))

    async def _find(self, url: str, rules: X5uRules) -> tuple[Location, tuple[str, ...]]:
        """Where the URL leads, and the addresses that may be connected to."""
        location = locate(url)
        refusal = location if isinstance(location, str) else problem(url, rules)
        if refusal is not None or isinstance(location, str):
            raise FetchError(str(refusal))
        found = await self._addresses.find(location.host)
        addresses = found.addresses
        if not addresses and found.detail == NO_ROOM:
            raise NoRoomError(NO_ROOM)
        if location.host not in rules.allow_private_hosts:
            addresses = tuple(address for address in addresses if is_public(ipaddress.ip_address(address)))
        if not addresses:
            raise FetchError("the host has no public address" if found.addresses else "the host has no address")
        return location, addresses[:_MOST_ADDRESSES]


async def _first(addresses: tuple[str, ...], attempt: Callable[[str], Awaitable[_T]]) -> _T:
    """What the first address that works says, else why the last does not."""
    failure = FetchError("the host has no address")
    for address in addresses:
        try:
            return await attempt(address)
        except FetchError as error:
            failure = error
    raise failure


def host_of(url: str) -> str:
    """The host that a URL's share of the room is counted for; all that have none share one."""
    location = locate(url)
    return "" if isinstance(location, str) else location.host


def tls_context(authorities: Path | None) -> ssl.SSLContext:
    """What a repository's TLS is verified against: the system's authorities, and those in a file.

    Raises StartupError.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities is not None:
        try:
            context.load_verify_locations(cafile=authorities)
        except (OSError, ssl.SSLError) as error:
            raise StartupError(f"{authorities}: {error.strerror or error}") from error
    return context

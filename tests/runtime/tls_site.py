"""A TLS listener around a scripted engine, its certificates, and peers of all kinds."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sipguard.config.listener import ListenerSection
from sipguard.errors import Problem
from sipguard.policy.trunk import Trunk
from sipguard.runtime.binding import bind
from sipguard.runtime.clock import Clock
from sipguard.runtime.stream import StreamLimits, StreamTransport
from sipguard.runtime.tls import Side, TlsContexts, make_contexts
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import Issued
from sipguard.testing.tls_ca import TlsCa, write
from tests.runtime.kit import Rig, listener

NOW = Clock().unix_time()
CA = TlsCa(NOW)
OTHER_CA = TlsCa(NOW, "TEST other root CA")
EDGE = CA.issue("edge.example")
PEER = CA.issue("peer.example")
EXPIRED = CA.issue("peer.example", not_after=UnixTime(NOW - 60))
STRANGER = OTHER_CA.issue("peer.example")


class TlsSite:
    """A TLS listener; ``client_ca`` says whether it asks for certificates."""

    def __init__(
        self, rig: Rig, directory: Path, own: Issued, client_ca: bool, limits: StreamLimits, trunks: tuple[Trunk, ...]
    ) -> None:
        self.rig = rig
        self.engine = rig.engine
        self.directory = directory
        self._trunks = trunks
        files = write(own, directory, "edge")
        self.ca = CA.write(directory, "ca")
        self.bound = bind("listener", "tls", "127.0.0.1", 0)
        self.address: tuple[str, int] = self.bound.getsockname()
        self._section = ListenerSection(
            transport="tls",
            bind=f"127.0.0.1:{self.address[1]}",
            certificate=files.certificate,
            key=files.key,
            client_ca=self.ca if client_ca else None,
        )
        self.contexts, problems = self.make()
        assert problems == []
        side = Side(0, lambda: self.contexts)
        loop = asyncio.get_running_loop()
        here = listener(self.bound, "tls")
        self.transport = StreamTransport(here, self.bound, rig.driver, loop, rig.clock, limits, side)
        rig.driver.transports[0] = self.transport

    def make(self) -> tuple[TlsContexts, list[Problem]]:
        """Contexts of the files as they are now."""
        return make_contexts([self._section], self._trunks, str(self.ca), NOW)

    def use(self, contexts: TlsContexts) -> None:
        """Put contexts in force."""
        self.contexts = contexts

    async def connect(
        self, own: Issued | None = None, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A peer's connection to the listener, showing a certificate if it has one."""
        return await asyncio.open_connection(
            *self.address, ssl=context or client_context(self.directory, own), server_hostname="edge.example"
        )

    async def counted(self, number: int) -> None:
        """Wait until so many connections are open."""
        while self.transport.connections != number:
            await asyncio.sleep(0)


def client_context(directory: Path, own: Issued | None = None) -> ssl.SSLContext:
    """What a peer that connects to us uses."""
    context = ssl.create_default_context(cadata=CA.root.certificate_pem.decode())
    if own is not None:
        context.load_cert_chain(*write(own, directory, "client"))
    return context


def server_context(directory: Path, own: Issued, ask: bool = False) -> ssl.SSLContext:
    """What a peer that we connect to uses; ``ask``: it wants a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*write(own, directory, "server"))
    if ask:
        context.load_verify_locations(cadata=CA.root.certificate_pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def tls_site(
    directory: Path, own: Issued = EDGE, *, client_ca: bool = False, limits: StreamLimits | None = None,
    clock: Clock | None = None, trunks: tuple[Trunk, ...] = (),
) -> AsyncIterator[TlsSite]:  # fmt: skip
    """A site, closed at the end."""
    directory.mkdir(exist_ok=True)
    rig = Rig(directory, clock=clock)
    site = TlsSite(rig, directory, own, client_ca, limits or StreamLimits(), trunks)
    await site.transport.start()
    try:
        yield site
    finally:
        await site.transport.close()
        await site.counted(0)
        await rig.close()
        assert rig.faults.alarms["bug"] == 0


class Neighbour:
    """A TLS server that we connect to: what it read, who connected, by what name it was asked for."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.names: list[str | None] = []
        self.shown: list[object] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.address: tuple[str, int] = ("", 0)
        self._changed = asyncio.Event()

    async def until(self, number: int) -> None:
        """Wait for so many messages."""
        while len(self.read) < number:
            self._changed.clear()
            await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        self.shown.append(writer.get_extra_info("peercert"))
        try:
            while True:
                self.read.append(await reader.readuntil(b"\r\n\r\n"))
                self._changed.set()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


@asynccontextmanager
async def neighbour(directory: Path, own: Issued, ask: bool = False) -> AsyncIterator[Neighbour]:
    """A neighbour, gone at the end."""
    directory.mkdir(exist_ok=True)
    peer = Neighbour()
    context = server_context(directory, own, ask)
    context.sni_callback = lambda _object, name, _context: peer.names.append(name)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=context)
    peer.address = server.sockets[0].getsockname()
    try:
        yield peer
    finally:
        server.close()
        for writer in peer.writers:
            writer.close()

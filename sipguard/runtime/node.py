"""A running node: engine, driver, transports, journal and providers, put together and taken apart in order.

``composition`` says what a node is made of; here it gets sockets and a loop. ``service`` decides when it ends.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import SystemRandom

from sipguard.config import Configuration
from sipguard.engine import Engine
from sipguard.errors import Problem
from sipguard.ledger.log import AttestationLog
from sipguard.ledger.segment import log_directory
from sipguard.policy.directory import Directory
from sipguard.policy.need import CertificateNeed, TargetNeed
from sipguard.policy.view import View
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.binding import bind
from sipguard.runtime.call_journal import CallJournal
from sipguard.runtime.certificates import CertificateFetcher
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import Node, chains_on_disk, lists_on_disk
from sipguard.runtime.disk_cache import Stored
from sipguard.runtime.dns_client import Resolver
from sipguard.runtime.download import Downloader, tls_context
from sipguard.runtime.driver import Driver
from sipguard.runtime.entropy import Entropy
from sipguard.runtime.faults import Faults
from sipguard.runtime.hosts_file import HostsFile
from sipguard.runtime.journal import Journal
from sipguard.runtime.notifier import Notifier
from sipguard.runtime.registry_watch import RegistryWatch
from sipguard.runtime.revocations import RevocationKeeper
from sipguard.runtime.stream import StreamLimits, StreamTransport
from sipguard.runtime.targets import TargetBook
from sipguard.runtime.tls import Side, TlsContexts, make_contexts
from sipguard.runtime.tls_watch import TlsWatch
from sipguard.runtime.udp import UdpTransport
from sipguard.runtime.vitals import Vitals
from sipguard.runtime.watchdog import Watchdog
from sipguard.runtime.websocket import WebSocketTransport
from sipguard.sip.flow import OVER_TLS, WEBSOCKET, Listener
from sipguard.stir.certificate import Credential
from sipguard.stir.generations import Generations


class RunningNode:
    """Made inside a running loop. Raises StartupError or LedgerError and leaves nothing open then."""

    def __init__(self, configuration: Configuration, node: Node, clock: Clock, faults: Faults) -> None:
        loop = asyncio.get_running_loop()
        self.node = node
        self.reload_failure = ""
        self._configuration = configuration
        self._contexts = node.tls
        self._sections = configuration.listener
        self._authorities = configuration.tls.ca
        self._clock = clock
        self._faults = faults
        self._started = clock.monotonic()
        with contextlib.ExitStack() as undo:
            buffer = configuration.overload.receive_buffer
            bound = [(listener, _bind(listener, buffer, undo)) for listener in node.listeners]
            log = AttestationLog.open(
                log_directory(configuration.node.state), configuration.node.name, configuration.ledger.durability
            )
            undo.callback(log.close)
            self._downloader = self._make_downloader(configuration, loop)
            self._notices = Downloader(
                AddressBook(clock, loop), tls_context(configuration.policy.emergency.notify.https_ca)
            )
            undo.pop_all()
        self._chains = chains_on_disk(configuration)
        self._revocations = RevocationKeeper(self._view, self._downloader, clock, faults, lists_on_disk(configuration))
        timeout = configuration.stir.verify.fetch_timeout
        self._fetcher = CertificateFetcher(self._view, self._downloader, clock, faults, timeout, self._learnt)
        self._notifier = Notifier(lambda: self._notify, self._notices, faults)
        self._notify = configuration.policy.emergency.notify
        self._keepers: list[asyncio.Task[None]] = []
        worker = configuration.ledger.durability == "disk"
        self.engine = Engine(node.listeners, node.settings, node.view, Entropy())
        self._journal = Journal(log, configuration.node.name, clock, faults, loop, worker=worker)
        self._driver = Driver(self.engine, self._journal, clock, faults, loop)
        self._driver.notify = self._notifier.put
        self._calls = CallJournal(configuration.node.state, faults)
        self.registry = RegistryWatch(
            configuration, lambda: self.node.view.directory, self.replace_directory, clock, faults
        )
        self._watchdog = Watchdog(clock, faults, loop)
        self._streams: list[StreamTransport] = []
        self._datagrams: list[UdpTransport] = []
        for listener, listening in bound:
            self._add_transport(listener, listening, loop)
        self._targets = _target_book(configuration, node, clock)
        self._driver.providers[TargetNeed] = lambda need: self._targets.provide(need, self._driver.answer)
        self._driver.providers[CertificateNeed] = lambda need: self._fetcher.provide(need, self._driver.answer)

    async def start(self) -> None:
        """Begin to receive, in the calls that were up before as well."""
        self._driver.recover(self._calls)
        for datagrams in self._datagrams:
            datagrams.start()
        for stream in self._streams:
            await stream.start()
        self._watchdog.start()
        self._driver.start()
        self._notifier.start()
        loop = asyncio.get_running_loop()
        self._keepers = [loop.create_task(self._fetcher.keep()), loop.create_task(self._revocations.keep())]
        if self._contexts.files:
            watch = TlsWatch(lambda: self._contexts, self._make_contexts, self._use_contexts, self._faults)
            self._keepers.append(loop.create_task(watch.keep()))

    async def close(self) -> None:
        """Stop receiving, let the journal finish, close everything."""
        for datagrams in self._datagrams:
            datagrams.close()
        for stream in self._streams:
            await stream.close()
        self._driver.close()
        self._watchdog.close()
        for keeper in self._keepers:
            keeper.cancel()
        await self._targets.close()
        await self._notifier.close()
        await self._fetcher.close()
        await self._journal.close()
        await self._calls.close()

    def reconfigure(self, configuration: Configuration, node: Node) -> None:
        """Swap to a newly built node between two messages. Raises StartupError before anything is changed."""
        context = tls_context(configuration.stir.verify.https_ca)
        notices = tls_context(configuration.policy.emergency.notify.https_ca)
        if _places(configuration) == _places(self._configuration):  # else the listeners need a restart
            self._sections = configuration.listener
            self._contexts = node.tls
        self._authorities = configuration.tls.ca
        self.node = node
        self.engine.reconfigure(node.view)
        self._driver.settle()  # what follows from it may be due at once
        self._downloader.context = context
        self._notices.context = notices
        self._notify = configuration.policy.emergency.notify
        self._fetcher.timeout = configuration.stir.verify.fetch_timeout

    def replace_signers(self, signers: Mapping[str, Generations]) -> None:
        """Sign with these from the next message on; nothing else of the view changes."""
        self.node = replace(self.node, view=replace(self.node.view, signers=signers))
        self.engine.reconfigure(self.node.view)

    def replace_directory(self, directory: Directory) -> None:
        """Look numbers and accounts up here from the next message on; nothing else of the view changes."""
        self.node = replace(self.node, view=replace(self.node.view, directory=directory))
        self.engine.reconfigure(self.node.view)
        self._driver.settle()

    def vitals(self) -> Vitals:
        """What can be seen from outside, now."""
        engine, journal = self.engine, self._journal
        return Vitals(
            node=self.node.settings.node,
            uptime=self._clock.monotonic() - self._started,
            draining=engine.draining,
            ledger_failure=journal.failing,
            ledger_holds=self.node.settings.ledger_on_failure == "hold",
            ledger_records=journal.records,
            ledger_lost=journal.lost,
            lag=self._watchdog.lag,
            reload_failure=self.reload_failure,
            registry_failure=self.registry.failure,
            registry_age=self.registry.age,
            open_transactions=engine.open_transactions,
            active_calls=engine.active_calls,
            parked=engine.parked,
            connections=sum(stream.connections for stream in self._streams),
            certificate_fetches=self._fetcher.fetches,
            certificate_failures=self._fetcher.failures,
            counters=engine.counters,
            alarms=self._faults.alarms,
            messages=self._messages(),
            receive_seconds=self._driver.receive_seconds,
            ledger_seconds=journal.seconds,
            lag_seconds=self._watchdog.seconds,
            shed=engine.shed,
            queueing=engine.delay,
            banned=engine.banned,
            targets_up=engine.targets_up,
            tls_until=self._contexts.until,
            signing_until={name: generations.not_after for name, generations in self.node.view.signers.items()},
        )

    def _messages(self) -> Counter[tuple[str, str]]:
        messages: Counter[tuple[str, str]] = Counter()
        transports: list[UdpTransport | StreamTransport] = [*self._datagrams, *self._streams]
        for transport in transports:
            messages[transport.name, "received"] += transport.received
            messages[transport.name, "sent"] += transport.sent
            messages[transport.name, "dropped"] += transport.dropped
            messages[transport.name, "failed"] += transport.failed
        return messages

    def _make_downloader(self, configuration: Configuration, loop: asyncio.AbstractEventLoop) -> Downloader:
        book = AddressBook(self._clock, loop)  # not the trunks': names that callers choose may be slow to resolve
        return Downloader(book, tls_context(configuration.stir.verify.https_ca))

    def _learnt(self, credential: Credential, stored: Stored) -> None:
        """A certificate was fetched: want its revocation lists, and keep it; no call waits for the disk."""
        self._revocations.learn(credential)
        asyncio.get_running_loop().run_in_executor(None, self._chains.put, stored)

    def _make_contexts(self) -> tuple[TlsContexts, list[Problem]]:
        """In a thread: read the files of the contexts in force again."""
        trunks = self.node.view.directory.trunks.values()
        return make_contexts(self._sections, trunks, self._authorities, self._clock.unix_time())

    def _use_contexts(self, contexts: TlsContexts) -> None:
        self._contexts = contexts

    def _view(self) -> View:
        return self.node.view

    def _add_transport(self, listener: Listener, bound: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        if listener.transport == "udp":
            datagrams = UdpTransport(listener, bound, self._driver, loop, self._clock)
            self._datagrams.append(datagrams)
            self._driver.transports[listener.number] = datagrams
            return
        side = Side(listener.number, lambda: self._contexts) if listener.transport in OVER_TLS else None
        limits = stream_limits(self._configuration)
        if listener.transport in WEBSOCKET:
            origins = frozenset(self._sections[listener.number].origins)
            stream: StreamTransport = WebSocketTransport(
                listener, bound, self._driver, loop, self._clock, limits, origins, side
            )
        else:
            stream = StreamTransport(listener, bound, self._driver, loop, self._clock, limits, side)
        self._streams.append(stream)
        self._driver.transports[listener.number] = stream


def _target_book(configuration: Configuration, node: Node, clock: Clock) -> TargetBook:
    reach = frozenset((listener.transport, listener.ipv6) for listener in node.listeners)
    dns = configuration.dns
    client = Resolver(dns.addresses, dns.timeout / 2)  # so that one question nobody answers leaves time for others
    return TargetBook(client, HostsFile(), reach, SystemRandom().random, clock, dns.timeout)


def _places(configuration: Configuration) -> list[tuple[str, str]]:
    return [(section.transport, section.bind) for section in configuration.listener]


def stream_limits(configuration: Configuration) -> StreamLimits:
    """What a stream listener lets its peers make it hold."""
    limits, tls = configuration.limits, configuration.tls
    return StreamLimits(
        max_connections=limits.max_connections,
        max_per_address=limits.max_per_address,
        max_message=limits.max_message,
        max_unwritten=limits.max_unwritten,
        message_timeout=limits.message_timeout,
        idle_timeout=limits.idle_timeout,
        connect_timeout=limits.connect_timeout,
        ping_interval=limits.ping_interval,
        pong_timeout=limits.pong_timeout,
        handshake_timeout=tls.handshake_timeout,
        max_handshakes=tls.max_handshakes,
    )


def _bind(listener: Listener, buffer: int, undo: contextlib.ExitStack) -> socket.socket:
    bound = bind("listener", listener.transport, listener.host, listener.port, buffer)
    undo.callback(bound.close)
    return bound

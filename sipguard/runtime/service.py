"""The life of the process: start, ready, reload, drain, end.

SIGTERM and SIGINT drain: no new calls, what is in flight finishes, bounded by ``drain_timeout``; a second one ends the
wait. SIGHUP reads the configuration again and builds a new node from it in a thread; it is swapped in between two
messages, or, when anything is wrong with it, every problem is logged and the old one stays.
"""

import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from sipguard import __version__
from sipguard.config import Configuration
from sipguard.config.named_files import named_files
from sipguard.errors import ConfigurationError, SipguardError, StartupError
from sipguard.runtime import last_resort, logs
from sipguard.runtime.binding import bind
from sipguard.runtime.clock import Clock
from sipguard.runtime.collector import Collector
from sipguard.runtime.composition import Node, build
from sipguard.runtime.faults import Faults
from sipguard.runtime.node import RunningNode
from sipguard.runtime.signing_watch import SigningWatch
from sipguard.runtime.tags import restore_tags, tags_file, write_tags
from sipguard.runtime.vitals import Vitals

logger = logging.getLogger(__name__)

_TAGS_EVERY = 60.0  # seconds
_POLL = 0.02
_FAREWELL = 1.0  # seconds after the last final answer: its ACK is still to pass


class AdminServer(Protocol):
    """The HTTP listener; ``web`` has the one that matters."""

    async def start(self, bound: socket.socket) -> None:
        """Serve on a bound, listening socket."""

    async def stop(self) -> None:
        """Stop serving."""


AdminBuilder = Callable[[Callable[[], Vitals]], AdminServer]


def serve(
    configuration: Configuration, node: Node, load: Callable[[Path], Configuration], path: Path, admin: AdminBuilder
) -> None:
    """Run a node until it is told to end. ``load`` reads the configuration from its ``path`` again for a reload.

    Raises StartupError or LedgerError when it cannot start.
    """
    clock = Clock()
    faults = Faults(clock)
    last_resort.install(faults)
    _raise_descriptor_limit()
    logs.set_up(configuration.log.level, configuration.log.mask_numbers)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_Service(configuration, node, partial(load, path), path, admin, clock, faults).run())


def _raise_descriptor_limit() -> None:
    """Connections are bounded by the configuration, not by the 1024 descriptors a shell gives."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop when it is installed, the standard one otherwise."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Service:
    """One run."""

    def __init__(
        self, configuration: Configuration, node: Node, load: Callable[[], Configuration], path: Path,
        admin: AdminBuilder, clock: Clock, faults: Faults,
    ) -> None:  # fmt: skip
        self._configuration = configuration
        self._node = node
        self._load = load
        self._path = path
        self._files = frozenset((path,)) | named_files(configuration)
        self._admin_builder = admin
        self._clock = clock
        self._faults = faults
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None
        self._reload_again = False
        self._told: list[dict[str, str]] = []  # what was wrong with the last reload
        self._watch: SigningWatch | None = None
        self._tags = tags_file(configuration.node.state)

    async def run(self) -> None:
        """From start to end."""
        loop = asyncio.get_running_loop()
        last_resort.watch(loop, self._faults)
        running = RunningNode(self._configuration, self._node, self._clock, self._faults)
        running.registry.reload = lambda: self._reload(running)
        running.registry.files = self._files
        admin = self._admin_builder(running.vitals)
        admin_address = self._configuration.admin.address
        try:
            await admin.start(bind("admin listener", "tcp", admin_address.host, admin_address.port))
        except StartupError:
            await running.close()
            raise
        restore_tags(self._tags, self._node.view.traffic)
        await running.start()
        loop.add_signal_handler(signal.SIGTERM, self._end)
        loop.add_signal_handler(signal.SIGINT, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._reload_by_hand, running)
        keeper = loop.create_task(self._keep_tags())
        watch = self._watch = self._make_watch(running)
        watcher = loop.create_task(watch.keep())
        follower = loop.create_task(running.registry.keep())
        collector = Collector(lambda: running.engine.open_transactions)
        collector.start()
        sweeper = loop.create_task(collector.keep())
        self._say_ready()
        self._say_damage(self._node)
        await self._stop.wait()
        await self._drain(running)
        keeper.cancel()
        watcher.cancel()
        follower.cancel()
        running.registry.close()
        sweeper.cancel()
        if self._reloading is not None:
            await asyncio.wait((self._reloading,))
        await running.close()
        await admin.stop()
        write_tags(self._tags, self._node.view.traffic.export())
        logger.info("stopped")

    def _say_ready(self) -> None:
        listeners = [f"{entry.transport}:{_bracketed(entry.host)}:{entry.port}" for entry in self._node.listeners]
        fields = {
            "node": self._configuration.node.name,
            "version": __version__,
            "listeners": listeners,
            "admin": str(self._configuration.admin.address),
        }
        logger.info("ready", extra={"fields": fields})

    def _say_damage(self, node: Node) -> None:
        if node.damage:
            self._faults.alarm("numbers-damaged", detail=f"{node.damage}; it was made anew from the registry")

    def _end(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _drain(self, running: RunningNode) -> None:
        """Wait for what is in flight, bounded."""
        engine = running.engine
        engine.drain()
        logger.info("draining", extra={"fields": {"open_transactions": engine.open_transactions}})
        now = self._clock.monotonic()
        end = now + self._configuration.drain_timeout
        while not engine.idle and now < end and not self._hurry.is_set():
            await asyncio.sleep(_POLL)
            now = self._clock.monotonic()
        end = min(end, now + _FAREWELL)
        while engine.open_transactions and now < end and not self._hurry.is_set():
            await asyncio.sleep(_POLL)
            now = self._clock.monotonic()

    def _make_watch(self, running: RunningNode) -> SigningWatch:
        sign = self._configuration.stir.sign
        return SigningWatch(sign, lambda: running.node.view.signers, running.replace_signers, self._clock, self._faults)

    # --- reload

    def _reload_by_hand(self, running: RunningNode) -> None:
        self._told = []  # who asked for it is told whatever is wrong
        self._reload(running)

    def _reload(self, running: RunningNode) -> None:
        if self._reloading is not None:
            self._reload_again = True  # what changed since must be read too
            return
        self._reloading = asyncio.get_running_loop().create_task(self._rebuild(running))
        self._reloading.add_done_callback(lambda task: self._reloaded(running, task))

    def _reloaded(self, running: RunningNode, task: asyncio.Task[None]) -> None:
        self._reloading = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._faults.bug("reload", error)
        running.registry.pace.ended(well=error is None and not running.reload_failure)
        if self._reload_again and not self._stop.is_set():
            self._reload_again = False
            self._reload(running)

    async def _rebuild(self, running: RunningNode) -> None:
        try:
            configuration, node = await asyncio.to_thread(self._build, running.node)
            running.reconfigure(configuration, node)
        except ConfigurationError as error:
            problems = [{"key": problem.key, "detail": problem.message} for problem in error.problems]
            self._refused(running, f"{len(problems)} problems", problems)
            return
        except SipguardError as error:
            self._refused(running, str(error), [{"detail": str(error)}])
            return
        finally:
            running.registry.files = self._files
        for key in _only_by_restart(self._configuration, configuration):
            logger.warning("reload.restart-needed", extra={"fields": {"key": key}})
        logs.set_up(configuration.log.level, configuration.log.mask_numbers)
        self._node = node
        running.registry.use(configuration)
        if self._watch is not None:
            self._watch.follow(configuration.stir.sign)
        self._say_damage(node)
        running.reload_failure = ""
        self._told = []
        logger.info("reloaded", extra={"fields": {"revision": configuration.policy.revision}})

    def _refused(self, running: RunningNode, why: str, problems: list[dict[str, str]]) -> None:
        """Say what is wrong: every problem once, however often the reload is tried, and one alarm."""
        if problems != self._told:
            for problem in problems:
                logger.error("reload.problem", extra={"fields": problem})
        if not running.reload_failure:
            self._faults.alarm("reload", detail=why)
        self._told = problems
        running.reload_failure = why

    def _build(self, previous: Node) -> tuple[Configuration, Node]:
        """In a thread: read and build, beside the traffic."""
        configuration = self._load()
        self._files = frozenset((self._path,)) | named_files(configuration)
        return configuration, build(configuration, previous)

    # --- tags

    async def _keep_tags(self) -> None:
        written: object = None
        while True:
            await asyncio.sleep(_TAGS_EVERY)
            tags = self._node.view.traffic.export()
            if tags != written:
                await asyncio.to_thread(write_tags, self._tags, tags)
                written = tags


def _only_by_restart(old: Configuration, new: Configuration) -> list[str]:
    """The sections that changed and are read only at the start."""
    fixed = ("node", "ledger", "timers", "dns", "health", "overload", "admin")
    changed = [name for name in fixed if getattr(old, name) != getattr(new, name)]
    if old.limits.model_copy(update={"calls": new.limits.calls}) != new.limits:
        changed.append("limits")
    if _fixed_of_listeners(old) != _fixed_of_listeners(new):
        changed.append("listener")
    if old.tls.model_copy(update={"ca": new.tls.ca}) != new.tls:
        changed.append("tls")
    return changed


def _fixed_of_listeners(configuration: Configuration) -> list[object]:
    """The listeners without their certificates, which a reload reads."""
    read_again = {"certificate": None, "key": None, "client_ca": None}
    return [section.model_copy(update=read_again) for section in configuration.listener]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""Changes of the registry, live without a reload: whoever suspends an account sees it on the next call.

Every ``registry.poll_interval``, and whenever a shared registry announces a change, the audit trail is asked, off the
loop, what was touched since the directory in force was read. Single things are read and laid over what is known, and
the new directory is swapped in between two messages. An import, and changes of trunks, end in a reload: numbers are
compiled anew by another process. Accounts do not wait for it: it fails while, say, the configuration is being edited;
then it is tried again later and later (``reload_pace``), or as soon as the registry or one of ``files`` is another.

When the database cannot be read, calls go on with what was read last, and an alarm says so. Once that is older than
``registry.stale_after`` the directory is marked as stale; ``registry.on_stale`` says what follows for customers' calls.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sipguard.config import Configuration
from sipguard.errors import SipguardError
from sipguard.policy.directory import Directory
from sipguard.registry import Registry
from sipguard.registry.changes import MOST_CHANGES
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.file_stamp import Stamp, stamp
from sipguard.runtime.registry_listener import RegistryListener, listener_for
from sipguard.runtime.reload_pace import ReloadPace

logger = logging.getLogger(__name__)


class RegistryWatch:
    """Keeps one node's directory in step with its registry; ``swap`` puts another directory in force.

    ``reload`` is what begins a reload of everything, ``files`` are those it reads, ``pace`` is to be told how it went.
    ``age`` is how many seconds ago the registry was last read; ``failure`` says why that fails now, or is empty.
    """

    def __init__(
        self, configuration: Configuration, directory: Callable[[], Directory], swap: Callable[[Directory], None],
        clock: Clock, faults: Faults,
    ) -> None:  # fmt: skip
        """``directory`` gives the one in force."""
        self.reload: Callable[[], None] = lambda: None
        self.files: frozenset[Path] = frozenset()
        self.pace = ReloadPace(clock)
        self.failure = ""
        self._directory = directory
        self._swap = swap
        self._clock = clock
        self._faults = faults
        self._read_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._heard: RegistryListener | None = None
        self._followed = ("", -1)  # the registry and its revision whose accounts were last laid over the directory
        self._hearing: asyncio.Task[None] | None = None
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Watch the registry of this configuration from now on."""
        self._section = configuration.registry
        self._url = configuration.registry_url
        self._registry: Registry | None = None  # opened by the first look
        self._listener = listener_for(self._url, self._wake.set)

    @property
    def age(self) -> float:
        """Seconds since the registry was last read."""
        return self._clock.monotonic() - self._read_at

    async def keep(self) -> None:
        """Look, again and again."""
        while True:
            await self._wait()
            try:
                await self.look()
            except Exception as error:
                self._faults.bug("registry-watch", error)

    async def _wait(self) -> None:
        """Until it is time to look, or a change is announced."""
        listener = self._listener
        if listener is not self._heard:
            self._hear(listener)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), self._section.poll_interval)
        self._wake.clear()

    def _hear(self, listener: RegistryListener | None) -> None:
        self.close()
        self._heard = listener
        if listener is not None:
            self._hearing = asyncio.get_running_loop().create_task(listener.keep())

    def close(self) -> None:
        """Listen no more."""
        if self._hearing is not None:
            self._hearing.cancel()
            self._hearing = None

    async def look(self) -> None:
        """Ask once what changed, and put it in force."""
        previous = self._directory()
        try:
            found = await asyncio.to_thread(self._after, previous)
        except SipguardError as error:
            self._unreadable(str(error), previous)
            return
        self._readable()
        if found is None or self._directory() is not previous:  # a reload came between: it has read all this itself
            return
        if isinstance(found, Directory):
            self._swap(found)
            logger.info("registry.followed", extra={"fields": {"revision": found.revision}})
        else:
            if found.accounts is not None:
                self._swap(found.accounts)
                logger.info("registry.followed", extra={"fields": {"revision": found.accounts.revision}})
            if self.pace.is_due(found.cause):
                self.reload()

    def _after(self, previous: Directory) -> "Directory | _Anew | None":
        """In a thread: the directory as it is now, None when nothing changed."""
        registry = self._registry = self._registry or Registry(self._url)
        touched = registry.changes(previous)
        if touched.wholesale or touched.of("trunk") or len(previous.numbers.changes) > MOST_CHANGES:
            cause = touched.latest, stamp(sorted(self.files))
            if self._followed == (self._url, touched.latest):  # the reload fails, or is not done yet
                return _Anew(None, cause)
            now = registry.follow_accounts(previous)
            self._followed = self._url, touched.latest
            same = now.accounts == previous.accounts and set(now.credentials) == set(previous.credentials)
            return _Anew(None if same else now, cause)
        return registry.follow(previous, touched) if touched.subjects or previous.stale else None

    def _unreadable(self, why: str, previous: Directory) -> None:
        if not self.failure:
            self._faults.alarm("registry", detail=why)
        self.failure = why
        if self.age > self._section.stale_after and not previous.stale and self._directory() is previous:
            self._faults.alarm("registry-stale", seconds=int(self.age))
            self._swap(previous.aged())

    def _readable(self) -> None:
        self._read_at = self._clock.monotonic()
        if self.failure:
            logger.warning("registry.readable", extra={"fields": {"detail": "the registry can be read again"}})
        self.failure = ""


class _Anew(NamedTuple):
    """Everything has to be read again. Until then this is the directory with today's accounts, if those changed."""

    accounts: Directory | None
    cause: tuple[int, Stamp]

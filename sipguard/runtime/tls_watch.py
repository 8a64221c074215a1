"""TLS certificates that were replaced on disk are shown to the next peer that connects, without a restart or a signal.

Every few seconds the files' stamps are read, off the loop. Files that changed, and then stayed as they are for one
interval (a renewal writes several files), are loaded anew. What does not belong together is an alarm, once, and the
contexts at hand stay. Connections that are up keep what they were made with.
"""

import asyncio
import logging
from collections.abc import Callable

from sipguard.errors import Problem
from sipguard.runtime.faults import Faults
from sipguard.runtime.file_stamp import Stamp, stamp
from sipguard.runtime.tls import TlsContexts

logger = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds


class TlsWatch:
    """``contexts`` gives those in force, ``make`` makes others of the same files, ``swap`` puts them in force."""

    def __init__(
        self, contexts: Callable[[], TlsContexts], make: Callable[[], tuple[TlsContexts, list[Problem]]],
        swap: Callable[[TlsContexts], None], faults: Faults, interval: float = INTERVAL,
    ) -> None:  # fmt: skip
        self._contexts = contexts
        self._make = make
        self._swap = swap
        self._faults = faults
        self._interval = interval
        self._seen: Stamp = ()
        self._useless: Stamp = ()  # what could not be loaded

    async def keep(self) -> None:
        """Look, again and again."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.look()
            except Exception as error:
                self._faults.bug("tls-watch", error)

    async def look(self) -> None:
        """Read the stamps once, and load what changed and has come to rest."""
        contexts = self._contexts()
        found = await asyncio.to_thread(stamp, contexts.files)
        settled, self._seen = found == self._seen, found
        if not settled or found in (contexts.stamp, self._useless):
            return
        made, problems = await asyncio.to_thread(self._make)
        if self._contexts() is not contexts:
            return  # a reload came between, and has read the files itself
        for problem in problems:
            self._faults.alarm("tls-reload", key=problem.key, detail=problem.message)
        if problems:
            self._useless = found
            return
        self._swap(made)
        logger.info("tls.reloaded", extra={"fields": {"listeners": sorted(made.accepting)}})

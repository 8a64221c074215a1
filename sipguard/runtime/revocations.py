"""The keeper of revocation lists: fetches what certificates or the operator name, and keeps it current (CRT-17..19).

Everything happens in the background: a call uses what the register has. A list is fetched again shortly before its
``nextUpdate``, a failed attempt is repeated with growing pauses, and what was fetched is kept on disk, so that what was
revoked stays so over a restart while a repository is down. Lists may be long: they are read in a thread.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from sipguard.policy.view import View
from sipguard.runtime.clock import Clock
from sipguard.runtime.disk_cache import DiskCache, Stored
from sipguard.runtime.download import Downloader
from sipguard.runtime.faults import Faults
from sipguard.runtime.https import FetchError
from sipguard.stir.certificate import Credential
from sipguard.stir.passport import Fault
from sipguard.stir.revocation import LARGEST, RevocationList, RevocationRegister
from sipguard.stir.unix_time import UnixTime

logger = logging.getLogger(__name__)

_EVERY = 60.0  # seconds between two looks at what is due
_TIMEOUT = 30.0  # seconds for one list
MOST_SOURCES = 256
_AT_ONCE = 8
_MOST_ISSUERS = 16  # authorities whose certificates name one source
_FIRST_PAUSE, _LONGEST_PAUSE = 60, 3600
_LONGEST_KEPT = 24 * 3600  # a list is asked for at least this often, whatever its nextUpdate
_BEFORE = 10  # ... and in the last tenth of its time


class _Source(NamedTuple):
    """A list that is wanted, who may sign it, and when it is to be asked for."""

    issuers: tuple[x509.Certificate, ...] = ()
    due: UnixTime = UnixTime(0)
    pause: int = _FIRST_PAUSE


class RevocationKeeper:
    """Keeps the register of the current view. ``failures`` counts attempts in vain."""

    def __init__(
        self, view: Callable[[], View], downloader: Downloader, clock: Clock, faults: Faults, disk: DiskCache
    ) -> None:
        self.failures = 0
        self._view = view
        self._downloader = downloader
        self._clock = clock
        self._faults = faults
        self._disk = disk
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._register: RevocationRegister | None = None
        self._wake = asyncio.Event()

    def learn(self, credential: Credential) -> None:
        """Want the lists of a credential's path."""
        if self._want(self._view().certificates.revocations.sources(credential.links)):
            self._wake.set()

    async def keep(self) -> None:
        """For ever: look at what is due, at once when something new is wanted."""
        while True:
            self._wake.clear()
            try:
                await self.refresh()
            except Exception as error:
                self._faults.bug("revocation", error)
            try:
                async with asyncio.timeout(_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Ask for every list that is due, a few at a time: one that hangs must not keep the others waiting for long."""
        register = self._view().certificates.revocations
        if register is not self._register:
            self._begin(register)
        now = self._clock.unix_time()
        due = [source for source, wanted in self._sources.items() if wanted.due <= now]
        for first in range(0, len(due), _AT_ONCE):
            await asyncio.gather(*(self._update(register, source) for source in due[first : first + _AT_ONCE]))

    def _begin(self, register: RevocationRegister) -> None:
        """A register that is new to us: it knows nothing of what is wanted."""
        self._register = register
        self._sources.clear()
        if register.configured is not None:
            self._sources[register.configured] = _Source()
        for credential in self._view().certificates.credentials():
            self._want(register.sources(credential.links))

    def _want(self, sources: Iterable[tuple[str, x509.Certificate]]) -> bool:
        """Note sources; whether one must be asked for now."""
        news = False
        for source, issuer in sources:
            known = self._sources.get(source, _Source())
            if issuer in known.issuers or len(known.issuers) >= _MOST_ISSUERS:
                continue
            self._sources[source] = known._replace(issuers=(*known.issuers, issuer), due=UnixTime(0))
            self._sources.move_to_end(source)
            if len(self._sources) > MOST_SOURCES:
                self._sources.popitem(last=False)
            news = True
        return news

    async def _update(self, register: RevocationRegister, source: str) -> None:
        wanted = self._sources.get(source, _Source())
        now = self._clock.unix_time()
        if register.find(source) is None:
            await self._restore(register, source, wanted)
        try:
            octets = await self._octets(source, local=source == register.configured and not _remote(source))
            crl = await asyncio.to_thread(register.read, octets, wanted.issuers, now)
            register.put(source, crl, now)
        except (Fault, FetchError, OSError, TimeoutError) as error:
            self.failures += 1
            detail = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            logger.warning("revocation-list.unavailable", extra={"fields": {"source": source, "detail": detail}})
            self._schedule(source, UnixTime(now + wanted.pause), min(wanted.pause * 2, _LONGEST_PAUSE))
            return
        fields = {"source": source, "entries": len(crl.entries), "next_update": crl.next_update}
        logger.info("revocation-list.read", extra={"fields": fields})
        self._schedule(source, _due(source, crl, now), _FIRST_PAUSE)
        if _remote(source):
            stored = Stored(source, octets, now, crl.next_update)
            await asyncio.to_thread(self._disk.put, stored)

    async def _octets(self, source: str, *, local: bool) -> bytes:
        """The octets of a source; only the operator's may be a file: certificates are strangers' words."""
        if local:
            return await asyncio.to_thread(Path(source).read_bytes)
        rules = self._view().verification.settings.x5u
        async with asyncio.timeout(_TIMEOUT):
            return (await self._downloader.get(source, rules, LARGEST)).body

    async def _restore(self, register: RevocationRegister, source: str, wanted: _Source) -> None:
        """What was fetched before the restart, however old: what it revokes is revoked."""
        stored = await asyncio.to_thread(self._disk.get, source)
        if stored is None:
            return
        now = self._clock.unix_time()
        try:
            crl = await asyncio.to_thread(register.read, stored.octets, wanted.issuers, now)
            register.put(source, crl, now)
        except Fault as fault:
            logger.warning("revocation-list.unusable", extra={"fields": {"source": source, "detail": str(fault)}})

    def _schedule(self, source: str, due: UnixTime, pause: int) -> None:
        known = self._sources.get(source)
        if known is not None:
            self._sources[source] = known._replace(due=due, pause=pause)


def _due(source: str, crl: RevocationList, now: UnixTime) -> UnixTime:
    """When to ask again: a file at every look, a URL in the last tenth of the list's time and at least daily."""
    if not _remote(source):
        return now
    left = max(crl.next_update - now, 0)
    return UnixTime(now + max(_FIRST_PAUSE, min(left - left // _BEFORE, _LONGEST_KEPT)))


def _remote(source: str) -> bool:
    return source.startswith("https://")

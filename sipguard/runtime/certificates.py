"""The x5u fetcher: answers ``CertificateNeed`` by filling the certificate cache (VS-31 to VS-35).

A failure is remembered for a while, so that a dead repository costs one attempt and not one per call. What is in use is
fetched again before it expires, in the background, so that its calls never wait.
"""

import asyncio
import logging
from collections.abc import Callable

from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.view import View
from sipguard.runtime.clock import Clock
from sipguard.runtime.disk_cache import DiskCache, Stored
from sipguard.runtime.download import Downloader, NoRoomError, host_of
from sipguard.runtime.faults import Faults
from sipguard.runtime.flights import Flights
from sipguard.runtime.http_lifetime import lifetime
from sipguard.runtime.https import FetchError
from sipguard.stir.certificate import Credential
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.certification_path import TrustAnchors
from sipguard.stir.unix_time import UnixTime

logger = logging.getLogger(__name__)

LARGEST = 64 * 1024  # octets of a certificate chain
_FAILURE_KEPT = 30
_REFRESH_EVERY = 30.0
_REFRESHES_AT_ONCE = 16


class CertificateFetcher:
    """Fetches chains into the cache of the current view. ``fetches`` and ``failures`` count.

    ``learnt`` is told every credential that was fetched, and from what.
    """

    def __init__(
        self, view: Callable[[], View], downloader: Downloader, clock: Clock, faults: Faults, timeout: float,
        learnt: Callable[[Credential, Stored], None] | None = None,
    ) -> None:  # fmt: skip
        self.fetches = self.failures = 0
        self._view = view
        self._downloader = downloader
        self._clock = clock
        self._faults = faults
        self._learnt = learnt
        self._flights = Flights(self._fly, clock, timeout)

    @property
    def timeout(self) -> float:
        """Seconds for one URL, the lookup included."""
        return self._flights.patience

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._flights.patience = seconds

    def provide(self, need: CertificateNeed, answer: Callable[[CertificateNeed, Answer], None]) -> Answer | None:
        """Begin to fetch; ``answer`` is called when the cache is filled. An answer at once when there is no room."""
        flight = self._flights.join(need.url, host_of(need.url))
        if flight is None:
            return Answer(False, "too many certificates are being fetched")
        flight.add_done_callback(lambda done: None if done.cancelled() else answer(need, done.result()))
        return None

    async def keep(self) -> None:
        """For ever: fetch again what is in use and about to expire."""
        while True:
            self.refresh()
            await asyncio.sleep(_REFRESH_EVERY)

    def refresh(self) -> None:
        """Begin to fetch again what is in use and about to expire, a few at a time: calls come first."""
        for url in self._view().certificates.due(self._clock.unix_time())[:_REFRESHES_AT_ONCE]:
            self._flights.join(url, host_of(url))

    async def close(self) -> None:
        """Give up what is in flight."""
        await self._flights.close()

    async def _fly(self, url: str) -> Answer:
        try:
            return await self._fetch(url)
        except Exception as error:
            self._faults.bug("certificate", error)
            return Answer(False, "the fetch failed")

    async def _fetch(self, url: str) -> Answer:
        self.fetches += 1
        rules = self._view().verification.settings.x5u
        try:
            async with asyncio.timeout(self.timeout):
                fetched = await self._downloader.get(url, rules, LARGEST)
        except TimeoutError:
            return self._failed(url, f"no answer within {self.timeout:g} s")
        except NoRoomError as error:
            return Answer(False, str(error))
        except FetchError as error:
            return self._failed(url, str(error))
        view = self._view()
        now = self._clock.unix_time()
        expires = UnixTime(now + lifetime(fetched.headers))
        outcome = view.certificates.store(url, fetched.body, expires, now, view.verification.anchors)
        if isinstance(outcome, CertificateFailure):
            self.failures += 1
            logger.warning("certificate.refused", extra={"fields": {"url": url, "detail": outcome.detail}})
        elif self._learnt is not None:
            self._learnt(outcome, Stored(url, fetched.body, now, expires))
        return Answer(True)

    def _failed(self, url: str, detail: str) -> Answer:
        self.failures += 1
        logger.warning("certificate.unavailable", extra={"fields": {"url": url, "detail": detail}})
        self._view().certificates.fail(url, detail, UnixTime(self._clock.unix_time() + _FAILURE_KEPT))
        return Answer(False, detail)


def restore(cache: CertificateCache, disk: DiskCache, anchors: TrustAnchors, now: UnixTime) -> None:
    """Fill a cache with what was fetched before the restart, validated again; what is no good any more is removed."""
    for stored in disk.all():
        url, octets, fetched, expires = stored
        current = fetched <= now < expires
        if not current or isinstance(cache.store(url, octets, expires, now, anchors), CertificateFailure):
            cache.forget(url)  # the next call asks the repository: it may have another chain by now
            disk.remove(url)

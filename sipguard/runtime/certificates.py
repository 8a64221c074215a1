"""The x5u fetcher: answers ``CertificateNeed`` by filling the certificate cache (VS-31 to VS-35).

A caller chooses the URL, so the fetch is made with suspicion: only public addresses (unless the operator named the
host), looked up once and connected to as found; one flight per URL however many calls wait; a bounded number of
flights; and a failure is remembered for a while, so that a dead repository costs one attempt and not one per call.
"""

import asyncio
import ipaddress
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from sipguard.errors import StartupError
from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.view import View
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.https import Fetched, FetchError, get
from sipguard.stir.certificate_cache import CertificateFailure
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.x5u import Location, is_public, locate, problem

logger = logging.getLogger(__name__)

LARGEST = 64 * 1024  # octets of a certificate chain
_DEFAULT_LIFETIME = 24 * 3600  # without a usable Cache-Control (VS-32)
_LEAST_LIFETIME = 60
_MOST_LIFETIME = 30 * 24 * 3600
_FAILURE_KEPT = 30
_MOST_FLIGHTS = 64
_MOST_WAITING = 1024
_MOST_ADDRESSES = 3  # tried one after the other within the time limit
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?([0-9]{1,10})\"?(?:$|[,\s])", re.ASCII | re.IGNORECASE)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in IPv6 clothes
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # RFC 6890, and a cloud's metadata service; public to some versions of ipaddress
        "192.88.99.0/24",  # RFC 7526
        "168.63.129.16/32",  # another cloud's
        "64:ff9b:1::/48",  # RFC 8215: NAT64 of the local network
        "fec0::/10",  # RFC 3879
    )
)


class CertificateFetcher:
    """Fetches chains into the cache of the current view. ``fetches`` and ``failures`` count."""

    def __init__(
        self, view: Callable[[], View], addresses: AddressBook, clock: Clock, faults: Faults,
        context: ssl.SSLContext, timeout: float,
    ) -> None:  # fmt: skip
        self.fetches = self.failures = 0
        self.context = context
        self.timeout = timeout  # seconds for one URL, the lookup included
        self._view = view
        self._addresses = addresses
        self._clock = clock
        self._faults = faults
        self._flights: dict[str, asyncio.Task[Answer]] = {}
        self._slots = asyncio.Semaphore(_MOST_FLIGHTS)

    def provide(self, need: CertificateNeed, answer: Callable[[CertificateNeed, Answer], None]) -> Answer | None:
        """Begin to fetch; ``answer`` is called when the cache is filled. An answer at once when there is no room."""
        flight = self._flights.get(need.url)
        if flight is None:
            if len(self._flights) >= _MOST_WAITING:
                return Answer(False, "too many certificates are being fetched")
            flight = asyncio.get_running_loop().create_task(self._fly(need.url))
            self._flights[need.url] = flight
        flight.add_done_callback(lambda done: None if done.cancelled() else answer(need, done.result()))
        return None

    async def close(self) -> None:
        """Give up what is in flight."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    async def _fly(self, url: str) -> Answer:
        try:
            async with self._slots:
                return await self._fetch(url)
        except Exception as error:
            self._faults.bug("certificate", error)
            return Answer(False, "the fetch failed")
        finally:
            del self._flights[url]

    async def _fetch(self, url: str) -> Answer:
        self.fetches += 1
        view = self._view()
        try:
            async with asyncio.timeout(self.timeout):
                fetched = await self._get(url, view)
        except TimeoutError:
            return self._failed(url, f"no answer within {self.timeout:g} s")
        except FetchError as error:
            return self._failed(url, str(error))
        view = self._view()
        now = self._clock.unix_time()
        expires = UnixTime(now + lifetime(fetched.headers))
        outcome = view.certificates.store(url, fetched.body, expires, now, view.verification.anchors)
        if isinstance(outcome, CertificateFailure):
            self.failures += 1
            logger.warning("certificate.refused", extra={"fields": {"url": url, "detail": outcome.detail}})
        return Answer(True)

    async def _get(self, url: str, view: View) -> Fetched:
        """Judge the URL, look its host up, and fetch from the addresses found. Raises FetchError."""
        rules = view.verification.settings.x5u
        location = locate(url)
        refusal = location if isinstance(location, str) else problem(url, rules)
        if refusal is not None or isinstance(location, str):
            raise FetchError(str(refusal))
        found = await self._addresses.find(location.host)
        addresses = found.addresses
        if location.host not in rules.allow_private_hosts:
            addresses = tuple(address for address in addresses if may_connect(address))
        if not addresses:
            raise FetchError("the host has no public address" if found.addresses else "the host has no address")
        return await self._get_from(addresses[:_MOST_ADDRESSES], location)

    async def _get_from(self, addresses: tuple[str, ...], location: Location) -> Fetched:
        failure = FetchError("the host has no address")
        for address in addresses:
            try:
                return await get(address, location.port, location.host, location.path, self.context, LARGEST)
            except FetchError as error:
                failure = error
        raise failure

    def _failed(self, url: str, detail: str) -> Answer:
        self.failures += 1
        logger.warning("certificate.unavailable", extra={"fields": {"url": url, "detail": detail}})
        self._view().certificates.fail(url, detail, UnixTime(self._clock.unix_time() + _FAILURE_KEPT))
        return Answer(False, detail)


def may_connect(address: str) -> bool:
    """Whether a fetch may connect to this address: public, and no private one in disguise."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        translated = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in _NAT64 else None
        embedded = parsed.ipv4_mapped or parsed.sixtofour or translated
        if embedded is not None:
            return may_connect(str(embedded))
    return is_public(parsed) and not any(
        parsed.version == network.version and parsed in network for network in _SPECIAL
    )


def lifetime(headers: Mapping[str, str]) -> int:
    """How many seconds a chain may be kept: max-age within limits, or a day when nothing usable is said (VS-32)."""
    directives = headers.get("cache-control", "")
    said = _MAX_AGE.search(directives)
    if said is None or "no-store" in directives.lower():
        return _DEFAULT_LIFETIME
    age = headers.get("age", "0")
    spent = int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0  # RFC 9111 §4.2.3
    return max(_LEAST_LIFETIME, min(int(said[1]) - spent, _MOST_LIFETIME))


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

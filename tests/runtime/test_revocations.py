"""The keeper of revocation lists against a real HTTPS server on loopback."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from sipguard.policy.view import View
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.clock import Clock
from sipguard.runtime.disk_cache import DiskCache
from sipguard.runtime.download import Downloader, tls_context
from sipguard.runtime.faults import Faults
from sipguard.runtime.revocations import RevocationKeeper
from sipguard.stir.certificate import Credential, load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.revocation import RevocationRegister
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verification import VerificationService, VerificationSettings
from sipguard.stir.x5u import X5uRules
from sipguard.testing.policy_administrator import Revoked, Scope, issue_list, make_administrator
from sipguard.testing.sti_ca import DAY, Issued, Shape, StiCa
from tests.runtime.kit import run
from tests.runtime.repository import Repository, response

NOW = UnixTime(int(time.time()))
CA = StiCa.create(NOW)
ADMINISTRATOR = make_administrator(NOW)
URL = "https://certificates.example.com/leaf.pem"


def pa_list(*revoked: Issued, now: UnixTime = NOW, lifetime: int = DAY) -> bytes:
    """The administrator's list."""
    entries = [Revoked(issued.certificate.serial_number, issued.certificate.issuer) for issued in revoked]
    return issue_list(ADMINISTRATOR, entries, now, lifetime=lifetime, scope=Scope(indirect=True))


class Bench:
    """A keeper, the cache it serves, and a clock that can be moved."""

    def __init__(self, repository: Repository, directory: Path, configured: str | None) -> None:
        self.ahead = 0
        began = time.monotonic()  # lists and certificates are dated when this module is read; so is this clock
        self.clock = Clock(wall=lambda: NOW + time.monotonic() - began + self.ahead)
        self.repository = repository
        self.register = RevocationRegister((ADMINISTRATOR.certificate,), (), configured)
        self.cache = CertificateCache(100, self.register)
        rules = X5uRules(allow_private_hosts=frozenset(("localhost",)))
        service = VerificationService(load_anchors(CA.anchors_pem), VerificationSettings(x5u=rules))
        self.view = SimpleNamespace(verification=service, certificates=self.cache)
        self.faults = Faults(self.clock)
        book = AddressBook(self.clock, asyncio.get_running_loop(), lambda host: ("127.0.0.1",))
        downloader = Downloader(book, tls_context(repository.authorities))
        disk = DiskCache(directory / "lists", 10)
        self.keeper = RevocationKeeper(lambda: cast(View, self.view), downloader, self.clock, self.faults, disk)

    def leaf(self, path: str = "/crl", issuer: bool = True) -> Issued:
        """A certificate that names a list of the repository."""
        name = ADMINISTRATOR.certificate.subject if issuer else None
        return CA.issue(Shape(crl_url=self.repository.url(path), crl_issuer=name))

    def store(self, issued: Issued, url: str = URL) -> Credential:
        """Put a certificate into the cache and tell the keeper."""
        now = self.clock.unix_time()
        outcome = self.cache.store(url, issued.chain_pem, UnixTime(now + DAY), now, self.view.verification.anchors)
        assert isinstance(outcome, Credential)
        self.keeper.learn(outcome)
        return outcome

    def good(self, url: str = URL) -> bool:
        """Whether a call with this certificate would find it good."""
        return isinstance(self.cache.get(url, self.clock.unix_time()), Credential)


@asynccontextmanager
async def bench(directory: Path, configured: str | None = None) -> AsyncIterator[Bench]:
    """A keeper and a repository."""
    async with Repository(directory) as repository:
        made = Bench(repository, directory, configured)
        yield made
        assert made.faults.alarms["bug"] == 0


@pytest.mark.clause("CRT-17", "CRT-18", "CRT-19")
def test_the_list_a_certificate_names_is_fetched_in_the_background(tmp_path: Path) -> None:
    """A call uses what is there; when the list has come the revoked certificate is refused."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            issued = made.leaf()
            made.repository.pages["/crl"] = response(pa_list(issued))
            made.repository.gate.clear()
            keeping = asyncio.create_task(made.keeper.keep())
            made.store(issued)
            while not made.repository.requests:
                assert made.good()
                await asyncio.sleep(0)
            made.repository.gate.set()
            while made.good():
                await asyncio.sleep(0.001)
            keeping.cancel()

    run(main())


@pytest.mark.clause("CRT-19")
def test_a_list_is_kept_until_it_is_about_to_expire(tmp_path: Path) -> None:
    """Not fetched for every certificate, nor at every look; again in the last tenth of its time."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            made.repository.pages["/crl"] = response(pa_list(lifetime=1000))
            for number in range(3):
                made.store(made.leaf(), f"{URL}/{number}")
            for ahead, requests in ((0, 1), (600, 1), (870, 1), (960, 2)):
                made.ahead = ahead
                await made.keeper.refresh()
                assert made.repository.requests["/crl"] == requests, ahead

    run(main())


@pytest.mark.clause("CRT-19")
def test_an_attempt_in_vain_is_repeated_with_growing_pauses(tmp_path: Path) -> None:
    """What we have stays; the repository is asked after one minute, two, four ..."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            made.repository.pages["/crl"] = response(b"", status="503 Later")
            made.store(made.leaf())
            for ahead, requests in ((0, 1), (30, 1), (70, 2), (130, 2), (200, 3), (300, 3), (500, 4)):
                made.ahead = ahead
                await made.keeper.refresh()
                assert made.repository.requests["/crl"] == requests, ahead
            assert made.keeper.failures == 4
            assert made.good()

    run(main())


@pytest.mark.clause("CRT-19")
def test_a_list_that_hangs_keeps_no_other_waiting(tmp_path: Path) -> None:
    """Lists are asked for side by side."""

    async def hang(_path: str, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        async with bench(tmp_path) as made:
            revoked = made.leaf("/good")
            made.repository.pages.update({"/hangs": hang, "/good": response(pa_list(revoked))})
            made.store(made.leaf("/hangs"), f"{URL}/hangs")
            made.store(revoked)
            refreshing = asyncio.create_task(made.keeper.refresh())
            while made.good():
                await asyncio.sleep(0.001)
            refreshing.cancel()

    run(main())


@pytest.mark.clause("CRT-18", "CRT-19")
@pytest.mark.parametrize("page", [b"<html>", b"", issue_list(make_administrator(NOW), [Revoked(1)], NOW)])
def test_a_list_that_must_not_be_used_changes_nothing(tmp_path: Path, page: bytes) -> None:
    """Nonsense, and a list signed by another key under the administrator's name."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            made.repository.pages["/crl"] = response(page)
            made.store(made.leaf())
            await made.keeper.refresh()
            assert made.keeper.failures == 1
            assert made.register.find(made.repository.url("/crl")) is None

    run(main())


@pytest.mark.clause("CRT-19")
def test_what_was_revoked_stays_so_over_a_restart(tmp_path: Path) -> None:
    """The list on disk counts while the repository is down."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            issued = made.leaf()
            made.repository.pages["/crl"] = response(pa_list(issued))
            made.store(issued)
            await made.keeper.refresh()
            assert not made.good()
            again = Bench(made.repository, tmp_path, None)
            made.repository.pages["/crl"] = response(b"", status="503 Later")
            again.store(issued)
            assert again.good()
            await again.keeper.refresh()
            assert not again.good()

    run(main())


@pytest.mark.clause("CRT-17", "CRT-18")
def test_an_authority_signs_the_list_that_its_certificates_name(tmp_path: Path) -> None:
    """Without cRLIssuer the list is the issuer's own: its key is learnt with the certificate."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            issued = made.leaf("/own", issuer=False)
            entry = Revoked(issued.certificate.serial_number)
            made.repository.pages["/own"] = response(issue_list(CA.intermediate, [entry], NOW))
            made.store(issued)
            await made.keeper.refresh()
            assert not made.good()

    run(main())


@pytest.mark.clause("CRT-17")
@pytest.mark.parametrize("remote", [True, False])
def test_one_configured_list_is_used_for_all(tmp_path: Path, remote: bool) -> None:
    """A file or a URL; what certificates name is not asked for. A file that changes is read again."""

    async def main() -> None:
        file = tmp_path / "pa.crl"
        async with Repository(tmp_path) as repository:
            made = Bench(repository, tmp_path, repository.url("/pa") if remote else str(file))
            issued = made.leaf()
            made.store(issued)
            for revoked, moment, made.ahead in (((), NOW - 10, 0), ((issued,), NOW, DAY - 600)):
                octets = pa_list(*revoked, now=UnixTime(moment))
                repository.pages["/pa"] = response(octets)
                file.write_bytes(octets)
                await made.keeper.refresh()
                assert made.good() is not bool(revoked)
            assert set(repository.requests) == ({"/pa"} if remote else set())

    run(main())


@pytest.mark.clause("VS-33")
@pytest.mark.parametrize(
    "url", ["http://localhost/crl", "https://169.254.169.254/crl", "file:///etc/passwd", "ldap:///"]
)
def test_the_rules_on_urls_hold_for_lists_too(tmp_path: Path, url: str) -> None:
    """A certificate names the URL: neither plain http, nor a private address, nor a file is opened."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            made.store(CA.issue(Shape(crl_url=url, crl_issuer=ADMINISTRATOR.certificate.subject)))
            await made.keeper.refresh()
            assert made.keeper.failures == 1
            assert made.register.find(url) is None
            assert not made.repository.requests

    run(main())


@pytest.mark.clause("VS-33")
def test_a_certificate_names_no_file(tmp_path: Path) -> None:
    """Only the operator's own list may be a file, however good the one that a certificate points at."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            file = tmp_path / "crl"
            issued = CA.issue(Shape(crl_url=str(file), crl_issuer=ADMINISTRATOR.certificate.subject))
            file.write_bytes(pa_list(issued))
            made.store(issued)
            await made.keeper.refresh()
            assert made.good()

    run(main())


def test_a_new_register_learns_everything_again(tmp_path: Path) -> None:
    """A reload that changed whom we trust starts from the certificates in its cache."""

    async def main() -> None:
        async with bench(tmp_path) as made:
            issued = made.leaf()
            made.repository.pages["/crl"] = response(pa_list(issued))
            made.store(issued)
            await made.keeper.refresh()
            made.register = RevocationRegister((ADMINISTRATOR.certificate,))
            made.cache = made.view.certificates = CertificateCache(100, made.register)
            outcome = made.cache.store(URL, issued.chain_pem, UnixTime(NOW + DAY), NOW, made.view.verification.anchors)
            assert isinstance(outcome, Credential)
            await made.keeper.refresh()
            assert not made.good()

    run(main())

"""The x5u fetcher against a real HTTPS server on loopback."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.errors import StartupError
from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.view import View
from sipguard.runtime.addresses import NO_ROOM, AddressAnswer, AddressBook
from sipguard.runtime.certificates import CertificateFetcher, restore
from sipguard.runtime.clock import Clock
from sipguard.runtime.disk_cache import DiskCache, Stored
from sipguard.runtime.download import Downloader, tls_context
from sipguard.runtime.faults import Faults
from sipguard.stir.certificate import Credential, load_anchors
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason
from sipguard.stir.verification import VerificationService, VerificationSettings
from sipguard.stir.x5u import X5uRules
from sipguard.testing.sti_ca import StiCa
from tests.runtime.kit import LOOPS, LoopFactory, run
from tests.runtime.repository import Repository, response

NOW = UnixTime(int(time.time()))
CA = StiCa.create(NOW)
LEAF = CA.issue()


class Bench:
    """A fetcher with its cache and a repository."""

    def __init__(
        self, repository: Repository, allowed: frozenset[str], timeout: float, names: dict[str, tuple[str, ...]]
    ) -> None:
        rules = X5uRules(allow_private_hosts=allowed)
        service = VerificationService(load_anchors(CA.anchors_pem), VerificationSettings(x5u=rules))
        clock = Clock()
        self.cache = CertificateCache(100)
        self.faults = Faults(clock)
        self.lookups: list[str] = []
        view = cast(View, SimpleNamespace(verification=service, certificates=self.cache))
        self.book = book = AddressBook(clock, asyncio.get_running_loop(), self.look_up)
        self.names = {"localhost": ("127.0.0.1",), **names}
        self.downloader = Downloader(book, tls_context(repository.authorities))
        self.learnt: list[tuple[Credential, Stored]] = []
        self.fetcher = CertificateFetcher(
            lambda: view, self.downloader, clock, self.faults, timeout, lambda *what: self.learnt.append(what)
        )

    def look_up(self, host: str) -> tuple[str, ...]:
        """The injected resolver."""
        self.lookups.append(host)
        if host not in self.names:
            raise OSError("Name or service not known")
        return self.names[host]

    async def fetch(self, url: str) -> Answer:
        """Ask, and wait for the answer."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        at_once = self.fetcher.provide(CertificateNeed(url), lambda need, answer: answered.set_result(answer))
        return at_once if at_once is not None else await answered

    def known(self, url: str) -> Credential | CertificateFailure | None:
        """What the cache holds."""
        return self.cache.get(url, UnixTime(int(time.time())))


@asynccontextmanager
async def bench(
    directory: Path,
    allowed: frozenset[str] = frozenset(("localhost", "127.0.0.1")),
    timeout: float = 5.0,
    **names: tuple[str, ...],
) -> AsyncIterator[tuple[Bench, Repository]]:
    """A fetcher and a repository that serves a good chain."""
    async with Repository(directory) as repository:
        repository.pages["/leaf.pem"] = response(LEAF.chain_pem, "Content-Type: application/pem-certificate-chain")
        made = Bench(repository, allowed, timeout, names)
        yield made, repository
        await made.fetcher.close()
        assert made.faults.alarms["bug"] == 0


@pytest.mark.clause("VS-35", "RFC 8224 7.2")
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_chain_is_fetched_and_validated_into_the_cache(tmp_path: Path, loop: LoopFactory, host: str) -> None:
    """The answer comes when the cache holds the credential; the server's name is verified, also as an address."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            assert await made.fetch(repository.url(host=host)) == Answer(True)
            assert isinstance(made.known(repository.url(host=host)), Credential)
            assert repository.heads[0].startswith("GET /leaf.pem HTTP/1.1\r\n")
            assert f"host: {host}:{repository.port}\r\n" in repository.heads[0].lower()

    run(main(), loop)


PAGES = {
    "wrong type": response(LEAF.chain_pem, "Content-Type: text/html"),
    "no type": response(LEAF.chain_pem),
    "DER": response(LEAF.certificate.public_bytes(Encoding.DER), "Content-Type: application/pkix-cert"),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(LEAF.chain_pem), LEAF.chain_pem),
    "until the end": b"HTTP/1.0 200 OK\r\n\r\n" + LEAF.chain_pem,
}


@pytest.mark.clause("VS-33")
@pytest.mark.parametrize("name", PAGES)
def test_what_repositories_really_send_is_taken(tmp_path: Path, name: str) -> None:
    """29 % of repositories send a wrong Content-Type: it is not looked at. PEM and DER, any HTTP/1.1 framing."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            repository.pages["/leaf.pem"] = PAGES[name]
            assert await made.fetch(repository.url()) == Answer(True)
            assert isinstance(made.known(repository.url()), Credential if name != "DER" else CertificateFailure)

    run(main())


async def _endless(_path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        writer.write(b"x" * 100_000)
        await writer.drain()


async def _silent(_path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


@pytest.mark.clause("VS-31", "VS-33")
@pytest.mark.parametrize(
    ("page", "detail"),
    [
        (response(b"", "Location: https://localhost/other", status="302 Found"), "the server answered 302"),
        (response(b"", status="404 Not Found"), "the server answered 404"),
        (response(b"", status="500 Oops"), "the server answered 500"),
        (response(b"x" * 65_537), "larger than 65536 octets"),
        (_endless, "larger than 65536 octets"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000, "does not speak HTTP/1.1"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "HTTP/1.1"),
        (b"", "does not speak HTTP/1.1"),
    ],
)
def test_a_fetch_that_fails_is_remembered_for_a_while(tmp_path: Path, page: Any, detail: str) -> None:
    """No redirect is followed, no size is trusted; the failure is an answer and a negative cache entry."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            repository.pages["/leaf.pem"] = page
            answer = await made.fetch(repository.url())
            assert not answer.met
            assert detail in answer.detail
            failure = made.known(repository.url())
            assert isinstance(failure, CertificateFailure)
            assert failure.reason is Reason.CERTIFICATE_UNAVAILABLE
            assert made.cache.get(repository.url(), UnixTime(int(time.time()) + 31)) is None
            assert repository.requests.total() == 1

    run(main())


@pytest.mark.clause("VS-33")
def test_a_silent_server_costs_the_time_limit(tmp_path: Path) -> None:
    """A server that accepts and says nothing is given up on."""

    async def main() -> None:
        async with bench(tmp_path, timeout=0.2) as (made, repository):
            repository.pages["/leaf.pem"] = _silent
            assert await made.fetch(repository.url()) == Answer(False, "no answer within 0.2 s")

    run(main())


def test_a_server_that_cannot_prove_its_name_is_not_believed(tmp_path: Path) -> None:
    """The certificate of the repository names other hosts."""

    async def main() -> None:
        async with bench(tmp_path, frozenset(("other.test",)), **{"other.test": ("127.0.0.1",)}) as (made, repository):
            answer = await made.fetch(repository.url(host="other.test"))
            assert not answer.met
            assert "Hostname mismatch" in answer.detail
            assert not repository.requests

    run(main())


def test_a_server_whose_authority_is_unknown_is_not_believed(tmp_path: Path) -> None:
    """Only the system's and the configured authorities vouch for repositories."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            made.downloader.context = ssl.create_default_context()
            answer = await made.fetch(repository.url())
            assert "the server's certificate" in answer.detail
            assert not repository.requests

    run(main())


def test_a_refused_connection_and_an_unknown_host_are_failures(tmp_path: Path) -> None:
    """Nothing listens; no such name."""

    async def main() -> None:
        async with bench(tmp_path, frozenset(("localhost", "nowhere.test"))) as (made, repository):
            assert (await made.fetch("https://localhost:9/x")).detail.startswith("ConnectionRefusedError")
            assert await made.fetch("https://nowhere.test/x") == Answer(False, "the host has no address")
            assert not repository.requests

    run(main())


def test_a_chain_that_does_not_validate_is_an_answer_too(tmp_path: Path) -> None:
    """What was fetched and refused is in the cache as a failure with its reason."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            repository.pages["/leaf.pem"] = response(StiCa.create(NOW).issue().chain_pem)
            assert await made.fetch(repository.url()) == Answer(True)
            failure = made.known(repository.url())
            assert isinstance(failure, CertificateFailure)
            assert failure.reason is Reason.CERTIFICATE_UNTRUSTED

    run(main())


@pytest.mark.clause("VS-34")
def test_a_hundred_callers_cost_one_fetch(tmp_path: Path) -> None:
    """Everybody who waits for one URL is answered by one request."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            repository.gate.clear()
            asked = [asyncio.create_task(made.fetch(repository.url())) for _ in range(100)]
            while not repository.requests:
                await asyncio.sleep(0)
            repository.gate.set()
            assert set(await asyncio.gather(*asked)) == {Answer(True)}
            assert repository.requests.total() == 1

    run(main())


@pytest.mark.clause("VS-33", "VS-34")
def test_a_repository_that_hangs_delays_nobody_else(tmp_path: Path) -> None:
    """Two hundred calls for URLs of a dead host: other hosts are fetched from, and warm calls verified, at once."""

    async def main() -> None:
        async with bench(tmp_path, frozenset(("hangs.test", "localhost")), timeout=60.0) as (made, repository):
            assert await made.fetch(repository.url()) == Answer(True)
            hanging, release = asyncio.Event(), asyncio.Event()

            async def hang(host: str) -> AddressAnswer:
                if host == "localhost":
                    return AddressAnswer(("127.0.0.1",))
                hanging.set()
                await release.wait()
                return AddressAnswer(())

            made.book.find = hang  # type: ignore[method-assign]
            asked = [asyncio.create_task(made.fetch(f"https://hangs.test/{number}")) for number in range(200)]
            await hanging.wait()
            start = time.perf_counter()
            for _ in range(200):
                assert isinstance(made.known(repository.url()), Credential)
            assert time.perf_counter() - start < 0.1
            repository.pages["/other.pem"] = response(LEAF.chain_pem)
            assert await asyncio.wait_for(made.fetch(repository.url("/other.pem")), 5) == Answer(True)
            refused = [task.result() for task in asked if task.done()]
            assert refused == [Answer(False, "too many certificates are being fetched")] * (200 - 4 - 128)
            assert made.fetcher.fetches == 4 + 2
            for task in asked:
                task.cancel()

    run(main())


@pytest.mark.clause("VS-33")
def test_without_room_for_a_lookup_nothing_is_held_against_the_url(tmp_path: Path) -> None:
    """The failure is ours: the next call tries again."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):

            async def crowded(host: str) -> AddressAnswer:
                return AddressAnswer((), NO_ROOM)

            made.book.find = crowded  # type: ignore[method-assign]
            assert await made.fetch(repository.url()) == Answer(False, NO_ROOM)
            assert made.known(repository.url()) is None

    run(main())


async def _drip(_path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.clause("VS-33")
def test_a_server_that_drips_costs_the_time_limit(tmp_path: Path) -> None:
    """An octet now and then keeps nobody waiting: the limit is on the whole."""

    async def main() -> None:
        async with bench(tmp_path, timeout=0.3) as (made, repository):
            repository.pages["/leaf.pem"] = _drip
            start = time.monotonic()
            assert await made.fetch(repository.url()) == Answer(False, "no answer within 0.3 s")
            assert time.monotonic() - start < 2

    run(main())


@pytest.mark.clause("VS-32")
def test_what_is_used_is_fetched_again_before_it_expires(tmp_path: Path) -> None:
    """In the last tenth of its time, once it was used; its calls find it all the while."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            url = repository.url()
            now = int(time.time())
            made.cache.store(url, LEAF.chain_pem, UnixTime(now + 50), UnixTime(now - 900), load_anchors(CA.anchors_pem))
            made.fetcher.refresh()
            assert made.fetcher.fetches == 0
            assert isinstance(made.known(url), Credential)
            made.fetcher.refresh()
            while not made.learnt:
                assert isinstance(made.known(url), Credential)
                await asyncio.sleep(0)
            assert repository.requests.total() == 1
            assert made.cache.due(UnixTime(now + 60)) == []
            assert isinstance(made.cache.get(url, UnixTime(now + 3600)), Credential)

    run(main())


@pytest.mark.clause("VS-32")
def test_a_repository_that_is_down_takes_no_credential_away(tmp_path: Path) -> None:
    """A refresh in vain leaves what is known until it expires."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            assert await made.fetch(repository.url()) == Answer(True)
            repository.pages["/leaf.pem"] = response(b"", status="503 Later")
            assert not (await made.fetch(repository.url())).met
            repository.pages["/leaf.pem"] = response(b"<html>")
            assert await made.fetch(repository.url()) == Answer(True)
            assert isinstance(made.known(repository.url()), Credential)

    run(main())


@pytest.mark.clause("VS-32", "VS-35")
def test_what_was_fetched_survives_a_restart(tmp_path: Path) -> None:
    """A new cache is filled from disk, validated again; what is expired or no longer trusted is removed."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            repository.pages["/short.pem"] = response(LEAF.chain_pem, "Cache-Control: max-age=60")
            for path in ("/leaf.pem", "/short.pem"):
                assert await made.fetch(repository.url(path)) == Answer(True)
            disk = DiskCache(tmp_path / "chains", 10)
            for _, stored in made.learnt:
                disk.put(stored)
            again, soon = CertificateCache(10), UnixTime(int(time.time()) + 120)
            restore(again, DiskCache(tmp_path / "chains", 10), load_anchors(CA.anchors_pem), soon)
            assert isinstance(again.get(repository.url(), soon), Credential)
            assert again.get(repository.url("/short.pem"), soon) is None
            stranger = load_anchors(StiCa.create(NOW).anchors_pem)
            restore(CertificateCache(10), DiskCache(tmp_path / "chains", 10), stranger, soon)
            assert list(DiskCache(tmp_path / "chains", 10).all()) == []

    run(main())


PRIVATE = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::",
    "fe80::1", "fe80::1%2", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "192.0.0.1", "168.63.129.16", "192.88.99.1",
    "::ffff:192.0.0.192", "64:ff9b::c000:c0", "64:ff9b:1::808:808", "fec0::1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::",
    "2001:0:0:0:0:0:80ff:fffe",
]  # fmt: skip


@pytest.mark.clause("VS-33")
@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_inside_is_not_fetched(tmp_path: Path, address: str) -> None:
    """A public-looking name with a private address: no connection is made."""

    async def main() -> None:
        async with bench(tmp_path, **{"certificates.example.com": (address,)}) as (made, repository):
            answer = await made.fetch("https://certificates.example.com/leaf.pem")
            assert answer == Answer(False, "the host has no public address")
            assert not repository.requests

    run(main())


@pytest.mark.clause("VS-33")
@pytest.mark.parametrize(("first", "met"), [(("127.0.0.1",), True), (("127.0.0.2",), False)])
def test_a_name_that_changes_its_mind_is_asked_once(tmp_path: Path, first: tuple[str, ...], met: bool) -> None:
    """DNS rebinding: the address that was judged is the one connected to, whatever the name says a moment later."""

    async def main() -> None:
        async with bench(tmp_path, frozenset(("rebind.test", "localhost"))) as (made, repository):
            made.names["localhost"] = first
            url = repository.url()
            answering = asyncio.create_task(made.fetch(url))
            while not made.lookups:
                await asyncio.sleep(0)
            made.names["localhost"] = ("127.0.0.2",) if met else ("127.0.0.1",)
            assert (await answering).met is met
            assert made.lookups == ["localhost"]
            assert repository.requests.total() == int(met)

    run(main())


@pytest.mark.clause("VS-33")
def test_private_addresses_among_public_ones_are_left_out(tmp_path: Path) -> None:
    """A name with a private address beside others is judged address by address."""

    async def main() -> None:
        async with bench(tmp_path, **{"mixed.example.com": ("10.0.0.1", "127.0.0.1", "::1")}) as (made, _):
            answer = await made.fetch("https://mixed.example.com:8443/leaf.pem")
            assert answer == Answer(False, "the host has no public address")

    run(main())


@pytest.mark.clause("VS-31", "VS-33")
@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/leaf.pem", "https://169.254.169.254/latest/meta-data", "https://[::1]/x", "https://10.0.0.1/",
        "https://user@certificates.example.com/x", "https://certificates.example.com/x?y", "file:///etc/passwd", "",
        "https://certificates.example.com:22/x", "https://2130706433/x", "https://certificates.example.com/x#y",
        "https://[::ffff:127.0.0.1]/x", "https://metadata.internal/x", "https://localhost.\r\nHost: x/", "\0",
    ],
)  # fmt: skip
def test_a_url_that_must_not_be_fetched_is_not_even_looked_up(tmp_path: Path, url: str) -> None:
    """Whatever reaches the fetcher, the rules on URLs hold once more."""

    async def main() -> None:
        async with bench(tmp_path, frozenset()) as (made, repository):
            assert not (await made.fetch(url)).met
            assert made.lookups == []
            assert not repository.requests

    run(main())


def test_an_unreadable_authority_file_is_one_clear_line(tmp_path: Path) -> None:
    """Missing, or not certificates."""
    (tmp_path / "bad.pem").write_text("nothing")
    for name in ("bad.pem", "missing.pem"):
        with pytest.raises(StartupError, match=name):
            tls_context(tmp_path / name)


def test_closing_gives_up_what_is_in_flight(tmp_path: Path) -> None:
    """No task outlives the fetcher."""

    async def main() -> None:
        async with bench(tmp_path) as (made, repository):
            repository.gate.clear()
            task = asyncio.create_task(made.fetch(repository.url()))
            while not repository.requests:
                await asyncio.sleep(0)
            await made.fetcher.close()
            task.cancel()

    run(main())

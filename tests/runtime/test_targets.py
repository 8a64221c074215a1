"""Names to servers, against a real name server on loopback: cached by time to live, bounded, never in the way."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sipguard.config.address import SocketAddress
from sipguard.policy.need import Server, TargetAnswer, TargetNeed
from sipguard.runtime.clock import Clock
from sipguard.runtime.dns_client import Resolver
from sipguard.runtime.hosts_file import HostsFile
from sipguard.runtime.targets import TargetBook
from tests.runtime.kit import run
from tests.runtime.name_server import NameServer

REACH = frozenset((("udp", False), ("tcp", False)))
NAME = TargetNeed("carrier.test")


class Rig:
    """A target book in front of a name server, on a clock moved by hand."""

    def __init__(self, server: NameServer, timeout: float, hosts: Path) -> None:
        self.server = server
        self.now = 0.0
        self.answers: list[tuple[TargetNeed, TargetAnswer]] = []
        client = Resolver([SocketAddress("127.0.0.1", server.port)], timeout / 2)
        clock = Clock(lambda: self.now)
        self.book = TargetBook(client, HostsFile(hosts), REACH, lambda: 0.0, clock, timeout)

    async def find(self, need: TargetNeed = NAME) -> TargetAnswer:
        """The answer, however it comes."""
        heard: asyncio.Future[TargetAnswer] = asyncio.get_running_loop().create_future()
        at_once = self.book.provide(need, lambda _, answer: heard.set_result(answer))
        return at_once if at_once is not None else await heard


def against(test: Callable[[Rig], Awaitable[None]], timeout: float = 5.0, hosts: Path = Path("no such file")) -> None:
    """Run a test with a name server."""

    async def main() -> None:
        server = NameServer()
        await server.start()
        rig = Rig(server, timeout, hosts)
        try:
            await test(rig)
        finally:
            await rig.book.close()
            server.stop()

    run(main())


@pytest.mark.clause("FRK-10", "RFC 3263 4.1")
def test_naptr_srv_and_address() -> None:
    """The whole way: NAPTR names the transports in order, SRV the hosts and ports, A the addresses."""

    async def test(rig: Rig) -> None:
        server = rig.server
        server.add(
            "carrier.test", "NAPTR",
            '20 10 "s" "SIP+D2U" "" _sip._udp.carrier.test.', '10 10 "s" "SIP+D2T" "" _sip._tcp.edge.test.',
            '5 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.test.', '5 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
        )  # fmt: skip
        server.add("_sip._tcp.edge.test", "SRV", "0 0 5070 t.test.")
        server.add("_sip._udp.carrier.test", "SRV", "0 0 5080 u.test.")
        server.add("t.test", "A", "192.0.2.1", "192.0.2.2")
        server.add("u.test", "A", "192.0.2.3")
        found = (await rig.find()).servers
        assert set(found[:2]) == {Server("tcp", "192.0.2.1", 5070), Server("tcp", "192.0.2.2", 5070)}
        assert found[2:] == (Server("udp", "192.0.2.3", 5080),)
        assert ("t.test", "AAAA") not in server.asked  # no IPv6 listener could use it

    against(test)


@pytest.mark.clause("FRK-10", "RFC 3263 4.2")
@pytest.mark.parametrize(
    ("need", "server", "asked"),
    [
        (TargetNeed("carrier.test", 5090), ("udp", 5090), {"A"}),
        (TargetNeed("carrier.test", 5090, "tcp"), ("tcp", 5090), {"A"}),
        (TargetNeed("carrier.test", None, "tcp"), ("tcp", 5060), {"SRV", "A"}),
        (TargetNeed("carrier.test"), ("udp", 5060), {"NAPTR", "SRV", "A"}),
    ],
)
def test_what_the_uri_says_is_not_asked_for(need: TargetNeed, server: tuple[str, int], asked: set[str]) -> None:
    """A port means no SRV, a transport no NAPTR; without any record there are UDP and 5060."""

    async def test(rig: Rig) -> None:
        rig.server.add("carrier.test", "A", "192.0.2.9")
        transport, port = server
        assert (await rig.find(need)).servers == (Server(transport, "192.0.2.9", port),)
        assert {kind for _, kind in rig.server.asked} == asked

    against(test)


@pytest.mark.clause("FRK-18", "RFC 2308")
def test_records_live_as_long_as_they_say() -> None:
    """Nobody is asked again within the time to live; after it the new address counts. So with absence."""

    async def test(rig: Rig) -> None:
        need = TargetNeed("carrier.test", 5060)
        rig.server.add("carrier.test", "A", "192.0.2.1", ttl=20)
        rig.server.absence = 40
        assert (await rig.find(need)).servers == (Server("udp", "192.0.2.1", 5060),)
        assert (await rig.find(TargetNeed("nobody.test", 5060))).servers == ()
        rig.server.add("carrier.test", "A", "192.0.2.2", ttl=20)
        rig.server.add("nobody.test", "A", "192.0.2.7")
        rig.now = 19.0
        assert (await rig.find(need)).servers == (Server("udp", "192.0.2.1", 5060),)
        assert len(rig.server.asked) == 2
        rig.now = 21.0
        assert (await rig.find(need)).servers == (Server("udp", "192.0.2.2", 5060),)
        assert (await rig.find(TargetNeed("nobody.test", 5060))).servers == ()
        rig.now = 41.0
        assert (await rig.find(TargetNeed("nobody.test", 5060))).servers != ()

    against(test)


@pytest.mark.clause("FRK-18")
def test_a_dead_name_server_delays_only_who_asks_it() -> None:
    """While one name hangs another is answered; the wait for the dead one is bounded, and the next call has none."""

    async def test(rig: Rig) -> None:
        rig.server.silent |= {"dead.test", "_sip._udp.dead.test", "_sip._tcp.dead.test"}
        rig.server.add("carrier.test", "A", "192.0.2.1")
        loop = asyncio.get_running_loop()
        dead = asyncio.create_task(rig.find(TargetNeed("dead.test")))
        began = loop.time()
        assert (await rig.find()).servers
        assert not dead.done()
        answer = await dead
        assert loop.time() - began < 3
        assert (answer.servers, answer.detail) == ((), "DNS did not answer within 1 s")
        assert rig.book.provide(TargetNeed("dead.test"), lambda need, later: None) == answer

    against(test, timeout=1.0)


@pytest.mark.clause("FRK-18", "RFC 8767")
def test_old_records_serve_while_dns_fails() -> None:
    """Records whose time is over go on when the name server fails; without any the failure is kept a few seconds."""

    async def test(rig: Rig) -> None:
        rig.server.add("carrier.test", "A", "192.0.2.1", ttl=20)
        need = TargetNeed("carrier.test", 5060)
        first = await rig.find(need)
        rig.now = 30.0
        rig.server.broken |= {"carrier.test", "other.test"}
        assert await rig.find(need) == first
        assert (await rig.find(TargetNeed("other.test", 5060))).servers == ()
        asked = len(rig.server.asked)
        rig.now = 34.0
        assert (await rig.find(TargetNeed("other.test", 5060))).servers == ()
        assert len(rig.server.asked) == asked
        assert rig.book.failures == 2

    against(test)


@pytest.mark.clause("FRK-18")
def test_equal_questions_are_one() -> None:
    """However many calls wait for a name, DNS hears it once."""

    async def test(rig: Rig) -> None:
        rig.server.add("carrier.test", "A", "192.0.2.1")
        answers = await asyncio.gather(*(rig.find(TargetNeed("carrier.test", 5060)) for _ in range(50)))
        assert len(set(answers)) == 1
        assert rig.server.asked == [("carrier.test", "A")]

    against(test)


@pytest.mark.clause("FRK-18")
def test_lookups_at_once_are_bounded() -> None:
    """A flood of names is refused, not stored."""

    async def test(rig: Rig) -> None:
        refused = [rig.book.provide(TargetNeed(f"n{number}.test"), lambda need, answer: None) for number in range(300)]
        assert refused.count(TargetAnswer((), "too many lookups")) == 300 - 256

    against(test)


@pytest.mark.parametrize("host", ["", "x" * 300, "bücher.test", "a\0.test", "a..test", "x" * 64 + ".test"])
def test_what_is_no_host_name_has_no_server(host: str) -> None:
    """Text that cannot be a name is an answer like any other."""

    async def test(rig: Rig) -> None:
        assert (await rig.find(TargetNeed(host))).servers == ()
        assert rig.server.asked == []

    against(test)


def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    """A name of the hosts file needs no name server; a change to the file is noticed."""
    hosts = tmp_path / "hosts"
    hosts.write_text("# names\n192.0.2.5 pbx.test Pbx # ours\n2001:db8::5 pbx.test\nnonsense pbx.test\n")

    async def test(rig: Rig) -> None:
        assert (await rig.find(TargetNeed("pbx.test"))).servers == (Server("udp", "192.0.2.5", 5060),)
        assert (await rig.find(TargetNeed("PBX"))).servers == (Server("udp", "192.0.2.5", 5060),)
        assert rig.server.asked == []

    against(test, hosts=hosts)


def test_a_machine_without_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server configured anywhere: every name is an answer that says so."""
    import dns.resolver

    def none(*_: object, **__: object) -> None:
        raise dns.resolver.NoResolverConfiguration("no nameservers")

    async def main() -> None:
        monkeypatch.setattr("dns.asyncresolver.Resolver", none)
        book = TargetBook(Resolver((), 1.0), HostsFile(Path("none")), REACH, lambda: 0.0, Clock(), 1.0)
        heard: asyncio.Future[TargetAnswer] = asyncio.get_running_loop().create_future()
        book.provide(NAME, lambda need, answer: heard.set_result(answer))
        assert (await heard).servers == ()

    run(main())

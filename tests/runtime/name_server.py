"""A name server on loopback: a real one, of a few lines, with a zone a test writes down."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "test. {} IN SOA ns.test. admin.test. 1 3600 600 86400 {}"


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP from ``zone``: (name, kind) to (time to live, records as master files write them).

    ``silent`` holds names that get no answer, ``broken`` those answered SERVFAIL. ``asked`` is what was asked.
    """

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.absence = 60
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = transport.get_extra_info("sockname")[1]

    def stop(self) -> None:
        """Free the port."""
        if self._transport is not None:
            self._transport.close()

    def add(self, name: str, kind: str, *records: str, ttl: int = 300) -> None:
        """Write a record set into the zone."""
        self.zone[name, kind] = (ttl, list(records))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """A query."""
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent or self._transport is None:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in self.zone:
            ttl, records = self.zone[name, kind]
            response.answer.append(dns.rrset.from_text_list(question.name, ttl, "IN", kind, records))
        else:
            if not any(known == name for known, _ in self.zone):
                response.set_rcode(dns.rcode.NXDOMAIN)
            authority = SOA.format(self.absence, self.absence).split(" ", 4)
            response.authority.append(
                dns.rrset.from_text_list(dns.name.from_text("test."), self.absence, "IN", "SOA", [authority[4]])
            )
        self._transport.sendto(response.to_wire(), address)


@contextlib.contextmanager
def name_server() -> Iterator[NameServer]:
    """A name server in a thread of its own, for tests of other processes."""
    loop = asyncio.new_event_loop()
    server = NameServer()
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(server.stop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

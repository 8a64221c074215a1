"""Asking DNS, on the loop: one question, its records and how long they may be kept (RFC 2308 for what is not there)."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from sipguard.config.address import SocketAddress
from sipguard.runtime.resolution import Naptr, Question, Record, Srv


class Reply(NamedTuple):
    """The records of one set, maybe none, and their time to live in seconds."""

    records: tuple[Record, ...]
    lifetime: float


class DnsError(Exception):
    """DNS did not say: no server answered, or one refused."""


class DnsClient(Protocol):
    """What answers questions."""

    async def ask(self, question: Question) -> Reply:
        """The records of a set. Raises DnsError."""


class Resolver:
    """A stub resolver. ``servers`` empty: those of the system. ``timeout``: seconds for one question, all servers."""

    def __init__(self, servers: Sequence[SocketAddress], timeout: float) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._problem = ""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration as error:
            self._problem = str(error)
            return
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._resolver.timeout = timeout / 3  # a silent server leaves time for the next one
        self._resolver.lifetime = timeout

    async def ask(self, question: Question) -> Reply:
        """The records of a set. Raises DnsError."""
        if self._resolver is None:
            raise DnsError(self._problem)
        try:
            name = dns.name.from_text(question.name, None if "." not in question.name else dns.name.root)
            answer = await self._resolver.resolve(name, question.kind, raise_on_no_answer=False, search=True)
        except dns.resolver.NXDOMAIN as error:
            return Reply((), _absence(error))
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise DnsError(str(error) or type(error).__name__) from error
        records = tuple(_record(entry) for entry in answer.rrset or ())
        return Reply(records, float(answer.chaining_result.minimum_ttl))


def _absence(error: dns.resolver.NXDOMAIN) -> float:
    """How long a name that does not exist stays so: what the zone's SOA says."""
    responses: Any = error.kwargs["responses"].values()
    return float(min((response.resolve_chaining().minimum_ttl for response in responses), default=0))


def _record(entry: Any) -> Record:
    kind = type(entry).__name__
    if kind == "NAPTR":
        replacement = entry.replacement.to_text(omit_final_dot=True)
        return Naptr(
            entry.order, entry.preference, entry.flags.decode("latin-1"), entry.service.decode("latin-1"), replacement
        )
    if kind == "SRV":
        return Srv(entry.priority, entry.weight, entry.port, entry.target.to_text(omit_final_dot=True))
    return str(entry.address)

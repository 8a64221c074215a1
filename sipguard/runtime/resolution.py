"""From a name to servers: RFC 3263 §4 with the SRV order of RFC 2782, as a function of the records that are known.

Nothing is asked for here. A record set that is not known yet is left in ``missing``; whoever resolves fetches those
and starts anew. So the order among servers of one priority is drawn for every request, however long records are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from sipguard.policy.need import Server, TargetNeed
from sipguard.sip.host import is_address

_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV_LABELS = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
_MOST_SERVERS = 32
_UNAVAILABLE = "."
_T = TypeVar("_T")


class Question(NamedTuple):
    """One record set: a name without its final dot, and NAPTR, SRV, A or AAAA."""

    name: str
    kind: str


class Naptr(NamedTuple):
    """One NAPTR record (RFC 2915), as far as RFC 3263 needs it; order and preference come first for sorting."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """One SRV record (RFC 2782); the target is "." when there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
Known = Callable[[Question], Sequence[Record] | None]  # None: not known yet; empty: known not to exist


class Resolution:
    """One attempt to resolve a need.

    ``reach`` holds the (transport, whether IPv6) that listeners can send by: what none can reach is neither asked for
    nor answered. ``random`` gives numbers from 0 up to 1. ``servers`` is the answer once ``missing`` is empty, and
    ``detail`` says why there are none.
    """

    def __init__(
        self, need: TargetNeed, reach: frozenset[tuple[str, bool]], known: Known, random: Callable[[], float]
    ) -> None:
        self.missing: list[Question] = []
        self.detail = ""
        self._reach = reach
        self._known = known
        self._random = random
        found = self._locate(need)
        self.servers = () if self.missing else tuple(dict.fromkeys(found))[:_MOST_SERVERS]
        if not self.servers and not self.detail:
            self.detail = "the name has no address"

    def _locate(self, need: TargetNeed) -> list[Server]:
        """Transport and port by what the URI says, then by NAPTR, then by SRV (§4.1, §4.2)."""
        transport = need.transport
        if need.sips:
            if transport == "udp":
                self.detail = "a SIPS URI cannot go over UDP"
                return []
            transport = "tls" if transport or need.port else None
        fallback = transport or ("tls" if need.sips else "udp")
        if need.port is not None:
            return self._hosts(need.host, fallback, need.port)
        services = [(transport, f"{_SRV_LABELS.get(transport, '')}.{need.host}")] if transport else self._services(need)
        if services is None or self.missing:
            return []
        listed = [(by, self._records(Question(name, "SRV"), Srv)) for by, name in services]
        if self.missing:
            return []
        if not any(records for _, records in listed):
            return self._hosts(need.host, fallback, 5061 if fallback == "tls" else 5060)
        return [
            server for by, records in listed for record in self._ordered(records) for server in self._at(record, by)
        ]

    def _services(self, need: TargetNeed) -> list[tuple[str, str]] | None:
        """(transport, SRV name) in the order of preference; None when the name offers SIP only in ways we cannot."""
        records = self._records(Question(need.host, "NAPTR"), Naptr)
        offered = [record for record in sorted(records) if record.service.upper() in _SERVICES]
        offered = [record for record in offered if record.flags.lower() == "s"]
        if not offered:
            return [(by, f"{label}.{need.host}") for by, label in _SRV_LABELS.items() if self._usable(by, need.sips)]
        usable = [(_SERVICES[record.service.upper()], record.replacement) for record in offered]
        usable = [(by, name) for by, name in usable if self._usable(by, need.sips)]
        if not usable:
            self.detail = "no transport in common"
            return None
        return usable

    def _usable(self, transport: str, sips: bool) -> bool:
        """Whether some listener sends by it, and a SIPS URI may use it (FRK-15)."""
        return (transport == "tls" or not sips) and (
            (transport, False) in self._reach or (transport, True) in self._reach
        )

    def _at(self, record: Srv, transport: str) -> list[Server]:
        if record.target == _UNAVAILABLE:
            self.detail = "the service is not available at this name"
            return []
        return self._hosts(record.target, transport, record.port)

    def _hosts(self, host: str, transport: str, port: int) -> list[Server]:
        """The addresses of a host, IPv4 first: a dead IPv6 path, the usual case, then stalls no call (RFC 7984)."""
        if is_address(host):
            return [Server(transport, host, port)]
        addresses: list[str] = []
        for ipv6, kind in ((False, "A"), (True, "AAAA")):
            if (transport, ipv6) in self._reach:
                addresses += self._records(Question(host, kind), str)
        return [Server(transport, address, port) for address in addresses]

    def _records(self, question: Question, kind: type[_T]) -> list[_T]:
        known = self._known(question)
        if known is None:
            self.missing.append(question)
            return []
        return [record for record in known if isinstance(record, kind)]

    def _ordered(self, records: Iterable[Srv]) -> list[Srv]:
        """By priority; within one, drawn by weight (RFC 2782, "Weight")."""
        ordered: list[Srv] = []
        by_priority: dict[int, list[Srv]] = {}
        for record in sorted(records):  # those of weight 0 first, as the RFC has it
            by_priority.setdefault(record.priority, []).append(record)
        for priority in sorted(by_priority):
            left = by_priority[priority]
            while left:
                ordered.append(left.pop(self._drawn(left)))
        return ordered

    def _drawn(self, records: list[Srv]) -> int:
        """The first whose running sum of weights reaches a number drawn from 0 to the sum of all."""
        number = int(self._random() * (sum(record.weight for record in records) + 1))
        total = 0
        for index, record in enumerate(records):
            total += record.weight
            if total >= number:
                return index
        return 0

"""The directory: every look-up the hot path makes, frozen. The registry builds one; a reload swaps it.

Who sends from this address, who may present this number, which numbers must never originate, where a called number
lives. All keys are canonical telephone numbers (RFC 8224 §8.3) or names from the registry.
"""

import ipaddress
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace

from sipguard.policy.account import Account
from sipguard.policy.compiled import Rights
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight, RightKind
from sipguard.policy.trunk import Side, TrafficClass, Trunk
from sipguard.sip.flow import Flow
from sipguard.sip.host import is_address
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

_REMEMBERED = 65_536  # addresses


@dataclass(frozen=True, slots=True)
class Credential:
    """One user name of a customer trunk, with what its password becomes under one algorithm in one realm."""

    trunk: str
    username: str
    realm: str
    algorithm: str  # one of sip.digest.ALGORITHMS
    secret: str = field(repr=False)  # H(A1), as good as the password in that realm


class Directory:
    """The frozen look-ups. Build it once with everything; it never changes.

    ``stale`` is whether the registry could not be read for too long.
    """

    def __init__(
        self,
        *,
        revision: int = 0,
        accounts: Iterable[Account] = (),
        trunks: Iterable[Trunk] = (),
        numbers: NumberBook | None = None,
        credentials: Iterable[Credential] = (),
    ) -> None:
        """``revision`` is the number of the last change that is in it."""
        self.stale = False
        self.revision = revision
        self.accounts = {account.name: account for account in accounts}
        self.trunks = {trunk.name: trunk for trunk in trunks}
        self.numbers = numbers or NumberBook()
        self._by_address: dict[str, Trunk] = {}
        self._by_network: dict[str, Trunk | None] = {}  # addresses already looked for in the networks
        self._networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, Trunk]] = []
        self._by_name: dict[str, Trunk] = {}
        self._names_at: dict[str, tuple[str, ...]] = {}
        for trunk in self.trunks.values():
            if trunk.tls_names:
                self._add_named(trunk)
                continue
            for source in trunk.sources:
                network = ipaddress.ip_network(source, strict=False)
                if network.num_addresses == 1:
                    self._by_address.setdefault(str(network.network_address), trunk)
                else:
                    self._networks.append((network, trunk))
        self._networks.sort(key=lambda entry: entry[0].prefixlen, reverse=True)
        self._credentials = {(item.realm, item.algorithm, item.username): item for item in credentials}
        self.asks_credentials = any(trunk.digest for trunk in self.trunks.values())
        self.has_passwords = False
        self._carriers: dict[str, Trunk] = {}  # by the hosts of their targets, those where we have a password
        for trunk in self.trunks.values():
            if trunk.username is not None:
                self.has_passwords = True
                for target in trunk.targets:
                    self._carriers.setdefault(target.host, trunk)
        self.controlled = frozenset(  # addresses of those who may tell how much they want
            host
            for trunk in self.trunks.values()
            if trunk.overload_control
            for host in (*trunk.sources, *(target.host for target in trunk.targets))
        )
        self.target_hosts = frozenset(target.host for trunk in self.trunks.values() for target in trunk.targets)
        self._egress = {
            traffic_class: tuple(
                trunk
                for trunk in self.trunks.values()
                if trunk.side is Side.NETWORK and trunk.targets and traffic_class in trunk.classes
            )
            for traffic_class in TrafficClass
        }

    def aged(self) -> "Directory":
        """The same, marked as too old to rely on."""
        aged = copy(self)
        aged.stale = True
        return aged

    def _add_named(self, trunk: Trunk) -> None:
        for name in trunk.tls_names:
            self._by_name.setdefault(name, trunk)
        for host in (*trunk.sources, *(target.host for target in trunk.targets)):
            self._names_at.setdefault(host, trunk.tls_names)

    def trunk_of(self, flow: Flow) -> Trunk | None:
        """The trunk behind a flow: by what its certificate proved (RFC 5922 §7.4), else by its address.

        A trunk with names *and* sources must come with one of the names, from one of the sources.
        """
        for name in flow.names:
            trunk = self._by_name.get(name)
            if trunk is not None and (not trunk.sources or _holds(trunk.sources, flow.host)):
                return trunk
        return self.trunk_at(flow.host)

    def assuming(self, name: str, address: str) -> "Directory":
        """The same directory, but what comes from this address is that trunk's, and it need not prove it."""
        trunk = replace(self.trunks[name], digest=False)
        other = copy(self)
        other.trunks = self.trunks | {name: trunk}
        other._by_address = self._by_address | {address: trunk}
        other._by_name = {}
        return other

    def credential(self, realm: str, algorithm: str | None, username: str) -> Credential | None:
        """What a user of a realm proves itself by, under this algorithm."""
        return self._credentials.get((realm, algorithm or "", username))

    @property
    def credentials(self) -> Iterable[Credential]:
        """All of them."""
        return self._credentials.values()

    def admits(self, name: str, found: Trunk | None) -> Trunk | None:
        """The trunk that credentials are of, when its requests may come from where the trunk ``found`` is, or nobody.

        A trunk with addresses or certificate names must also come from, or with, one of those.
        """
        trunk = self.trunks.get(name)
        if trunk is None or not trunk.digest:
            return None
        return trunk if found is trunk or (found is None and not trunk.sources and not trunk.tls_names) else None

    def carrier_at(self, host: str) -> Trunk | None:
        """The trunk whose carrier is there and gets our credentials: at one of its targets, else by its sources."""
        trunk = self._carriers.get(host)
        if trunk is None and is_address(host):
            trunk = self.trunk_at(host)
        return trunk if trunk is not None and trunk.username is not None else None

    def trunk_named(self, names: Iterable[str]) -> Trunk | None:
        """The trunk that one of these names is of."""
        return next((self._by_name[name] for name in names if name in self._by_name), None)

    def names_at(self, host: str) -> tuple[str, ...]:
        """What a neighbour at this address must prove to be; nothing when no trunk with names is known there."""
        return self._names_at.get(host, ())

    def trunk_at(self, host: str) -> Trunk | None:
        """The trunk whose sources hold this address: an exact address first, then the longest prefix.

        A trunk that is known by its certificate is never known by its address alone.
        """
        trunk = self._by_address.get(host)
        if trunk is not None or not self._networks:
            return trunk
        if host not in self._by_network:
            if len(self._by_network) >= _REMEMBERED:
                self._by_network.clear()
            self._by_network[host] = self._network_at(host)
        return self._by_network[host]

    def _network_at(self, host: str) -> Trunk | None:
        address = ipaddress.ip_address(host)
        for network, candidate in self._networks:
            if address.version == network.version and address in network:
                return candidate
        return None

    def account(self, name: str) -> Account | None:
        """The account of this name."""
        return self.accounts.get(name)

    def right(self, tn: TN, account: str, now: UnixTime) -> NumberRight | None:
        """The unexpired right of ``account`` to present ``tn``; a right held by an ancestor on its path counts."""
        rights = self.numbers.rights(tn)
        if rights:
            right = rights.get(account)
            if right is not None and right.in_force(now):
                return right
        return self._inherited(rights, tn, account, now)

    def _inherited(self, exact: Rights | None, tn: TN, account: str, now: UnixTime) -> NumberRight | None:
        """A right that is an ancestor's, or to a block the number is in."""
        known = self.accounts.get(account)
        names = (account, *reversed(known.path)) if known is not None else (account,)
        for rights in (exact, *self.numbers.block_rights(tn)):
            if rights:
                for name in names:
                    right = rights.get(name)
                    if right is not None and right.in_force(now):
                        return right
        return None

    def home(self, tn: TN) -> NumberRight | None:
        """Whose number this is: the right that a call *to* the number is routed by (owned or delegated)."""
        for rights in (self.numbers.rights(tn), *self.numbers.block_rights(tn)):
            homes = [right for right in (rights or {}).values() if right.kind is not RightKind.VERIFIED]
            if homes:
                return max(homes, key=lambda right: right.kind)
        return None

    def home_trunk(self, right: NumberRight) -> Trunk | None:
        """The customer trunk that calls to this number go to."""
        if right.trunk is not None:
            return self.trunks.get(right.trunk)
        for trunk in self.trunks.values():
            if trunk.side is Side.CUSTOMER and trunk.account == right.account and trunk.targets:
                return trunk
        return None

    def emergency(self, tn: TN) -> EmergencyRegistration | None:
        """The emergency registration of a number."""
        return self.numbers.emergency(tn)

    def do_not_originate(self, tn: TN, now: UnixTime) -> ListEntry | None:
        """The unexpired do-not-originate entry that matches, the longest pattern first."""
        return self.numbers.listed(tn, now)

    def egress(self, traffic_class: TrafficClass) -> tuple[Trunk, ...]:
        """The network trunks that carry a traffic class, in order of configuration."""
        return self._egress[traffic_class]


def _holds(sources: tuple[str, ...], host: str) -> bool:
    """Whether an address is one of these addresses or in one of these networks."""
    address = ipaddress.ip_address(host.partition("%")[0])
    networks = (ipaddress.ip_network(source, strict=False) for source in sources)
    return any(network.version == address.version and address in network for network in networks)

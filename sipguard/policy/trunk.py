"""Trunks: the SIP neighbours, customers' and networks', and the targets calls to them go to."""

from dataclasses import dataclass, field
from enum import StrEnum

from sipguard.policy.forwarding import Forwarding
from sipguard.policy.need import Server, TargetNeed
from sipguard.sip.host import is_address
from sipguard.sip.uri import default_port
from sipguard.stir.telephone_number import TN, DialPlan
from sipguard.traffic.limit import CallLimit


class Side(StrEnum):
    """Which side of the proxy a trunk is on."""

    CUSTOMER = "customer"
    NETWORK = "network"


class TrafficClass(StrEnum):
    """What an egress trunk carries."""

    CONVERSATIONAL = "conversational"
    DIALER = "dialer"
    EMERGENCY = "emergency"
    ECRC = "ecrc"  # emergency calls of callers who are not provisioned, to people who ask where they are
    ANNOUNCEMENT = "announcement"  # the same, to a recording


_HELP = frozenset((TrafficClass.EMERGENCY, TrafficClass.ECRC))


class OnMismatch(StrEnum):
    """What happens when a customer presents a number it may not use."""

    REJECT = "reject"
    REPLACE = "replace"
    DOWNGRADE = "downgrade"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Target:
    """One next hop of a trunk: where requests go and over what.

    Targets of one ``priority`` share the calls by ``weight``; those without come last, in turn. ``uri`` is as written.

    Of a name, ``transport`` and ``port`` may be None: its DNS records say (RFC 3263 §4). ``place`` is where to send to,
    or what to ask first.
    """

    uri: str
    transport: str | None  # udp | tcp | tls
    host: str  # name or address, IPv6 without brackets
    port: int | None
    names: tuple[str, ...] = ()  # over TLS to an address: the identities of which its certificate must carry one
    priority: int | None = None
    weight: int = 1
    place: Server | TargetNeed = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Say once for all calls whether the host is an address."""
        transport, port = self.transport, self.port
        if is_address(self.host):
            transport = transport or "udp"
            object.__setattr__(self, "place", Server(transport, self.host, port or default_port(transport)))
        else:
            object.__setattr__(self, "place", TargetNeed(self.host, port, transport))


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP neighbour."""

    name: str
    side: Side
    account: str | None = None
    sources: tuple[str, ...] = ()  # addresses or networks
    targets: tuple[Target, ...] = ()
    classes: frozenset[TrafficClass] = frozenset((TrafficClass.CONVERSATIONAL,))
    trusted: bool = False  # inside the trust domain of RFC 3325
    on_mismatch: OnMismatch = OnMismatch.REJECT
    default_number: TN | None = None
    forwarding: Forwarding = Forwarding.REFUSE
    dial_plan: DialPlan = field(default_factory=DialPlan)
    on_failure: str | None = None  # tag | reject; None: as the policy says
    on_unavailable: str | None = None  # tag | reject; None: as the policy says
    require_identity: bool | None = None  # reject unsigned calls with 428; None: as the policy says
    certificate: str = "default"  # name of the signing certificate
    probe: bool = True  # its targets are sent OPTIONS if anybody's are
    response_timeout: float = 0.0  # seconds without any response until a call goes to the next target; 0: 64*T1
    ring_timeout: float = 0.0  # seconds a target may take to answer a call; 0: Timer C
    follow_redirects: bool = False  # a 3xx that names another target of the call's trunks is followed
    overload_control: bool = False  # its servers may tell how much they want (RFC 7339)
    udp_only: bool = False  # large requests leave over UDP all the same
    behind_nat: bool = False  # its Contacts lead nowhere: requests in a dialog go where its own came from
    gateway: bool = False  # brings calls of others: what arrives unsigned is signed C, what is signed stays as it is
    tls_names: tuple[str, ...] = ()  # in lower case; it is known by a certificate with one of these, and only by that
    tls_ca: str | None = None  # file of the authorities its certificates are issued by; None: those of the node
    digest: bool = False  # it must prove itself by credentials; without sources and tls_names it is known by them alone
    username: str | None = None  # a carrier's: who we are when it asks for credentials; the password is in the view
    password_file: str | None = None
    realm: str | None = None  # the only one that may ask; None: whoever does
    limit: CallLimit | None = None  # of the calls it brings; None: as the policy says
    egress_limit: CallLimit | None = None  # of the calls it takes away

    @property
    def helps(self) -> bool:
        """Whether somebody behind it sends help, and must know the caller (EMG-12)."""
        return not _HELP.isdisjoint(self.classes)

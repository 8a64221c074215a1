"""A small sample operator, and an engine that works for it: what flow tests and benches call through.

Account ``acme`` calls from ``acme-pbx``; ``carrier-a`` carries conversations, ``carrier-b`` robo-dial traffic,
``rescue`` emergency calls. ``carrier-a`` also brings calls from the network, and believes nothing it is told.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sipguard.engine import Engine
from sipguard.policy.account import Account, AccountState
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight, RightKind
from sipguard.policy.settings import PolicySettings
from sipguard.policy.trunk import Side, Target, TrafficClass, Trunk
from sipguard.policy.view import View
from sipguard.proxy.settings import ProxySettings
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.stir.attestation import OriginationIdentifiers
from sipguard.stir.authentication import Signer, load_signer
from sipguard.stir.certificate import load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.generations import Generations
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verification import VerificationService
from sipguard.testing.network import Endpoint
from sipguard.testing.sti_ca import StiCa
from sipguard.traffic.book import TrafficBook
from sipguard.traffic.profile import Profile
from sipguard.traffic.usage import Usage

PROXY: Endpoint = ("192.0.2.1", 5060)
ACME_PBX: Endpoint = ("192.0.2.11", 5060)
CARRIER_A: Endpoint = ("192.0.2.21", 5060)
CARRIER_A_SPARE: Endpoint = ("192.0.2.22", 5060)
CARRIER_B: Endpoint = ("192.0.2.31", 5060)
RESCUE: Endpoint = ("192.0.2.41", 5060)
CERTIFICATE_URL = "https://certificates.example.org/sample.pem"
OWNED, VERIFIED, FORGED = TN("14155550100"), TN("14155550111"), TN("14155559999")
CALLED = TN("12125550123")
WALL = 1_800_000_000

LISTENERS = (
    Listener(0, "udp", "192.0.2.1", 5060, "192.0.2.1", 5060),
    Listener(1, "tcp", "192.0.2.1", 5060, "192.0.2.1", 5060),
)
TLS_LISTENER = Listener(2, "tls", "192.0.2.1", 5061, "192.0.2.1", 5061)


def target(endpoint: Endpoint, transport: str = "udp") -> Target:
    """A next hop at an endpoint."""
    host, port = endpoint
    return Target(f"sip:{host}:{port};transport={transport}", transport, host, port)


TRUNKS = (
    Trunk("acme-pbx", Side.CUSTOMER, account="acme", sources=(ACME_PBX[0],), targets=(target(ACME_PBX),)),
    Trunk("carrier-a", Side.NETWORK, sources=(CARRIER_A[0], CARRIER_A_SPARE[0]),
          targets=(target(CARRIER_A), target(CARRIER_A_SPARE))),
    Trunk("carrier-b", Side.NETWORK, sources=(CARRIER_B[0],), targets=(target(CARRIER_B),),
          classes=frozenset((TrafficClass.DIALER,))),
    Trunk("rescue", Side.NETWORK, sources=(RESCUE[0],), targets=(target(RESCUE),),
          classes=frozenset((TrafficClass.EMERGENCY,))),
)  # fmt: skip


def directory(trunks: tuple[Trunk, ...] = TRUNKS, state: AccountState = AccountState.ACTIVE) -> Directory:
    """The sample operator's directory."""
    return Directory(
        accounts=[Account("acme", state, ("acme",))],
        trunks=trunks,
        numbers=NumberBook.of(
            rights=[
                (OWNED, NumberRight("acme", RightKind.OWNED, end_user="acme/sales")),
                (VERIFIED, NumberRight("acme", RightKind.VERIFIED)),
                ("14155550199", NumberRight("acme", RightKind.OWNED)),
            ],
            emergency=[EmergencyRegistration(OWNED, "acme", "US", "registered", paid=True, location="1 Main St")],
            listed=[ListEntry("14155550199", "sample")],
        ),
    )


def changed(name: str, **changes: object) -> tuple[Trunk, ...]:
    """The sample trunks with one of them changed."""
    return tuple(replace(trunk, **changes) if trunk.name == name else trunk for trunk in TRUNKS)  # type: ignore[arg-type]


def counting_random() -> Callable[[], str]:
    """Randomness a test can predict: a counter in hexadecimal."""
    counter = itertools.count(1)
    return lambda: f"{next(counter):016x}"


@dataclass
class Sample:
    """The sample operator with its certificate authority, signer and engine."""

    directory: Directory = field(default_factory=directory)
    policy: PolicySettings = field(default_factory=PolicySettings)
    settings: ProxySettings = field(default_factory=lambda: ProxySettings(node="edge-1", record_route_secret=b"sample"))
    listeners: tuple[Listener, ...] = LISTENERS
    passwords: Mapping[str, str] = field(default_factory=dict)  # at carriers, by trunk

    def __post_init__(self) -> None:
        """Make the certificates and the engine."""
        self.ca = StiCa.create(UnixTime(WALL))
        issued = self.ca.issue()
        self.chain_pem = issued.chain_pem
        self.signer: Signer = load_signer("default", issued.chain_pem, issued.key_pem, CERTIFICATE_URL, UnixTime(WALL))
        self.anchors = load_anchors(self.ca.anchors_pem)
        self.certificates = CertificateCache()
        self.view = View(
            directory=self.directory,
            policy=self.policy,
            signers={"default": Generations("default", [self.signer])},
            origids=OriginationIdentifiers(b"sample origination"),
            verification=VerificationService(self.anchors),
            certificates=self.certificates,
            traffic=TrafficBook(Profile()),
            passwords=self.passwords,
        )
        self.engine = Engine(self.listeners, self.settings, self.view, counting_random())

    def restarted(self) -> Engine:
        """Another engine with the same settings, as after a restart: limits and statistics are as on the first day."""
        view = replace(self.view, usage=Usage())
        return Engine(self.listeners, self.settings, view, counting_random())

    def certificate_arrives(self, now: int = WALL) -> None:
        """The sample certificate is in the cache from now on."""
        self.certificates.store(CERTIFICATE_URL, self.chain_pem, UnixTime(now + 86400), UnixTime(now), self.anchors)


def invite(
    *,
    calling: str = OWNED,
    called: str = CALLED,
    source: Endpoint = ACME_PBX,
    call_id: str = "call-1@sample",
    headers: tuple[str, ...] = (),
    from_value: str | None = None,
    uri: str | None = None,
    method: str = "INVITE",
    transport: str = "UDP",
) -> Request:
    """An out-of-dialog request as a trunk sends it; ``headers`` are whole rows put in before the body."""
    host, port = source
    body = "v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    rows = [
        f"Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bK{call_id.partition('@')[0]};rport",
        f"From: {from_value or f'<sip:+{calling}@{host};user=phone>'};tag=caller-tag",
        f"To: <sip:+{called}@{PROXY[0]};user=phone>",
        f"Call-ID: {call_id}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{host}:{port}{';transport=tcp' if transport == 'TCP' else ''}>",
        "Max-Forwards: 70",
        "User-Agent: sample",
        *headers,
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    start = f"{method} {uri or f'sip:+{called}@{PROXY[0]};user=phone'} SIP/2.0"
    request = parse(("\r\n".join((start, *rows, "", "")) + body).encode("latin-1"))
    if not isinstance(request, Request):
        raise TypeError("not a request")
    return request


def flow_from(endpoint: Endpoint) -> Flow:
    """The engine's view of a datagram from an endpoint."""
    return Flow(0, "udp", *endpoint)

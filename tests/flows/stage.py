"""The stage of the flow tests: the sample operator's engine, its neighbours, and the virtual clock between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sipguard.engine import ERROR, Engine
from sipguard.policy.directory import Directory
from sipguard.policy.need import CertificateNeed
from sipguard.policy.settings import PolicySettings
from sipguard.proxy.settings import ProxySettings
from sipguard.sip.flow import Listener
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.network import Endpoint, Network
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_A_SPARE,
    CARRIER_B,
    CERTIFICATE_URL,
    LISTENERS,
    OWNED,
    PROXY,
    RESCUE,
    WALL,
    Sample,
    directory,
    flow_from,
    invite,
)
from sipguard.testing.user_agent import Script, UserAgent

CERTIFICATE = CertificateNeed(CERTIFICATE_URL)
SETTINGS = ProxySettings(node="edge-1", record_route_secret=b"sample")
LONG = 100.0  # seconds after which every transaction without a ringing INVITE is over


@dataclass
class Stage:
    """One network with everybody on it; ``trunks``, ``policy``, ``settings`` and ``scripts`` change the sample.

    A ``directory`` of the test's own takes the place of the sample's.
    """

    trunks: tuple[Any, ...] | None = None
    directory: Directory | None = None
    policy: PolicySettings = field(default_factory=PolicySettings)
    settings: ProxySettings = SETTINGS
    scripts: dict[str, Script] = field(default_factory=dict)
    accidents: dict[str, float] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = LISTENERS

    def __post_init__(self) -> None:
        """Raise the curtain."""
        if self.directory is None:
            self.directory = directory() if self.trunks is None else directory(self.trunks)
        self.sample = Sample(self.directory, self.policy, self.settings, self.listeners)
        self.network = Network(self.sample.engine, wall=float(WALL), **self.accidents)  # type: ignore[arg-type]
        self.pbx = self.agent(ACME_PBX, "acme-pbx")
        self.carrier = self.agent(CARRIER_A, "carrier-a")
        self.spare = self.agent(CARRIER_A_SPARE, "carrier-a-spare")
        self.dialer = self.agent(CARRIER_B, "carrier-b")
        self.rescue = self.agent(RESCUE, "rescue")

    def agent(self, endpoint: Endpoint, name: str, **more: Any) -> UserAgent:
        """One more user agent."""
        script = self.scripts.get(name, Script())
        return UserAgent(self.network, endpoint, PROXY, script=script, name=name, **more)

    @property
    def engine(self) -> Engine:
        """The engine under test."""
        return self.network.engine

    def call(self, seconds: float = 2.0, **changes: Any) -> None:
        """Acme calls; ``changes`` are those of ``sample.invite``."""
        self.pbx.start(invite(**changes))
        self.network.run(seconds)

    def arrives(self, seconds: float = 2.0, called: str = OWNED, calling: str = "12125550123", **changes: Any) -> None:
        """A call comes from the network, over carrier-a."""
        source = changes.pop("source", CARRIER_A)
        caller = self.carrier if source == CARRIER_A else self.spare
        caller.start(invite(calling=calling, called=TN(called), source=source, **changes))
        self.network.run(seconds)

    def identity(self, calling: str = "12125550123", called: str = OWNED, iat: int = WALL, attest: str = "A") -> str:
        """An Identity header row, signed by the sample's own signer, for a call from the network."""
        origid = "7f1f9a4e-0000-4000-8000-000000000001"
        return "Identity: " + self.sample.signer.sign_shaken(TN(calling), (TN(called),), attest, origid, UnixTime(iat))

    def restart(self, seconds: float = 0.0) -> None:
        """The process ends here, and after this time another one goes on with what it remembered."""
        self.network.run(seconds)
        self.network.restart(self.sample.restarted())

    def hang_up(self, agent: UserAgent | None = None, seconds: float = 1.0) -> None:
        """Somebody says BYE; acme unless told."""
        who = agent or self.pbx
        who.start(who.in_dialog("BYE"))
        self.network.run(seconds)

    # --- what happened

    @property
    def events(self) -> list[object]:
        """The events on the attestation log."""
        return [record["event"] for record in self.network.records]

    def record(self, event: str) -> dict[str, Any]:
        """The only record of this event."""
        (found,) = [record for record in self.network.records if record["event"] == event]
        return found

    def octets_to(self, endpoint: Endpoint) -> list[bytes]:
        """Everything the engine sent to an address."""
        return [send.data for _, send in self.network.sent if (send.flow.host, send.flow.port) == endpoint]

    def requests_to(self, endpoint: Endpoint, method: str) -> list[Request]:
        """The requests of a method that the engine sent there, retransmissions included."""
        found = [parse(data) for data in self.octets_to(endpoint) if data.startswith(method.encode() + b" ")]
        return [message for message in found if isinstance(message, Request)]

    @property
    def errors(self) -> list[str]:
        """What the engine logged as an error."""
        return [f"{log.event} {dict(log.fields)}" for log in self.network.logs if log.level >= ERROR]

    def settle(self) -> None:
        """After a long while nothing is left: no transaction, no waiting request, no error."""
        self.network.run(LONG)
        assert self.engine.open_transactions == 0
        assert self.engine.parked == 0
        assert self.engine.idle
        assert self.errors == []


def silent() -> Script:
    """An answering agent that says nothing at all."""
    return Script(ring_after=None, answer_after=None)


def ringing() -> Script:
    """An answering agent that only rings."""
    return Script(answer_after=None)


def refusing(code: int, *headers: tuple[str, str]) -> Script:
    """An answering agent that refuses at once."""
    return Script(ring_after=None, answer_after=0.1, code=code, headers=headers)


def answer_to(request: Request, status: str, tag: str, *rows: str, beyond: Sequence[str] = ()) -> bytes:
    """A response to a request that the engine sent, by a hand and not by an agent; ``status`` is like 180 Ringing.

    ``beyond`` are the Record-Route values of proxies between the engine and the callee, the callee's own first.
    """
    head = [f"Via: {value}" for value in request.listed("via")]
    head += [f"Record-Route: {value}" for value in beyond]
    head += [f"Record-Route: {value}" for value in request.listed("record-route")]
    head += [f"{name}: {request.required(name)}" for name in ("from", "call-id", "cseq")]
    return octets(f"SIP/2.0 {status}", *head, f"To: {request.required('to')};tag={tag}", *rows)


def answered(contact: str, *beyond: str, **changes: Any) -> Stage:
    """A call that is up, with a callee at this Contact, behind these proxies (the one next to it first)."""
    stage = Stage(scripts={"carrier-a": silent()}, **changes)
    stage.call()
    answer = answer_to(stage.carrier.requests[0], "200 OK", "carrier-a", f"Contact: {contact}", beyond=beyond)
    stage.network.inject(answer, flow_from(CARRIER_A))
    stage.network.run(0.1)
    return stage


def with_settings(**changes: Any) -> ProxySettings:
    """The sample's settings with some changed."""
    return replace(SETTINGS, **changes)


def octets(*rows: str, body: str = "") -> bytes:
    """A message from its rows."""
    return ("\r\n".join((*rows, f"Content-Length: {len(body)}", "", "")) + body).encode("latin-1")

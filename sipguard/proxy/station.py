"""The station: what the parts of the proxy core share. One per engine; the view in it is swapped whole on a reload."""

from collections.abc import Callable, Mapping, Sequence

from sipguard.policy.need import Need, Server, TargetNeed
from sipguard.policy.recorder import Recorder
from sipguard.policy.view import View
from sipguard.proxy.active_calls import ActiveCalls
from sipguard.proxy.carrier_leg import CarrierLegs
from sipguard.proxy.carrier_sessions import CarrierSessions
from sipguard.proxy.dispatch import Dispatch
from sipguard.proxy.flow_tokens import FlowTokens
from sipguard.proxy.health import Health
from sipguard.proxy.identity import ProxyIdentity
from sipguard.proxy.need_desk import NeedDesk
from sipguard.proxy.output import Ask, Event, Log, Notice, Output
from sipguard.proxy.settings import ProxySettings
from sipguard.proxy.stream_memory import StreamMemory
from sipguard.proxy.throttle import Throttle
from sipguard.sip.flow import Flow, Listener, Send
from sipguard.sip.message import Request
from sipguard.sip.response import build_response
from sipguard.transaction.layer import TransactionLayer
from sipguard.transaction.server import ServerTransaction
from sipguard.transaction.timers import TimerHeap
from sipguard.transaction.user import TransactionUser

Random = Callable[[], str]  # fresh hexadecimal text, unpredictable, at least 64 bits


class Station:
    """Shared state of one engine: outputs being gathered, layer, timers, view, counters, calls.

    ``wall`` is the wall-clock time (seconds, with fraction) of the door that is open; ``pending`` counts requests
    without a final answer; ``counters`` are plain integers by label tuple, never by number.
    """

    def __init__(
        self, listeners: Sequence[Listener], settings: ProxySettings, view: View, random: Random, user: TransactionUser
    ) -> None:
        self.identity = ProxyIdentity(listeners)
        self.settings = settings
        self.view = view
        self.random = random
        self.outputs: list[Output] = []
        self.timers = TimerHeap()
        self.layer = TransactionLayer(user, self.send, self.timers, settings.timers)
        self.needs = NeedDesk(self.timers, self.ask)
        self.calls = ActiveCalls(settings.record_route_secret)
        self.flows = FlowTokens(settings.record_route_secret, self.identity.listeners, random)
        self.streams = StreamMemory()
        self.sessions = CarrierSessions()
        self.legs = CarrierLegs()
        self.health = Health(settings, self.log)
        self.throttle = Throttle(settings.overload.longest_validity)
        self.dispatch = Dispatch(self.health)
        self.recorder = Recorder(settings.node)
        self.counters: dict[tuple[str, ...], int] = {}
        self.pending = 0
        self.draining = False
        self.remembers = False  # whether what the process before this one knew of its calls was read
        self.wall = 0.0
        self._boot = ""
        self._sequence = 0

    def send(self, flow: Flow, data: bytes) -> None:
        """These octets leave."""
        self.outputs.append(Send(flow, data))

    def ask(self, need: Need) -> None:
        """This need goes out."""
        self.outputs.append(Ask(need))

    def record(self, line: bytes) -> None:
        """This follow-up goes to the attestation log."""
        self.outputs.append(Event(line))

    def log(self, level: int, event: str, **fields: object) -> None:
        """This goes to the operator."""
        self.outputs.append(Log(level, event, fields))

    def notify(self, fields: Mapping[str, object]) -> None:
        """This goes to whom the operator wants told."""
        self.outputs.append(Notice(fields))

    def count(self, *labels: str) -> None:
        """One more of these."""
        self.counters[labels] = self.counters.get(labels, 0) + 1

    def next_identifier(self) -> str:
        """A record identifier: when this engine first needed one, four random digits, and a sequence number.

        The random digits keep two engines apart that started in the same second. Everything is hexadecimal.
        """
        if not self._boot:
            self._boot = f"{int(self.wall):x}{self.random()[-4:]}"
        self._sequence += 1
        return f"{self._boot}-{self._sequence:x}"

    def is_from_before(self, identifier: str) -> bool:
        """Whether a record was opened before this engine started."""
        return identifier.partition("-")[0] != self._boot

    def answer(
        self,
        server: ServerTransaction,
        code: int,
        now: float,
        phrase: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer a request ourselves."""
        tag = None if code == 100 else self.random()
        self.layer.respond(server, build_response(server.request, code, phrase, tag, headers), now)

    def sips_not_allowed(self) -> str:
        """The Warning value of an answer to a sips request that cannot stay on TLS (RFC 5630 §5.3)."""
        return f'380 {self.settings.node} "SIPS Not Allowed"'

    def is_trusted(self, request_flow: Flow) -> bool:
        """Whether the neighbour behind a flow is inside the trust domain (RFC 3325)."""
        trunk = self.view.directory.trunk_of(request_flow)
        return trunk is not None and trunk.trusted

    def is_trusted_at(self, hop: Server | TargetNeed) -> bool:
        """The same of a next hop: by whom it must prove to be, or by its address; behind a mere name is nobody."""
        directory = self.view.directory
        trunk = directory.trunk_named(self.names_at(hop)) if hop.transport == "tls" else None
        if trunk is None and isinstance(hop, Server):
            trunk = directory.trunk_at(hop.host)
        return trunk is not None and trunk.trusted

    def stream_for(self, size: int, datagrams: Listener, server: Server, now: float) -> Listener | None:
        """The TCP listener to send a request of this size from instead, when it is too large for a datagram.

        None when it is not, when there is no such listener, or when the server refuses TCP as the trunk says or a try
        has shown. The hot path asks only about what is too large.
        """
        if size <= self.settings.max_datagram or not self.streams.takes(server.host, server.port, now):
            return None
        neighbour = self.view.directory.trunk_at(server.host)
        if neighbour is not None and neighbour.udp_only:
            return None
        stream = self.identity.stream_beside(datagrams)
        if stream is not None:
            self.streams.tried(server.host, server.port)
        return stream

    def offers_control(self, host: str) -> bool:
        """Whether requests to a neighbour at this address offer it overload control (RFC 7339)."""
        directory = self.view.directory
        if not directory.controlled:
            return False
        trunk = directory.trunk_at(host)
        return host in directory.controlled or (trunk is not None and trunk.overload_control)

    def names_at(self, hop: Server | TargetNeed) -> tuple[str, ...]:
        """Whom a next hop must prove to be over TLS: the host of its URI (RFC 5922 §7.3), or who is at its address.

        Nothing for an address nobody is known at: then only a connection that is up will do.
        """
        return self.view.directory.names_at(hop.host) if isinstance(hop, Server) else identity_of(hop)

    def loops_to_us(self, request: Request, host: str, port: int | None) -> bool:
        """Whether a next hop is this proxy itself."""
        bracketed = f"[{host}]" if ":" in host else host
        return self.identity.is_us(bracketed, port) and not request.has("route")


def identity_of(need: TargetNeed) -> tuple[str, ...]:
    """Whom the servers of a name must prove to be over TLS: that name, whatever names DNS led to (RFC 5922 §7.3)."""
    return (need.host.rstrip(".").lower(),)

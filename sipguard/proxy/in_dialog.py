"""In-dialog requests: along the route set, for dialogs we screened, and for no other (PRX-24).

A request inside a dialog is not screened again, so it must prove that it belongs to one: by Call-ID and both tags of a
call that is up; or, for a call from before a restart and for what may follow the end of a call, by the token in our own
Record-Route URI. What doesn't is answered 481, an ACK dropped in silence. Without the tags a customer could send a new
call to a carrier, unscreened, under the token of an old one.
"""

from typing import NamedTuple

from sipguard.errors import ForgedToken, MalformedValue
from sipguard.policy import chain
from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.proxy import authentication, dialog_identity, forwarding, presentation
from sipguard.proxy.active_calls import ActiveCall, Redeemed
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.delivery import Delivery
from sipguard.proxy.own_request import OwnRequest
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.resubmission import Resubmission, inside
from sipguard.proxy.routing import next_hop, only_over_tls, preprocess
from sipguard.proxy.station import Station, identity_of
from sipguard.proxy.validation import is_sips, is_spent
from sipguard.sip.address import Address, format_address
from sipguard.sip.flow import OVER_TLS, WEBSOCKET, Flow, Listener, Send
from sipguard.sip.header import quote
from sipguard.sip.message import Request
from sipguard.stir.unix_time import UnixTime
from sipguard.transaction.server import ServerTransaction

_MAY_FOLLOW_THE_END = frozenset(("ACK", "BYE", "NOTIFY", "SUBSCRIBE"))  # or belong to a subscription
_REFRESHING = frozenset(("INVITE", "UPDATE"))  # RFC 4028


class Passage:
    """One in-dialog request on its way to its next hop.

    ``record`` is the record our token in its route set names, ``active`` the call it belongs to while that is up.
    ``flow`` is what a flow token there names, if there is one; ``hop`` is None when that flow is no more.
    ``resubmission`` is there when it goes to a carrier that may ask for credentials.
    """

    __slots__ = ("active", "flow", "fork", "hop", "listener", "record", "resubmission")

    def __init__(self, fork: Request, record: str | None, active: ActiveCall | None, arrived_on: Listener) -> None:
        self.fork = fork
        self.record = record
        self.active = active
        self.listener = arrived_on
        self.hop: Server | TargetNeed | None = None
        self.flow: Flow | None = None
        self.resubmission: Resubmission | None = None


class Refused(NamedTuple):
    """The answer to a request that goes nowhere and changes nothing."""

    code: int
    headers: tuple[tuple[str, str], ...] = ()


_NO_DIALOG = Refused(481)
_FORGED = Refused(403)


class InDialog:
    """Passes in-dialog requests."""

    def __init__(self, station: Station, delivery: Delivery, call_log: CallLog) -> None:
        self._station = station
        self._delivery = delivery
        self._call_log = call_log

    def request(self, server: ServerTransaction, now: float) -> None:
        """A request with a To tag that is neither ACK nor CANCEL."""
        try:
            passage = self._passage(server.request, server.flow)
        except MalformedValue:
            self._station.answer(server, 400, now, "Malformed Route")
            return
        if isinstance(passage, Refused):
            self._station.answer(server, passage.code, now, None, passage.headers)
            return
        context = self._delivery.open(server)
        if passage.resubmission is not None:
            context.resubmission = passage.resubmission
        _remember_rows(context, server.request, passage.fork)
        if passage.active is not None and passage.active.kept is not None:
            passage.active.kept.heard(server.request)
        if server.method == "BYE":
            self._bye(server.request, passage, now)
        elif passage.active is not None and server.method in _REFRESHING:
            self._call_log.alive(passage.active, now)
        self._delivery.pass_on(context, passage.fork, passage.hop, passage.listener.number, passage.flow, now)

    def say(self, request: Request, flow: Flow, now: float) -> None:
        """A request of our own, as if a party of the dialog had sent it on its flow; what cannot leave does not."""
        try:
            passage = self._passage(request, flow)
        except MalformedValue:
            return
        if isinstance(passage, Refused):
            return
        server = OwnRequest(self._station.layer, request, flow)
        context = self._delivery.open(server)
        server.context = None  # nobody comes back to it by its transaction
        context.resubmission = passage.resubmission
        self._delivery.pass_on(context, passage.fork, passage.hop, passage.listener.number, passage.flow, now)
        if not context.done:
            self._delivery.finish(context, now)

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK for a 2xx: routed like any request, answered never (PRX-23)."""
        if is_spent(request):
            return
        try:
            passage = self._passage(request, flow)
        except MalformedValue:
            return
        if isinstance(passage, Refused) or passage.hop is None:
            return
        if isinstance(passage.hop, Server):
            self._send_ack(passage, passage.hop, self._station.names_at(passage.hop), now)
        else:
            self._station.needs.park(passage.hop, passage, self, now + self._station.settings.need_timeout)

    def _passage(self, request: Request, flow: Flow) -> Passage | Refused:
        """The request without our Route values and its next hop. Raises MalformedValue."""
        station = self._station
        fork = request.fork()
        preprocessed = preprocess(fork, station.identity)
        token, own_tag = preprocessed.token, request.from_.tag
        redeemed = None
        if token is not None:
            redeemed = station.calls.redeem(token, request.call_id, own_tag or "", request.to.tag or "")
        record = None if redeemed is None else redeemed.identifier
        active = station.calls.find(request.call_id, own_tag) if record is None else station.calls.named(record)
        known = active is not None and active.is_between(own_tag or "", request.to.tag or "")
        if not known and (
            record is None
            or not request.to.tag  # empty, in quotes: who reads it as none would take the request for a new call
            or not (request.method in _MAY_FOLLOW_THE_END or station.is_from_before(record))
        ):
            return _NO_DIALOG
        passage = Passage(fork, record, active, station.identity.arrived_on(flow))
        if preprocessed.flow is None:
            refused = self._to_next_hop(passage, flow, preprocessed.listener)
        else:
            refused = self._on_flow(passage, flow, preprocessed.flow)
        if refused is not None:
            return refused
        refused = self._identified(passage, request, flow)
        if refused is not None:
            return refused
        self._mind_credentials(passage, redeemed)
        return passage

    def _mind_credentials(self, passage: Passage, redeemed: Redeemed | None) -> None:
        """Keep those for us from whoever is next, and give a carrier its numbers and those for it."""
        view, active = self._station.view, passage.active
        if view.directory.asks_credentials:
            authentication.consume(passage.fork, view.policy.digest.realm)
        shifted = (redeemed is not None and redeemed.shift) or (active is not None and active.leg is not None)
        if passage.hop is not None and (shifted or view.directory.has_passwords):
            passage.resubmission = inside(self._station, passage.fork, active, redeemed, passage.hop)

    def _identified(self, passage: Passage, request: Request, flow: Flow) -> Refused | None:
        """Hold who speaks against who was screened. Raises MalformedValue."""
        station = self._station
        view, active = station.view, passage.active
        sender = view.directory.trunk_of(flow)
        host = passage.listener.advertised_host
        judgement = dialog_identity.settle(passage.fork, active, sender, view, host, UnixTime(int(station.wall)))
        if judgement is None:
            return None
        decision = chain.refuse(judgement.refusal)
        if not judgement.applied or active is None:
            station.count("reported", "dialog", decision.rule)
            return None
        station.count("rejected", str(decision.code))
        station.record(station.recorder.refused(active.identifier, request, decision, station.wall))
        warning = f"399 {station.settings.node} {quote(f'{decision.detail} (record {active.identifier})')}"
        return Refused(decision.code, (("reason", decision.reason(view.policy) or ""), ("warning", warning)))

    def _to_next_hop(self, passage: Passage, flow: Flow, listener: Listener | None) -> Refused | None:
        """Find the next hop of the route set; ``listener`` is the one our Route value named. Raises MalformedValue."""
        station, fork = self._station, passage.fork
        # A side of the dialog that is on TLS stays there, though its URIs may not say so (RFC 5630 §3.1.3, §3.1.4).
        hop = next_hop(fork, "tls" if listener is not None and listener.transport == "tls" else None)
        passage.listener = listener or passage.listener
        if hop.transport in WEBSOCKET or (listener is not None and listener.transport in WEBSOCKET):
            return None  # nobody can be dialled there
        if station.loops_to_us(fork, hop.host, hop.port):
            return _NO_DIALOG
        if presentation.is_concerned(fork):
            presentation.cross(fork, station.is_trusted(flow), station.is_trusted_at(hop))
        passage.hop = only_over_tls(hop) if is_sips(fork.uri) else hop
        return self._not_over_tls() if passage.hop is None else None

    def _on_flow(self, passage: Passage, flow: Flow, token: str) -> Refused | None:
        """Find the flow that a token names (RFC 5626 §5.3). Raises MalformedValue."""
        station, fork = self._station, passage.fork
        try:
            there = station.flows.read(token, fork.call_id)
        except ForgedToken:
            return _FORGED
        if there == flow:  # it came by that very flow: it goes out, not in
            return self._to_next_hop(passage, flow, None)
        if there is None:
            return None
        if there.transport not in OVER_TLS and is_sips(fork.uri):
            return self._not_over_tls()
        next_hop(fork)  # a strict router behind it wants the Request-URI all the same
        passage.hop = hop = Server(there.transport, there.host, there.port)
        passage.flow = there
        passage.listener = station.identity.arrived_on(there)
        known = station.is_trusted(there) if there.connection else station.is_trusted_at(hop)
        presentation.cross(fork, station.is_trusted(flow), known)
        return None

    def _not_over_tls(self) -> Refused:
        return Refused(480, (("warning", self._station.sips_not_allowed()),))

    def _bye(self, request: Request, passage: Passage, now: float) -> None:
        if passage.active is not None:
            self._call_log.released(passage.active, request.from_.tag or "", request.to.tag or "", now)
        elif passage.record is not None:
            self._call_log.released_before_our_time(passage.record)

    def resume(self, passage: Passage, need: Need, answer: Answer | TargetAnswer, now: float) -> None:
        """The servers an ACK may go to are known, or there are none."""
        if isinstance(answer, TargetAnswer) and answer.servers:
            names = identity_of(need) if isinstance(need, TargetNeed) else ()
            self._send_ack(passage, answer.servers[0], names, now)

    def _send_ack(self, passage: Passage, server: Server, names: tuple[str, ...], now: float) -> None:
        """No transaction and no answer: what is lost comes again when the 200 does."""
        station = self._station
        egress = station.identity.egress(server.transport, server.host, passage.listener.number, passage.flow)
        if egress is None:
            return
        fork = passage.fork
        forwarding.decrement_hops(fork)
        forwarding.push_via(fork, egress, station.random())
        datagram = egress.transport == "udp" and passage.flow is None
        stream = station.stream_for(fork.size, egress, server, now) if datagram else None
        if stream is not None:
            egress = stream
            fork.remove_first("via")
            forwarding.push_via(fork, egress, station.random())
        if egress.transport != "udp":
            forwarding.frame(fork)
        names = names if server.transport == "tls" else ()
        flow = passage.flow or Flow(egress.number, egress.transport, server.host, server.port, 0, names)
        station.outputs.append(Send(flow, fork.encode()))


def _remember_rows(context: ResponseContext, request: Request, fork: Request) -> None:
    """Keep From and To as the sender wrote them, when they go on otherwise, for the responses."""
    if fork.from_ is not request.from_:
        context.original_from = request.first["from"]
    if fork.to is not request.to:
        address = request.to
        rest = {name: value for name, value in address.parameters.items() if name != "tag"}
        context.original_to = f"To: {format_address(Address(address.display, address.uri, rest))}"

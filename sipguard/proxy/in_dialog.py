"""In-dialog requests: along the route set, for dialogs we screened, and for no other (PRX-24).

A request inside a dialog is not screened again, so it must prove that it belongs to one: by Call-ID and both tags of a
call that is up; or, for a call from before a restart and for what may follow the end of a call, by the token in our own
Record-Route URI. What doesn't is answered 481, an ACK dropped in silence. Without the tags a customer could send a new
call to a carrier, unscreened, under the token of an old one.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.proxy import authentication, forwarding, presentation
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.delivery import Delivery
from sipguard.proxy.routing import next_hop, only_over_tls, preprocess
from sipguard.proxy.station import Station, identity_of
from sipguard.proxy.validation import is_sips, is_spent
from sipguard.sip.flow import WEBSOCKET, Flow, Listener, Send
from sipguard.sip.message import Request
from sipguard.transaction.server import ServerTransaction

_MAY_FOLLOW_THE_END = frozenset(("ACK", "BYE", "NOTIFY", "SUBSCRIBE"))  # or belong to a subscription
_REFRESHING = frozenset(("INVITE", "UPDATE"))  # RFC 4028


class Passage:
    """One in-dialog request on its way to its next hop.

    ``record`` is the record our token in its route set names, ``active`` the call it belongs to while that is up.
    ``hop`` is None when a sips request could only leave over something else than TLS.
    """

    __slots__ = ("active", "fork", "hop", "listener", "record")

    def __init__(
        self, fork: Request, hop: Server | TargetNeed | None, listener: Listener, record: str | None,
        active: ActiveCall | None,
    ) -> None:  # fmt: skip
        self.fork = fork
        self.hop = hop
        self.listener = listener
        self.record = record
        self.active = active


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
        if passage is None:
            self._station.answer(server, 481, now)
            return
        if passage.hop is None:
            self._station.answer(server, 480, now, None, (("warning", self._station.sips_not_allowed()),))
            return
        context = self._delivery.open(server)
        if server.method == "BYE":
            self._bye(server.request, passage, now)
        elif passage.active is not None and server.method in _REFRESHING:
            self._call_log.alive(passage.active, now)
        self._delivery.pass_on(context, passage.fork, passage.hop, passage.listener.number, now)

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK for a 2xx: routed like any request, answered never (PRX-23)."""
        if is_spent(request):
            return
        try:
            passage = self._passage(request, flow)
        except MalformedValue:
            return
        if passage is None or passage.hop is None:
            return
        if isinstance(passage.hop, Server):
            self._send_ack(passage, passage.hop, self._station.names_at(passage.hop), now)
        else:
            self._station.needs.park(passage.hop, passage, self, now + self._station.settings.need_timeout)

    def _passage(self, request: Request, flow: Flow) -> Passage | None:
        """The request without our Route values and its next hop; None when it belongs to no dialog of ours."""
        station = self._station
        fork = request.fork()
        preprocessed = preprocess(fork, station.identity)
        token, own_tag = preprocessed.token, request.from_.tag
        record = None if token is None else station.calls.redeem(token, request.call_id)
        active = station.calls.find(request.call_id, own_tag) if record is None else station.calls.named(record)
        known = active is not None and own_tag in active.tags and request.to.tag in active.tags
        if not known and (
            record is None or not (request.method in _MAY_FOLLOW_THE_END or station.is_from_before(record))
        ):
            return None
        # A side of the dialog that is on TLS stays there, though its URIs may not say so (RFC 5630 §3.1.3, §3.1.4).
        listener = preprocessed.listener
        hop = next_hop(fork, "tls" if listener is not None and listener.transport == "tls" else None)
        if hop.transport in WEBSOCKET or station.loops_to_us(fork, hop.host, hop.port):
            return None
        presentation.cross(fork, station.is_trusted(flow), station.is_trusted_at(hop))
        if station.view.directory.asks_credentials:
            authentication.consume(fork, station.view.policy.digest.realm)
        listener = listener or station.identity.arrived_on(flow)
        allowed = only_over_tls(hop) if is_sips(fork.uri) else hop
        return Passage(fork, allowed, listener, record, active)

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
        egress = station.identity.egress(server.transport, server.host, passage.listener.number)
        if egress is None:
            return
        fork = passage.fork
        forwarding.decrement_hops(fork)
        forwarding.push_via(fork, egress, station.random())
        stream = station.stream_for(fork.size, egress, server, now) if egress.transport == "udp" else None
        if stream is not None:
            egress = stream
            fork.remove_first("via")
            forwarding.push_via(fork, egress, station.random())
        if egress.transport != "udp":
            forwarding.frame(fork)
        names = names if server.transport == "tls" else ()
        flow = Flow(egress.number, egress.transport, server.host, server.port, 0, names)
        station.outputs.append(Send(flow, fork.encode()))

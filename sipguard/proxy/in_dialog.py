"""In-dialog requests: along the route set, for dialogs we screened, and for no other (PRX-24).

A request inside a dialog is not screened again, so it must prove that it belongs to one: by Call-ID and both tags of a
call that is up; or, for a call from before a restart and for what may follow the end of a call, by the token in our own
Record-Route URI. What doesn't is answered 481, an ACK dropped in silence. Without the tags a customer could send a new
call to a carrier, unscreened, under the token of an old one.
"""

from sipguard.errors import ForgedToken, MalformedValue
from sipguard.policy import chain
from sipguard.policy.decision import Decision
from sipguard.policy.finding import Refusal
from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import Trunk
from sipguard.policy.weighing import mode_at
from sipguard.proxy import authentication, dialog_identity, dialog_path, forwarding, presentation
from sipguard.proxy.active_calls import ActiveCall, Redeemed
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.delivery import Delivery
from sipguard.proxy.dialog import REFRESHING, Leg, target_in
from sipguard.proxy.dialog_news import Inside
from sipguard.proxy.output import INFO
from sipguard.proxy.own_request import OwnRequest
from sipguard.proxy.passage import Passage, Refused
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.resubmission import inside
from sipguard.proxy.routing import Preprocessed, next_hop, only_over_tls, preprocess
from sipguard.proxy.station import Station, identity_of
from sipguard.proxy.validation import is_sips, is_spent
from sipguard.sip.address import Address, format_address
from sipguard.sip.flow import OVER_TLS, WEBSOCKET, Flow, Listener, Send
from sipguard.sip.header import quote
from sipguard.sip.message import Request
from sipguard.stir.unix_time import UnixTime
from sipguard.transaction.server import ServerTransaction

_MAY_FOLLOW_THE_END = frozenset(("ACK", "BYE", "NOTIFY", "SUBSCRIBE"))  # or belong to a subscription
_ALIVE = frozenset(("INVITE", "UPDATE"))  # RFC 4028
_COMPLAINTS = 5  # of one call go on record and into the log; all are counted


_NOT_OF_THAT_SIDE = "the request does not come from that side of the dialog"
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
        context.inward = passage.inward
        _remember_rows(context, server.request, passage.fork)
        if passage.active is not None and passage.believed:
            self._heard(context, server.request, passage.active, passage, now)
        elif server.method == "BYE" and passage.record is not None:
            self._call_log.released_before_our_time(passage.record)
        self._delivery.pass_on(context, passage.fork, passage.hop, passage.listener.number, passage.flow, now)

    def _heard(
        self, context: ResponseContext, request: Request, active: ActiveCall, passage: Passage, now: float
    ) -> None:
        """Remember what a request says of its dialog."""
        dialog, method = passage.dialog, request.method
        if dialog is None:
            return
        if active.numbers is not None:
            tag = request.from_.tag or ""
            active.numbers[tag] = max(active.numbers.get(tag, 0), request.cseq.number)
        if method != "BYE" and method not in REFRESHING:
            return
        target = None
        if method == "BYE":
            active.abandoned = active.abandoned or (active.answered_at is None and passage.by_caller)
        else:
            target = target_in(request)
            own = dialog.caller if passage.by_caller else dialog.called
            own.announced = target or own.announced
            if method in _ALIVE:
                self._call_log.alive(active, now)
        context.inside = Inside(active, dialog, method, target, now, by_caller=passage.by_caller)

    def say(self, request: Request, flow: Flow, active: ActiveCall, now: float) -> None:
        """A request of our own, as if a party of the call had sent it on its flow; what cannot leave does not."""
        try:
            passage = self._passage(request, flow, active)
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

    def _passage(self, request: Request, flow: Flow, ours: ActiveCall | None = None) -> Passage | Refused:
        """The request without our Route values and its next hop; ``ours`` is the call of a request that we wrote.

        Raises MalformedValue.
        """
        station = self._station
        fork = request.fork()
        preprocessed = preprocess(fork, station.identity)
        token, own_tag, peer_tag = preprocessed.token, request.from_.tag or "", request.to.tag or ""
        passage = Passage(fork, station.identity.arrived_on(flow))
        active = passage.active = ours or station.calls.claimed(token, request.call_id, own_tag)
        if active is not None:
            passage.dialog = active.dialog_between(own_tag, peer_tag)
            passage.by_caller = own_tag == active.caller_tag
        redeemed = None
        sender = passage.speaker if ours is not None else station.view.directory.trunk_of(flow)
        there = passage.there
        if token is not None and (there is None or (active is not None and active.leg is not None)):
            redeemed = station.calls.redeem(token, request.call_id, own_tag, peer_tag)
        if there is not None:
            refused = self._along(passage, request, sender, there, token)
            refused = refused or self._to_party(passage, flow, there, preprocessed.flow)
        elif redeemed is None or not self._may_outlive(request, redeemed):
            return _NO_DIALOG
        else:
            passage.record = redeemed.identifier
            refused = self._onwards(passage, flow, preprocessed)
        refused = refused or self._identified(passage, request, sender)
        if refused is not None:
            return refused
        self._mind_credentials(passage, redeemed)
        return passage

    def _onwards(self, passage: Passage, flow: Flow, preprocessed: Preprocessed) -> Refused | None:
        """By the route set that came, or on the flow it names. Raises MalformedValue."""
        if preprocessed.flow is None:
            return self._to_next_hop(passage, flow, preprocessed.listener)
        return self._on_flow(passage, flow, preprocessed.flow)

    def _may_outlive(self, request: Request, redeemed: Redeemed) -> bool:
        """Whether a request may pass by its token alone: after the end of a call, or in a subscription."""
        station = self._station
        if not request.to.tag:  # empty, in quotes: who reads it as none would take the request for a new call
            return False
        if station.wall - redeemed.issued > station.settings.max_call_duration:
            return False
        return request.method in _MAY_FOLLOW_THE_END

    def _along(
        self, passage: Passage, request: Request, sender: Trunk | None, there: Leg, token: str | None
    ) -> Refused | None:
        """Lead a request of a dialog that is up to the other party; who means another place is refused."""
        active, by_caller = passage.active, passage.by_caller
        if active is None:
            return None
        if dialog_path.is_ambiguous(request) and not active.is_for_help:
            return Refused(400)
        party = active.caller if by_caller else active.called
        wrong = dialog_path.direct(passage.fork, there)
        if not dialog_path.may_speak(party, sender) and not self._proves(token, request, by_caller=by_caller):
            passage.believed = False
            return self._complain(active, request, Refusal(dialog_path.SENDER, _NOT_OF_THAT_SIDE))
        return None if wrong is None else self._complain(active, request, Refusal(dialog_path.TARGET, wrong))

    def _proves(self, token: str | None, request: Request, *, by_caller: bool) -> bool:
        """Whether a request brings the token of the party that its tags name."""
        if token is None:
            return False
        redeemed = self._station.calls.redeem(token, request.call_id, request.from_.tag or "", request.to.tag or "")
        return redeemed is not None and redeemed.callers_own is by_caller

    def _to_party(self, passage: Passage, flow: Flow, there: Leg, token: str | None) -> Refused | None:
        """Find the next hop towards a party; ``token`` is the flow token that came. Raises MalformedValue."""
        station = self._station
        if not there.on_flow:
            refused = self._to_next_hop(passage, flow, station.identity.arrived_on(there.flow))
            hop = passage.hop
            if hop is None or not passage.inward or not dialog_path.is_a_carriers(hop.host, station.view.directory):
                return refused
            passage.hop = None
        try:
            if token is not None:
                station.flows.read(token, passage.fork.call_id)
        except ForgedToken:
            return _FORGED
        return self._by_its_flow(passage, flow, there.flow)

    def _complain(self, active: ActiveCall, request: Request, refusal: Refusal) -> Refused | None:
        """A rule matched inside a call: refuse; or let it go on to where it belongs, when it may not be refused."""
        station, view = self._station, self._station.view
        customer = next(
            (party.trunk for party in (active.caller, active.called) if party and party.trunk.account), None
        )
        account = view.directory.account(customer.account) if customer is not None and customer.account else None
        mode = mode_at(refusal.rule, None, customer, account, view.policy)
        if mode is not Mode.BLOCK or active.is_for_help:
            if mode is not Mode.OFF:
                station.count("reported", "dialog", refusal.rule)
            return None
        return self._refused(active, request, chain.refuse(refusal))

    def _refused(self, active: ActiveCall, request: Request, decision: Decision) -> Refused:
        """The answer to a request that is refused, which the call's record tells of, if there are not too many."""
        station = self._station
        station.count("rejected", str(decision.code))
        if active.complaints < _COMPLAINTS:
            active.complaints += 1
            station.record(station.recorder.refused(active.identifier, request, decision, station.wall))
            station.log(
                INFO, "request.refused", record=active.identifier, method=request.method, rule=decision.rule,
                detail=decision.detail,
            )  # fmt: skip
        warning = f"399 {station.settings.node} {quote(f'{decision.detail} (record {active.identifier})')}"
        return Refused(decision.code, (("reason", decision.reason(station.view.policy) or ""), ("warning", warning)))

    def _mind_credentials(self, passage: Passage, redeemed: Redeemed | None) -> None:
        """Keep those for us from whoever is next, and give a carrier its numbers and those for it."""
        view, active = self._station.view, passage.active
        if view.directory.asks_credentials:
            authentication.consume(passage.fork, view.policy.digest.realm)
        shifted = (redeemed is not None and redeemed.shift) or (active is not None and active.leg is not None)
        if passage.hop is not None and (shifted or view.directory.has_passwords):
            passage.resubmission = inside(self._station, passage.fork, active, redeemed, passage.hop)

    def _identified(self, passage: Passage, request: Request, sender: Trunk | None) -> Refused | None:
        """Hold who speaks against who was screened. Raises MalformedValue."""
        station = self._station
        view, active = station.view, passage.active
        host = passage.listener.advertised_host
        judgement = dialog_identity.settle(passage.fork, active, sender, view, host, UnixTime(int(station.wall)))
        if judgement is None:
            return None
        if not judgement.applied or active is None:
            station.count("reported", "dialog", judgement.refusal.rule)
            return None
        return self._refused(active, request, chain.refuse(judgement.refusal))

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
        return None if there is None else self._by_its_flow(passage, flow, there)

    def _by_its_flow(self, passage: Passage, flow: Flow, there: Flow) -> Refused | None:
        """Go where a neighbour's own requests come from. Raises MalformedValue."""
        station, fork = self._station, passage.fork
        if not station.flows.is_up(there):
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

    def resume(self, passage: Passage, need: Need, answer: Answer | TargetAnswer, now: float) -> None:
        """The servers an ACK may go to are known, or there are none."""
        servers = answer.servers if isinstance(answer, TargetAnswer) else ()
        if passage.inward:
            servers = dialog_path.customers_own(servers, self._station.view.directory)
        if servers:
            names = identity_of(need) if isinstance(need, TargetNeed) else ()
            self._send_ack(passage, servers[0], names, now)

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

"""One request on its way to one server: the fork it gets, and the listener it leaves from (RFC 3261 §16.6, §18.1.1).

A request too large for a datagram leaves over a stream where the server takes one; Record-Route and Via say what is
true. Only that part is made anew then, for the size is known when it is finished.
"""

import re

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.need import Server
from sipguard.policy.trunk import Trunk
from sipguard.proxy import (
    authentication,
    emergency_location,
    forwarding,
    oc_parameters,
    plain_form,
    presentation,
    resubmission,
)
from sipguard.proxy.active_calls import Party
from sipguard.proxy.branch import Attempt
from sipguard.proxy.flow_tokens import must_keep
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.proxy.validation import loop_digest
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request
from sipguard.sip.uri import SipUri, Uri
from sipguard.stir.telephone_number import TN

_DIALLED = re.compile(r"\+?[0-9*#]+(?:;(?!phone-context)[A-Za-z][A-Za-z0-9\-]*(?:=[A-Za-z0-9\-._+]*)?)*", re.IGNORECASE)


class Departure:
    """``fork`` leaves from ``egress``, with our Via and ``branch`` on top, and a Max-Breadth of ``breadth``. Raises
    MalformedValue.

    ``switched`` is whether it leaves over TCP for its size only, ``size`` how many octets it has as a datagram, 0 over
    a stream.
    """

    __slots__ = (
        "_attempt", "_context", "_server", "_station", "_token", "branch", "egress", "fork", "size", "switched",
    )  # fmt: skip

    def __init__(
        self, station: Station, context: ResponseContext, attempt: Attempt, server: Server, egress: Listener,
        breadth: int, now: float,
    ) -> None:  # fmt: skip
        self._station = station
        self._context = context
        self._attempt = attempt
        self._server = server
        self._token: str | None = None
        self.switched = False
        self.size = 0
        self.egress = egress
        self.fork = self._fork()
        forwarding.limit_breadth(self.fork, breadth)
        if context.server.offered:
            oc_parameters.rewrite(self.fork)  # what the client before us offers is for us (RFC 7339 §5.6)
        routes = self._put_us_on()
        if egress.transport != "udp":
            return
        self.size = self.fork.size
        if self.size <= station.settings.max_datagram or attempt.flow is not None:
            return
        if attempt.route is not None and attempt.route[0].udp_only:
            return
        stream = station.stream_for(self.size, egress, server, now)
        if stream is not None:
            self._switch(stream, routes)

    def _switch(self, stream: Listener, routes: int) -> None:
        """Leave from this listener instead."""
        fork, context = self.fork, self._context
        fork.remove_first("via")
        for _ in range(routes):
            fork.remove_first("record-route")
        if fork is context.base:
            context.base = fork.fork()  # for UDP, should the stream be refused
        self.switched = True
        self.size = 0
        self.egress = stream
        self._put_us_on()

    def _fork(self) -> Request:
        """What is the same over every transport: the Request-URI, who calls, one hop less."""
        context = self._context
        call, route = context.call, self._attempt.route
        if call is None or route is None:  # in a dialog all that is done; the last server may have the only copy
            if context.resubmission is not None:
                return resubmission.leave_again(self._station, context, self._attempt)
            return context.base if context.next_attempt == len(context.attempts) else context.base.fork()
        fork = context.base.fork()
        trunk, target = route
        request = context.server.request
        fork.remove("route")  # where a screened request goes is our decision, not the caller's
        number = _number_to_send(call, trunk, self._attempt.contact)
        fork.set_uri(forwarding.retargeted(self._attempt.contact or call.request_uri, target, number))
        view = self._station.view
        if view.directory.asks_credentials:
            authentication.consume(fork, view.policy.digest.realm)
        if call.outbound:
            presentation.originate(fork, call, trunk, self.egress.advertised_host)
            if call.emergency is not None:
                emergency_location.add(fork, call, trunk, view.policy)
        else:
            presentation.terminate(fork, call, trunk, self.egress.advertised_host)
        shift = 0
        if trunk.username is not None or context.resubmission is not None:
            shift = resubmission.leave(self._station, context, self._attempt, trunk, fork)
        if request.method in forwarding.DIALOG_FORMING:
            self._token = self._token_of(call, shift)
        context.original_from = _changed(request, fork, "from") or context.original_from  # of any branch
        context.original_to = _changed(request, fork, "to") or context.original_to
        if context.active is not None:
            context.active.caller = Party(call.trunk, request.from_, fork.from_)
            context.active.called = Party(trunk, fork.to, request.to)
            context.active.reached = fork.uri
        forwarding.decrement_hops(fork)
        return fork

    def _flows(self) -> tuple[str, str]:
        """The flow tokens of the two sides."""
        context, route = self._context, self._attempt.route
        call, server = context.call, context.server
        if call is None or route is None:
            return forwarding.NO_FLOWS
        keep = must_keep(call.trunk, server.request, server.flow)
        if not keep and not route[0].behind_nat:
            return forwarding.NO_FLOWS
        tokens, call_id = self._station.flows, server.request.call_id
        place = self._server
        names = self._attempt.names if place.transport == "tls" else ()
        there = Flow(self.egress.number, self.egress.transport, place.host, place.port, 0, names)
        return (
            tokens.write(server.flow, call_id) if keep else "",
            tokens.write(there, call_id) if route[0].behind_nat else "",
        )

    def _token_of(self, call: Call, shift: int) -> str:
        """What our Record-Route says of the dialog to whom is called; to each target the same, but for the shift."""
        request = call.request
        caller_tag = request.from_.tag or ""
        tokens = self._station.calls.tokens(call.identifier, request.call_id, caller_tag, int(call.received_at), shift)
        if self._context.active is not None:
            self._context.active.tokens = tokens
        return tokens.called

    def _put_us_on(self) -> int:
        """Record-Route, Content-Length for a stream, Via. Returns how many Record-Route values there are of ours."""
        fork, egress, station = self.fork, self.egress, self._station
        routes = 0
        if self._token is not None:
            ingress = station.identity.arrived_on(self._context.server.flow)
            routes = forwarding.record_route(fork, ingress, egress, self._token, self._flows())
        if egress.transport != "udp":
            forwarding.frame(fork)
        entropy = station.random()
        if self._attempt.route is not None:
            # The digest of what is sent on tells a loop from a spiral when the request comes back (RFC 5393 §4.2).
            entropy = f"{entropy}.{loop_digest(fork)}"
        route = self._attempt.route
        listens = station.offers_control(self._server.host) if route is None else route[0].overload_control
        offer = oc_parameters.OFFER if listens else ""
        self.branch = forwarding.push_via(fork, egress, entropy, offer)
        return routes


def _number_to_send(call: Call, egress: Trunk, contact: SipUri | None) -> str | None:
    """The called number in canonical form; None leaves the user part as it was received from the network, by somebody
    who reads it so. ``contact`` is the URI of a 3xx that takes the place of the Request-URI.

    An emergency number leaves as the bare number it was recognised as, whatever was dialled around it.
    """
    if call.emergency is not None:
        return call.emergency.number
    try:
        number: TN | None = call.request_tn
    except MalformedValue:
        return None
    if number is None:
        return None
    if (contact or not call.outbound) and _is_plain(contact or call.request_uri, number, egress):
        return None
    return plain_form.number_text(number)


def _is_plain(uri: Uri, number: TN, egress: Trunk) -> bool:
    """Whether the next hop reads the called number as we do, as it was dialled."""
    if not isinstance(uri, SipUri) or uri.user is None:
        return False
    return _DIALLED.fullmatch(uri.user) is not None and plain_form.reads_as(uri.user, number, egress.dial_plan)


def _changed(request: Request, fork: Request, field: str) -> str | None:
    """A row as received, when the fork has another."""
    original = request.first[field]
    return None if fork.first[field] == original else original

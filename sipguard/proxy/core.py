"""The proxy core (RFC 3261 §16) as the transaction user: which part of the proxy a message is for."""

from sipguard.policy.view import View
from sipguard.proxy.authentication import Authentication
from sipguard.proxy.branch import Branch
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.delivery import Delivery
from sipguard.proxy.ending import Ending
from sipguard.proxy.in_dialog import InDialog
from sipguard.proxy.oc_parameters import demand
from sipguard.proxy.prober import Probe, Prober
from sipguard.proxy.responses import Responses
from sipguard.proxy.scanners import Scanners
from sipguard.proxy.screening import Screening
from sipguard.proxy.settings import ProxySettings
from sipguard.proxy.station import Random, Station
from sipguard.proxy.upstream import Upstream
from sipguard.proxy.validation import validate
from sipguard.proxy.way_back import WayBack
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.message import Request, Response
from sipguard.sip.uri import SipUri, parse_uri
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.server import ServerTransaction

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, SUBSCRIBE, NOTIFY, MESSAGE"
_NEEDS_DIALOG = frozenset(("BYE", "PRACK", "UPDATE", "INFO"))
_NOT_OURS = frozenset(("REGISTER", "PUBLISH"))  # a trunk proxy has no location service


class Core:
    """Implements ``TransactionUser``; everything it needs hangs on the station."""

    def __init__(self, listeners: tuple[Listener, ...], settings: ProxySettings, view: View, random: Random) -> None:
        self.station = Station(listeners, settings, view, random, self)
        self.call_log = call_log = CallLog(self.station)
        self._upstream = Upstream(self.station, call_log)
        self._delivery = Delivery(self.station, self._upstream, call_log)
        self._in_dialog = InDialog(self.station, self._delivery, call_log)
        self.ending = Ending(self.station, self._in_dialog, call_log)
        self.responses = Responses(self.station, self._upstream, self._delivery, self.ending, call_log)
        self.scanners = Scanners(self.station)
        self._authentication = Authentication(self.station, self.scanners)
        self._screening = Screening(self.station, self._delivery, self._upstream, self._authentication)
        self.prober = Prober(self.station)
        self._way_back = WayBack(self.station)

    def request(self, transaction: ServerTransaction, now: float) -> None:
        """A new request that is neither ACK nor CANCEL."""
        try:
            self._take(transaction, now)
        except Exception as error:
            self._upstream.fail(transaction, error, now)

    def _take(self, transaction: ServerTransaction, now: float) -> None:
        station = self.station
        request = transaction.request
        method = request.method
        if transaction.reply_flow is not transaction.flow:
            self._answer_at_source(transaction)
        complaint = validate(request, station.identity)
        if complaint is not None:
            station.count("rejected", str(complaint.code))
            station.answer(transaction, complaint.code, now, complaint.phrase, complaint.headers)
            return
        if method == "INVITE":
            station.answer(transaction, 100, now)
        if request.to.tag is not None:
            self._in_dialog.request(transaction, now)
        elif method in _NEEDS_DIALOG:
            station.answer(transaction, 481, now)
        elif method in _NOT_OURS:
            station.answer(transaction, 405, now, None, (("allow", ALLOW),))
        elif method == "OPTIONS" and self._is_for_us(request):
            self._options(transaction, now)
        else:
            self._screening.screen(transaction, now)

    def _answer_at_source(self, transaction: ServerTransaction) -> None:
        """Without ``rport`` a datagram is answered to the port of its Via: nobody's, behind a NAT (RFC 3581 §1)."""
        trunk = self.station.view.directory.trunk_of(transaction.flow)
        if trunk is not None and trunk.behind_nat:
            transaction.reply_flow = transaction.flow

    def _is_for_us(self, request: Request) -> bool:
        uri = parse_uri(request.uri)
        return isinstance(uri, SipUri) and uri.user is None and self.station.identity.means_us(uri)

    def _options(self, transaction: ServerTransaction, now: float) -> None:
        """A neighbour asks whether we live (PRX-35); a stranger learns nothing."""
        directory = self.station.view.directory
        trunk = directory.trunk_of(transaction.flow)
        if trunk is None:
            if not directory.asks_credentials:
                self.station.answer(transaction, 403, now)
                return
            if self._authentication.admit(transaction, None, now) is None:
                return
        headers = (("allow", ALLOW), ("accept", "application/sdp"), ("supported", ""))
        self.station.answer(transaction, 200, now, None, headers)

    def cancel(self, transaction: ServerTransaction, invite: ServerTransaction | None, now: float) -> None:
        """A CANCEL is answered here and made anew for every branch (RFC 3261 §16.10)."""
        reasons = transaction.request.values("reason")
        if transaction.reply_flow is not transaction.flow:
            self._answer_at_source(transaction)
        self.station.answer(transaction, 481 if invite is None else 200, now)
        if invite is not None and invite.context is not None:
            self._delivery.cancel(invite.context, reasons, now)

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK for a 2xx."""
        if request.to.tag is not None:
            self._in_dialog.ack(request, flow, now)

    def response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response the state machine lets through; a final one always reaches the caller."""
        if "oc" in response.via.parameters:
            self._heed(transaction, response, now)
        if isinstance(transaction.owner, Probe):
            self.prober.response(transaction.owner, response, now)
            return
        try:
            self.responses.response(transaction, response, now)
        except Exception as error:
            if response.code >= 200:
                self._upstream.fail(transaction.owner.context.server, error, now)

    def _heed(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A server we offered overload control says how much it wants (RFC 7339 §5.5)."""
        flow, owner = transaction.flow, transaction.owner
        route = owner.attempt.route if isinstance(owner, Branch) else None
        offered = self.station.offers_control(flow.host) if route is None else route[0].overload_control
        asked = demand(response.via.parameters) if offered else None
        if asked is not None:
            self.station.throttle.learn((flow.host, flow.port), asked, now)

    def timed_out(self, transaction: ClientTransaction, now: float) -> None:
        """No final response in time."""
        if isinstance(transaction.owner, Probe):
            self.prober.unanswered(transaction.owner, now, "no answer to OPTIONS")
        else:
            self.responses.timed_out(transaction, now)

    def unreachable(self, transaction: ClientTransaction, now: float) -> None:
        """The request can't be delivered on its flow."""
        if isinstance(transaction.owner, Probe):
            self.prober.unanswered(transaction.owner, now, "unreachable")
        else:
            self.responses.unreachable(transaction, now)

    def gone(self, transaction: ServerTransaction, now: float) -> None:
        """The server transaction has ended; so has whatever waited for it."""
        if transaction.context is not None:
            self._upstream.close(transaction.context, now, answered=False)
            transaction.context = None

    def stranded(self, transaction: ServerTransaction, now: float) -> None:
        """The sender of a request is not to be found where it came from."""
        self._way_back.stranded(transaction, now)

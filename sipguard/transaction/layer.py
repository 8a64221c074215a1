"""The transaction layer: finds the transaction a message belongs to, and is what the proxy speaks to.

Every message costs one dictionary look-up. Transactions leave every dictionary the moment they terminate, so
``open_transactions`` goes back to zero when nothing happens. A response that belongs to no transaction is dropped
(RFC 6026 §7.3), and so is a response the user gives for a transaction that has ended (RFC 6026 §8.3, RFC 4320 §4.2).
"""

from collections.abc import Callable, Sequence
from typing import Any

from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.key import ClientKey, ServerKey, follows_rfc3261, legacy_key, server_key
from sipguard.transaction.server import ServerTransaction
from sipguard.transaction.settings import TimerSettings
from sipguard.transaction.states import ClientInput, ServerInput
from sipguard.transaction.timers import TimerHeap
from sipguard.transaction.user import TransactionUser

_CLIENT_PROVISIONAL = int(ClientInput.PROVISIONAL)
_CLIENT_SUCCESS = int(ClientInput.SUCCESS)
_CLIENT_FAILURE = int(ClientInput.FAILURE)
_CANCEL = int(ClientInput.CANCEL)
_TRANSPORT_ERROR = int(ClientInput.TRANSPORT_ERROR)
_RETRANSMISSION = int(ServerInput.RETRANSMISSION)
_ACK = int(ServerInput.ACK)
_SERVER_PROVISIONAL = int(ServerInput.PROVISIONAL)
_SERVER_SUCCESS = int(ServerInput.SUCCESS)
_SERVER_FAILURE = int(ServerInput.FAILURE)
_SINGLE = int(ServerInput.SINGLE)


class TransactionLayer:
    """All transactions of one engine.

    ``send`` takes the octets that leave; it must not call back. ``mark`` is shown each response with overload control
    parameters, or to a client that offered them, before it leaves (RFC 7339). The public attributes below it are the
    timer values in seconds, read by the transactions.
    """

    def __init__(
        self,
        user: TransactionUser,
        send: Callable[[Flow, bytes], None],
        timers: TimerHeap,
        settings: TimerSettings,
    ) -> None:
        self.user = user
        self.send = send
        self.timers = timers
        self.mark: Callable[[ServerTransaction, Response], None] | None = None
        self.t1 = settings.t1
        self.t2 = settings.t2
        self.t4 = settings.t4
        self.timeout = settings.timeout
        self.timer_d = settings.timer_d
        self.non_invite_trying = settings.non_invite_trying
        self._servers: dict[ServerKey, ServerTransaction] = {}
        self._clients: dict[ClientKey, ClientTransaction] = {}
        self._clients_on: dict[Flow, set[ClientTransaction]] = {}
        self._servers_on: dict[Flow, set[ServerTransaction]] = {}  # connections only, by where answers leave

    @property
    def open_transactions(self) -> int:
        """How many transactions have not terminated."""
        return len(self._servers) + len(self._clients)

    def knows(self, key: ServerKey) -> bool:
        """Whether a request with this key is being worked on, or was not long ago."""
        return key in self._servers

    # --- from the network

    def receive_request(self, request: Request, flow: Flow, now: float) -> None:
        """A request that passed the sanity check and whose top Via is stamped. Raises MalformedValue."""
        method = request.method
        if method == "ACK":
            self._receive_ack(request, flow, now)
            return
        key = server_key(request, method)
        transaction = self._servers.get(key)
        if transaction is not None:
            transaction.handle(_RETRANSMISSION, request, now)
            return
        transaction = self._servers[key] = ServerTransaction(self, key, request, flow)
        if flow.reliable:
            self._servers_on.setdefault(flow, set()).add(transaction)
        if method == "CANCEL":
            self.user.cancel(transaction, self._servers.get(server_key(request, "INVITE")), now)
        else:
            self.user.request(transaction, now)
        if transaction.last_response is None:
            transaction.await_answer(now)

    def _receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK goes to the INVITE transaction it acknowledges, else to the user (RFC 3261 §17.2.3)."""
        transaction = self._servers.get(server_key(request, "INVITE"))
        if not follows_rfc3261(request.via.branch):
            transaction = self._legacy_acknowledged(request, transaction)
        if transaction is None:
            self.user.ack(request, flow, now)
        else:
            transaction.handle(_ACK, request, now)

    def _legacy_acknowledged(self, ack: Request, found: ServerTransaction | None) -> ServerTransaction | None:
        """The INVITE an RFC 2543 ACK belongs to: also its To tag must be the one we answered with (§17.2.3).

        ``found`` has the ACK's To tag in its own request (a re-INVITE); a first INVITE had none.
        """
        transaction = found or self._servers.get(legacy_key(ack, "INVITE", None))
        if transaction is None or transaction.last_response is None:
            return None
        return transaction if transaction.last_response.to.tag == ack.to.tag else None

    def receive_response(self, response: Response, _flow: Flow, now: float) -> None:
        """A response, on whatever flow it comes (RFC 3261 §17.1.3). Raises MalformedValue.

        Dropped when it matches no client transaction (RFC 6026 §7.3).
        """
        branch = response.via.branch
        if branch is None:
            return
        transaction = self._clients.get((branch, response.cseq.method))
        if transaction is None:
            return
        code = response.code
        event = _CLIENT_PROVISIONAL if code < 200 else _CLIENT_SUCCESS if code < 300 else _CLIENT_FAILURE
        transaction.handle(event, response, now)

    # --- from the transaction user

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Answer a request. What the state doesn't allow is dropped.

        That covers anything after the end, a 1xx after a final response, and for non-INVITE requests any provisional
        response (the layer sends the one 100 allowed, at its time) and 408 (RFC 4320 §4).
        """
        code = response.code
        if code < 200:
            event = _SERVER_PROVISIONAL
        elif code < 300:
            event = _SERVER_SUCCESS
        elif code == 408 and transaction.method != "INVITE":
            return
        else:
            event = _SERVER_FAILURE
        transaction.handle(event, response, now)

    def respond_once(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Answer and forget, as if there were no transactions: who may be anybody is worth no memory and no
        retransmissions to whatever address it claims (RFC 3261 §26.3.2.4). A repeated request is a new one then.
        """
        transaction.handle(_SINGLE, response, now)

    def start(self, request: Request, flow: Flow, now: float, owner: Any) -> ClientTransaction:
        """Send a request (not ACK) whose top Via is ours and has a branch nobody used. Raises MalformedValue."""
        return self.start_on_branch(request, flow, now, owner, request.via.branch or "")

    def start_on_branch(self, request: Request, flow: Flow, now: float, owner: Any, branch: str) -> ClientTransaction:
        """The same when the caller knows the branch it put in the Via: the Via is not read again."""
        transaction = ClientTransaction(self, request, flow, branch, owner)
        self._clients[branch, request.method] = transaction
        on_flow = self._clients_on.get(flow)
        if on_flow is None:
            on_flow = self._clients_on[flow] = set()
        on_flow.add(transaction)
        transaction.start(now)
        return transaction

    def cancel(self, transaction: ClientTransaction, now: float, reason: Sequence[str] = ()) -> None:
        """Cancel an INVITE: at once after a provisional response, else when one comes (RFC 3261 §9.1).

        ``reason`` holds the Reason values for the CANCEL (RFC 3326). Without effect after a final response.
        """
        transaction.handle(_CANCEL, reason, now)

    # --- from the transport

    def lost(self, flow: Flow, now: float) -> None:
        """Sending on ``flow`` failed or its connection closed (RFC 3261 §17.1.4, RFC 6026 §7.1)."""
        for client in tuple(self._clients_on.get(flow, ())):
            client.handle(_TRANSPORT_ERROR, None, now)
        for server in self._servers_on.pop(flow, ()):
            server.lost_connection(now)

    def find_sender(self, transaction: ServerTransaction, ways: Sequence[Flow]) -> None:
        """Where the sender of a stranded request may be answered, best first (RFC 3263 §5)."""
        transaction.try_ways(ways)

    # --- from the transactions

    def reroute(self, transaction: ServerTransaction, flow: Flow) -> None:
        """The responses of this transaction leave on another connection from now on."""
        self._leave(transaction)
        transaction.reply_flow = flow
        self._servers_on.setdefault(flow, set()).add(transaction)

    def forget_client(self, transaction: ClientTransaction) -> None:
        """The transaction has terminated."""
        del self._clients[transaction.branch, transaction.method]
        on_flow = self._clients_on[transaction.flow]
        on_flow.discard(transaction)
        if not on_flow:
            del self._clients_on[transaction.flow]

    def forget_server(self, transaction: ServerTransaction) -> None:
        """The transaction has terminated."""
        del self._servers[transaction.key]
        if transaction.flow.reliable:
            self._leave(transaction)

    def _leave(self, transaction: ServerTransaction) -> None:
        on_flow = self._servers_on.get(transaction.reply_flow)
        if on_flow is not None:
            on_flow.discard(transaction)
            if not on_flow:
                del self._servers_on[transaction.reply_flow]

"""A request of our own on the way that a party's takes: as if that had sent it, but nobody waits for its answers."""

from sipguard.sip.flow import Flow
from sipguard.sip.message import Message, Request
from sipguard.transaction.key import server_key
from sipguard.transaction.layer import TransactionLayer
from sipguard.transaction.server import ServerTransaction


class OwnRequest(ServerTransaction):
    """Stands where the server transaction of a received request would."""

    __slots__ = ()

    def __init__(self, layer: TransactionLayer, request: Request, flow: Flow) -> None:
        """``flow`` is the party's. Raises MalformedValue."""
        super().__init__(layer, server_key(request, request.method), request, flow)

    def handle(self, event: int, message: Message | None, now: float) -> None:
        """Whatever is answered ends here."""

"""What the transaction layer tells the transaction user (RFC 3261 §5: the proxy core).

The calls come from inside ``TransactionLayer`` doors, in the order things happened. The user may call the layer back
at once; a transaction's state is always settled before the user hears of it. ``gone`` may therefore arrive while the
user is still inside its own ``respond`` (on a reliable flow a final response ends a non-INVITE transaction at once).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sipguard.sip.flow import Flow
    from sipguard.sip.message import Request, Response
    from sipguard.transaction.client import ClientTransaction
    from sipguard.transaction.server import ServerTransaction


class TransactionUser(Protocol):
    """The proxy, as the transactions see it."""

    def request(self, transaction: ServerTransaction, now: float) -> None:
        """A new request that is neither ACK nor CANCEL; answer it through ``TransactionLayer.respond``."""

    def cancel(self, transaction: ServerTransaction, invite: ServerTransaction | None, now: float) -> None:
        """A new CANCEL and the INVITE transaction it is about, if there is one; answer it (RFC 3261 §9.2, §16.10)."""

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK for a 2xx, or one that matches nothing: it is its own transaction and wants no answer."""

    def response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A response the state machine lets through; retransmitted 2xx to an INVITE included (RFC 6026 §7.2)."""

    def timed_out(self, transaction: ClientTransaction, now: float) -> None:
        """No final response: Timer B or F, or 64*T1 after a CANCEL (RFC 3261 §9.1). The transaction has ended."""

    def unreachable(self, transaction: ClientTransaction, now: float) -> None:
        """The request can't be delivered on its flow (RFC 3261 §17.1.4). The transaction has ended."""

    def gone(self, transaction: ServerTransaction, now: float) -> None:
        """The server transaction has ended, however it did; what ``context`` holds can be let go."""

    def stranded(self, transaction: ServerTransaction, now: float) -> None:
        """Its sender cannot be reached any more; ``TransactionLayer.find_sender`` takes where else it may be."""

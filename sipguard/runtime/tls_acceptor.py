"""Accepting TLS connections: every handshake is bounded in time, and so is the number of those under way.

The listening socket is read here and not by a server of the loop, so that each connection gets the certificate that is
in force when it comes, and strangers who only begin handshakes can keep neither memory nor all places (TRN-18): when as
many are under way as may be, the oldest is given up for the next.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from sipguard.runtime.addressing import plain_host

logger = logging.getLogger(__name__)

SHUTDOWN = 1.0  # seconds a peer gets to say goodbye before its connection is cut
_PAUSE = 0.1  # seconds without accepting when the process has no descriptor left


class TlsAcceptor:
    """Accepts on one socket. ``admits`` says whether a host may have one connection more."""

    def __init__(
        self, bound: socket.socket, context: Callable[[], ssl.SSLContext], connection: Callable[[], asyncio.Protocol],
        admits: Callable[[str], bool], timeout: float, most: int,
    ) -> None:  # fmt: skip
        """``timeout`` bounds one handshake, ``most`` those under way; one host may have a quarter of them."""
        self.refused = self.failed = 0
        self._bound = bound
        self._context = context
        self._connection = connection
        self._admits = admits
        self._timeout = timeout
        self._most = most
        self._most_per_host = max(1, most // 4)
        self._hosts: Counter[str] = Counter()
        self._tasks: dict[asyncio.Task[None], None] = {}  # oldest first
        self._accepting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        """Stop accepting, give up handshakes, free the port."""
        tasks = [*self._tasks] if self._accepting is None else [self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._bound.close()

    @property
    def handshakes(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._bound)
            except OSError as error:
                logger.warning("tls.accept-failed", extra={"fields": {"detail": str(error)}})
                await asyncio.sleep(_PAUSE)
                continue
            host = plain_host(address)
            if self._hosts[host] >= self._most_per_host or not self._admits(host):
                self.refused += 1
                accepted.close()
                continue
            if len(self._tasks) >= self._most:
                self._give_up_oldest()
            self._hosts[host] += 1
            task = loop.create_task(self._handshake(accepted, host))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)

    def _give_up_oldest(self) -> None:
        oldest = next((task for task in self._tasks if not task.cancelling()), None)
        if oldest is not None:
            self.refused += 1
            oldest.cancel()

    async def _handshake(self, accepted: socket.socket, host: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._connection,
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=self._timeout,
                ssl_shutdown_timeout=SHUTDOWN,
            )
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            self.failed += 1
            accepted.close()
            logger.info("tls.handshake-failed", extra={"fields": {"host": host, "detail": reason(error)}})
        except asyncio.CancelledError:
            accepted.close()
            raise
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]


def reason(error: Exception) -> str:
    """Why a handshake failed, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or str(error) or type(error).__name__

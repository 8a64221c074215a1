"""Who takes TCP in place of UDP: requests too large for a datagram are sent over a stream (RFC 3261 §18.1.1), unless
the neighbour is known to refuse it.

Nothing but a try tells. What a refusal taught is kept an hour: long enough that calls do not wait for connections that
nobody accepts, short enough that a neighbour that learnt TCP is noticed.
"""

from sipguard.sip.flow import Flow

_REFUSAL_KEPT = 3600.0  # seconds
_CAPACITY = 4096

_Place = tuple[str, int]


class StreamMemory:
    """By address and port, of neighbours that a large request was sent to."""

    __slots__ = ("_refused", "_tried")

    def __init__(self) -> None:
        self._refused: dict[_Place, float] = {}  # until when, monotonic
        self._tried: set[_Place] = set()  # sent to over a stream, not heard from yet

    def takes(self, host: str, port: int, now: float) -> bool:
        """Whether to try a stream."""
        until = self._refused.get((host, port))
        return until is None or until <= now

    def tried(self, host: str, port: int) -> None:
        """A large request was sent over a stream."""
        if len(self._tried) >= _CAPACITY:
            self._tried.clear()
        self._tried.add((host, port))

    def took(self, host: str, port: int) -> None:
        """An answer came to one."""
        self._tried.discard((host, port))
        self._refused.pop((host, port), None)

    def refused(self, host: str, port: int, now: float) -> None:
        """The stream could not be opened, or broke before there was an answer."""
        self._tried.discard((host, port))
        if len(self._refused) >= _CAPACITY:
            self._refused.clear()
        self._refused[host, port] = now + _REFUSAL_KEPT

    def lost(self, flow: Flow, now: float) -> None:
        """A stream is gone: a refusal, when it carried nothing but a large request nobody has answered."""
        if flow.reliable and (flow.host, flow.port) in self._tried:
            self.refused(flow.host, flow.port, now)

"""Which servers are well: a circuit breaker with hysteresis, fed by calls and by probes.

A server is down after so many failures in a row (no answer in time, not reachable; of a probe also 503), and up again
after so many answers. One that is down is tried last, never left out: it may be all there is. Now and then one call
tries it at its own place all the same, so that it comes back without probes. A 503 with Retry-After is taken at its
word (RFC 3261 §21.5.4) in the same manner.

Only servers in trouble are remembered, so that a well network costs a call nothing.
"""

from collections.abc import Callable

from sipguard.policy.need import Server, TargetNeed
from sipguard.proxy.output import INFO, WARNING
from sipguard.proxy.settings import ProxySettings

_LONGEST_HOLD = 300.0  # seconds, whatever Retry-After says
_CAPACITY = 4096


class _Trouble:
    """What is held against one server."""

    __slots__ = ("down", "failures", "held_until", "successes", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.successes = 0
        self.down = False
        self.until = 0.0  # when a call may try it again, monotonic
        self.held_until = 0.0  # the end of its Retry-After


class Health:
    """``troubled`` is empty while nothing is amiss; ``log`` is ``Station.log``."""

    def __init__(self, settings: ProxySettings, log: Callable[..., None]) -> None:
        self.troubled: dict[Server, _Trouble] = {}
        self._settings = settings
        self.log = log

    def failed(self, server: Server, now: float, detail: str) -> None:
        """No answer in time, not reachable, or a probe that was refused."""
        trouble = self._trouble(server)
        trouble.failures += 1
        trouble.successes = 0
        trouble.until = now + self._settings.retry_after
        if not trouble.down and trouble.failures >= self._settings.down_after:
            trouble.down = True
            self.log(WARNING, "target.down", target=name_of(server), detail=detail)

    def answered(self, server: Server, now: float) -> None:
        """The server said something that shows it is well."""
        trouble = self.troubled.get(server)
        if trouble is None:
            return
        trouble.failures = 0
        trouble.successes += 1
        trouble.until = now
        if trouble.down and trouble.successes >= self._settings.up_after:
            trouble.down = False
            self.log(INFO, "target.up", target=name_of(server))
        if not trouble.down and trouble.held_until <= now:
            del self.troubled[server]

    def hold(self, server: Server, seconds: float, now: float) -> None:
        """The server asked to be left alone."""
        self._trouble(server).held_until = now + min(seconds, _LONGEST_HOLD)

    def is_up(self, server: Server) -> bool:
        """Whether the server counts as up, whatever it asked for."""
        trouble = self.troubled.get(server)
        return trouble is None or not trouble.down

    def is_well(self, place: Server | TargetNeed, now: float) -> bool:
        """Whether a call may try this at its own place; of a server that is down it becomes true once in a while.

        A name is well: what is behind it is judged when it is known.
        """
        trouble = self.troubled.get(place) if isinstance(place, Server) else None
        if trouble is None:
            return True
        if trouble.held_until > now:
            return False
        if trouble.down:
            if trouble.until > now:
                return False
            trouble.until = now + self._settings.retry_after  # this call tries it; the others wait for what comes of it
        return True

    def _trouble(self, server: Server) -> _Trouble:
        trouble = self.troubled.get(server)
        if trouble is None:
            if len(self.troubled) >= _CAPACITY:
                self.troubled.clear()
            trouble = self.troubled[server] = _Trouble()
        return trouble


def name_of(server: Server) -> str:
    """How logs call a server."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{server.transport}:{host}:{server.port}"

"""The timer values of RFC 3261 §17 and table 4, and what follows from them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """Seconds. T1 estimates the round trip, T2 caps the retransmission interval, T4 is a message's life in the network.

    ``timer_c`` bounds a proxied INVITE that only rings: more than three minutes (RFC 3261 §16.6 (11)). The proxy runs
    it.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    timer_c: float = 181.0

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L, M, and the wait for a final response after a CANCEL."""
        return 64 * self.t1

    @property
    def timer_d(self) -> float:
        """At least 32 s, because the peer's T1 isn't known (RFC 6026 §8.4)."""
        return max(32.0, self.timeout)

    @property
    def non_invite_trying(self) -> float:
        """When a client's Timer E reaches T2: no 100 to a non-INVITE request before that, one then (RFC 4320 §4.1)."""
        elapsed, interval = 0.0, self.t1
        while interval < self.t2:
            elapsed += interval
            interval *= 2
        return elapsed

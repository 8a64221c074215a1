"""Servers that asked for less (RFC 7339): how much of what would go to them is left out, and for how long.

The loss algorithm (§7): of the requests that may be left out, new calls that are no emergency, such a share goes
elsewhere that all requests together are reduced by what was asked. Requests inside a dialog always go: a call that is
up must end. The share is kept as an even rhythm, not by drawing lots.

Only servers that ask for something are remembered, so that a well network costs a call nothing.
"""

from sipguard.policy.need import Server
from sipguard.proxy.oc_parameters import Demand

_CAPACITY = 4096  # servers
_RESTART = 60.0  # a sequence number that fell by more than this begins anew (RFC 7339 §4.4)
_MIX_HALVED = 256  # requests, after which older ones count half for the mix
_FIRST_MIX = (8.0, 2.0)  # §7.2: four fifths may be left out, until we know better

Place = tuple[str, int]


class _Limit:
    """What one server asked for, and how far we are with it."""

    __slots__ = ("debt", "loss", "new", "other", "sequence", "until")

    def __init__(self) -> None:
        self.loss = 0.0
        self.until = 0.0  # monotonic
        self.sequence: float | None = None
        self.new, self.other = _FIRST_MIX  # requests that may be left out, and the others
        self.debt = 0.0  # requests still to be left out


class Throttle:
    """``active`` is whether anybody asks for less: one cheap question for each request."""

    def __init__(self, longest_validity: float) -> None:
        self.active = False
        self._longest = longest_validity
        self._limits: dict[Place, _Limit] = {}

    def learn(self, place: Place, asked: Demand, now: float) -> None:
        """A response from there said this."""
        limit = self._limits.get(place)
        if limit is None:
            if asked.validity == 0 or asked.loss == 0:
                return
            if len(self._limits) >= _CAPACITY:
                self._limits.clear()
            limit = self._limits[place] = _Limit()
        elif _is_old(asked.sequence, limit.sequence):
            return
        limit.sequence = asked.sequence
        limit.loss = asked.loss if asked.validity else 0.0
        limit.until = now + min(asked.validity, self._longest)
        self.active = True

    def takes(self, server: Server, now: float, *, spared: bool) -> bool:
        """Whether a request may go there now; one that is ``spared`` always may."""
        place = (server.host, server.port)
        limit = self._limits.get(place)
        if limit is None:
            return True
        if now >= limit.until:
            del self._limits[place]
            self.active = bool(self._limits)
            return True
        if limit.new + limit.other > _MIX_HALVED:
            limit.new, limit.other = limit.new / 2, limit.other / 2
        if spared:
            limit.other += 1
            return True
        limit.new += 1
        limit.debt += min(1.0, limit.loss * (limit.new + limit.other) / limit.new)
        if limit.debt < 1.0:
            return True
        limit.debt -= 1.0
        return False


def _is_old(sequence: float | None, known: float | None) -> bool:
    """Whether a demand is none newer than the one at hand: repeated, or late."""
    if sequence is None or known is None:
        return False
    return known - _RESTART <= sequence <= known

"""The nonces of our challenges: nothing is kept of one that is given out, and none is good twice (RFC 7616 §3.3, §5.4).

A nonce is the moment it was made, random digits, and a keyed digest over both, so that only this process can have made
it. What is remembered is the highest count that came with a nonce, once one came: a request whose count is not higher
is a replay. That memory is bounded. When the oldest entry has to go before its time, every nonce as old as it counts as
too old from then on: its owner is challenged once more, and still nothing can be replayed.
"""

import hashlib
import hmac

_MOMENT = 8  # hexadecimal digits of seconds
_RANDOM = 16


class Nonces:
    """Makes and judges nonces. Times are wall-clock seconds."""

    __slots__ = ("_floor", "_key", "_used")

    def __init__(self, key: bytes) -> None:
        """``key`` is new for every process: after a restart nobody remembers the counts of the nonces before it."""
        self._key = key
        self._used: dict[str, tuple[int, int]] = {}  # nonce: when it was made, its highest count
        self._floor = -1

    def __len__(self) -> int:
        return len(self._used)

    def issue(self, random: str, wall: float) -> str:
        """A new nonce; ``random`` is fresh hexadecimal text."""
        text = f"{int(wall) & 0xFFFFFFFF:08x}{random[:_RANDOM]:0>{_RANDOM}}"
        return text + self._digest(text)

    def accept(self, nonce: str, count: int, wall: float, lifetime: float, capacity: int) -> bool:
        """Whether a nonce is ours, not too old, and was not used with this count or a later one; it is, from now on."""
        text = nonce[: _MOMENT + _RANDOM]
        digest = nonce[_MOMENT + _RANDOM :]
        if not hmac.compare_digest(digest.encode("latin-1"), self._digest(text).encode("ascii")):
            return False
        made = int(text[:_MOMENT], 16)
        used = self._used.get(nonce)
        if count < 1 or not made <= wall < made + lifetime:
            return False
        if used is None:
            if made <= self._floor:
                return False
            self._make_room(wall - lifetime, capacity)
        elif count <= used[1]:
            return False
        self._used[nonce] = (made, count)
        return True

    def _make_room(self, expired: float, capacity: int) -> None:
        """Forget what is too old, and the oldest when that was not enough."""
        while self._used:
            oldest = next(iter(self._used))
            made = self._used[oldest][0]
            if made > expired and len(self._used) < capacity:
                return
            del self._used[oldest]
            self._floor = max(self._floor, made)

    def _digest(self, text: str) -> str:
        return hashlib.blake2b(text.encode("latin-1"), key=self._key, digest_size=16).hexdigest()

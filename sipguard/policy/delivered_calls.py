"""The calls that this node delivered lately to customers that may forward: who called which of their numbers.

It is the best evidence there is that a forwarded call is one, and it keeps the Identity header fields that were
verified, which many a PBX forgets. The table is bounded: the oldest call goes first. A call licenses a few forwards,
for a PBX hunts: one telephone after the other, or several at once.
"""

from sipguard.stir.claims import Claims
from sipguard.stir.telephone_number import TN

Pair = tuple[TN, TN]  # who called, and which number


class DeliveredCall:
    """One of them: until when it counts, how many forwards it still licenses, and what vouched for its caller."""

    __slots__ = ("claims", "forwards", "identities", "until")

    def __init__(self, until: float, forwards: int, identities: tuple[str, ...], claims: tuple[Claims, ...]) -> None:
        """``identities`` are the Identity header field values that were found good, ``claims`` what they say."""
        self.until = until
        self.forwards = forwards
        self.identities = identities
        self.claims = claims


class DeliveredCalls:
    """The latest call of each pair of numbers, at most ``capacity`` of them. Times are monotonic seconds."""

    __slots__ = ("_calls", "capacity")

    def __init__(self, capacity: int = 10_000) -> None:
        self.capacity = capacity
        self._calls: dict[Pair, DeliveredCall] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, pair: Pair, call: DeliveredCall, now: float) -> None:
        """This call was delivered now, and counts for a while."""
        calls = self._calls
        calls.pop(pair, None)  # to the end
        calls[pair] = call
        while len(calls) > self.capacity or next(iter(calls.values())).until <= now:
            del calls[next(iter(calls))]

    def find(self, pair: Pair, now: float) -> DeliveredCall | None:
        """The call of this caller to this number, while it counts."""
        call = self._calls.get(pair)
        return call if call is not None and now < call.until else None

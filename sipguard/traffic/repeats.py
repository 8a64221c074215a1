"""Repeats: how often an account called one number lately, by the moments of its latest calls to it.

Only as many moments are kept as it takes to say "too often", and one more, which may be taken back. The table is
bounded: what an account called outside the window makes room first. At the bound an account that has its share of the
table, or more, forgets the number it called longest ago itself; any other takes the room from the account that has
most. So nobody who calls many numbers makes the node forget whom others called.
"""

Pair = tuple[str, str]  # the account and the called number
_Moments = tuple[float, ...]


class Repeats:
    """The latest calls of each account by number, those called last at the end; times are monotonic seconds."""

    __slots__ = ("_accounts", "_pairs", "capacity")

    def __init__(self, capacity: int = 100_000) -> None:
        """``capacity`` bounds the pairs of account and number."""
        self.capacity = capacity
        self._pairs = 0
        self._accounts: dict[str, dict[str, _Moments]] = {}

    def __len__(self) -> int:
        return self._pairs

    def within(self, pair: Pair, window: float, now: float) -> int:
        """How many of the calls that are remembered were made within the window."""
        account, tn = pair
        called = self._accounts.get(account)
        moments = None if called is None else called.get(tn)
        return 0 if moments is None else sum(1 for moment in moments if moment > now - window)

    def count(self, pair: Pair, kept: int, window: float, now: float) -> None:
        """One more call; ``kept`` of those before it are remembered."""
        account, tn = pair
        moments = (*self._take(account, tn)[-kept:], now)
        called = self._accounts.setdefault(account, {})
        while called and next(iter(called.values()))[-1] <= now - window:
            del called[next(iter(called))]
            self._pairs -= 1
        while self._pairs and self._pairs >= self.capacity:
            self._make_room(account)
        self._accounts.setdefault(account, {})[tn] = moments
        self._pairs += 1

    def withdraw(self, pair: Pair) -> None:
        """The latest call went nowhere after all."""
        account, tn = pair
        called = self._accounts.get(account)
        earlier = () if called is None else called.get(tn, ())[:-1]
        if called is not None and earlier:
            called[tn] = earlier
        else:
            self._take(account, tn)

    def _make_room(self, account: str) -> None:
        """Forget one pair."""
        own = self._accounts.get(account, {})
        if len(own) * len(self._accounts) < self.capacity:
            account = max(self._accounts, key=lambda name: len(self._accounts[name]))
        self._take(account, next(iter(self._accounts[account])))

    def _take(self, account: str, tn: str) -> _Moments:
        """What is remembered of a pair, and nothing of it any more."""
        called = self._accounts.get(account)
        moments = None if called is None else called.pop(tn, None)
        if called is None or moments is None:
            return ()
        self._pairs -= 1
        if not called:
            del self._accounts[account]
        return moments

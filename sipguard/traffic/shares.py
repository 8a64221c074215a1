"""Shares: values by account and called number in one bounded table that no account can fill at another's cost.

At the bound an account that has its share of the table, or more, gives up its own oldest entry; any other takes the
room from the account that has most. So nobody who calls, or is refused at, many numbers makes the node forget what it
knows of others.
"""

from typing import Generic, TypeVar

Pair = tuple[str, str]  # an account and a called number
_T = TypeVar("_T")


class Shares(Generic[_T]):
    """``capacity`` bounds the entries; those of an account are in the order in which they were put there."""

    __slots__ = ("_accounts", "_entries", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries = 0
        self._accounts: dict[str, dict[str, _T]] = {}

    def __len__(self) -> int:
        return self._entries

    def get(self, pair: Pair) -> _T | None:
        """What is there for a pair."""
        own = self._accounts.get(pair[0])
        return None if own is None else own.get(pair[1])

    def oldest(self, account: str) -> _T | None:
        """What was put there first of what is left of an account's."""
        own = self._accounts.get(account)
        return None if own is None else next(iter(own.values()))

    def put(self, pair: Pair, value: _T) -> None:
        """The newest entry of an account, in place of an earlier one for the pair."""
        account, tn = pair
        self.take(pair)
        while self._entries and self._entries >= self.capacity:
            self._make_room(account)
        self._accounts.setdefault(account, {})[tn] = value
        self._entries += 1

    def change(self, pair: Pair, value: _T) -> None:
        """Another value for a pair that is there, which stays where it is."""
        self._accounts[pair[0]][pair[1]] = value

    def take(self, pair: Pair) -> _T | None:
        """What is there for a pair, and is no longer."""
        account, tn = pair
        own = self._accounts.get(account)
        value = None if own is None else own.pop(tn, None)
        if own is None or value is None:
            return None
        self._entries -= 1
        if not own:
            del self._accounts[account]
        return value

    def drop_oldest(self, account: str) -> None:
        """Forget the oldest entry of an account that has any."""
        self.take((account, next(iter(self._accounts[account]))))

    def _make_room(self, account: str) -> None:
        if len(self._accounts.get(account, ())) * len(self._accounts) < self.capacity:
            account = max(self._accounts, key=lambda name: len(self._accounts[name]))
        self.drop_oldest(account)

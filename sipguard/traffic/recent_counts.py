"""Recent counts: how often something happened in the last minutes, by key, in bounded memory.

The window slides by whole buckets, and only those that lie wholly inside it count: what is told is never more than
what happened in the window, and less by no more than what happened in its oldest bucket. A key is one flat list, its
total and then the number and the count of each bucket in which anything happened, so what happens once costs little.
"""

from collections import OrderedDict

Key = tuple[str, str]  # whose, and which

_TOTAL, _OLDEST = 0, 1


class RecentCounts:
    """Counts by key over one window. Times are monotonic seconds; an earlier one counts into the newest bucket."""

    __slots__ = ("_buckets", "_rows", "_width", "capacity")

    def __init__(self, seconds: float, buckets: int, capacity: int = 100_000) -> None:
        """``capacity`` bounds the keys; beyond it the one that nothing happened to for longest is forgotten."""
        self.capacity = capacity
        self._width = seconds / buckets
        self._buckets = buckets
        self._rows: OrderedDict[Key, list[int]] = OrderedDict()  # in the order of the last event

    def __len__(self) -> int:
        return len(self._rows)

    def count(self, key: Key, now: float) -> int:
        """How often it happened in the window that ends now."""
        row = self._rows.get(key)
        if row is None:
            return 0
        self._trim(row, int(now / self._width))
        return row[_TOTAL]

    def add(self, key: Key, now: float) -> None:
        """It happened once more."""
        rows, bucket = self._rows, int(now / self._width)
        row = rows.get(key)
        if row is None:
            self._make_room(bucket)
            rows[key] = [1, bucket, 1]
            return
        rows.move_to_end(key)
        self._trim(row, bucket)
        row[_TOTAL] += 1
        if len(row) > _OLDEST and row[-2] >= bucket:
            row[-1] += 1
        else:
            row += (bucket, 1)

    def take_back(self, key: Key) -> None:
        """The last time it did not happen after all."""
        row = self._rows.get(key)
        if row is not None and len(row) > _OLDEST:
            row[_TOTAL] -= 1
            row[-1] -= 1
            if not row[-1]:
                del row[-2:]

    def _trim(self, row: list[int], bucket: int) -> None:
        """Let go of what is older than the window."""
        oldest = bucket - self._buckets + 1
        while len(row) > _OLDEST and row[_OLDEST] < oldest:
            row[_TOTAL] -= row[_OLDEST + 1]
            del row[_OLDEST : _OLDEST + 2]

    def _make_room(self, bucket: int) -> None:
        """Forget some keys whose window is empty, and the first ones while there are too many."""
        rows = self._rows
        for _ in range(2):  # more than are added, so the old ones go in the end
            if not rows:
                return
            first = next(iter(rows.values()))
            if len(first) > _OLDEST and first[-2] > bucket - self._buckets:
                break
            rows.popitem(last=False)
        while len(rows) >= self.capacity:
            rows.popitem(last=False)

"""The window: one hour of an account's calls as twelve rings of five minutes, with running totals.

Every event is a few integer additions and memory never grows: a bucket that leaves the hour is subtracted from the
totals and used again. Talk time is kept in whole milliseconds so that adding and subtracting it is exact.

Calls that are still up matter as much as those that ended, or a busy account's first minute would look like a dialer's
(only its short calls have ended yet). Two integers hold them: how many there are and the sum of their answer times.
"""

BUCKET_SECONDS = 300
BUCKETS = 12
WINDOW_SECONDS = BUCKET_SECONDS * BUCKETS

# What a bucket counts. An attempt is an initial INVITE accepted from the source; one that was only challenged for
# credentials (401, 407) is taken back. Short: answered, and ended within the profile's limit. Abandoned: cancelled by
# the caller. Invalid: 404, 410, 484, 604. Unsuccessful: failed or abandoned.
ATTEMPTS, ANSWERED, ENDED, SHORT, TALK, ABANDONED, INVALID, UNSUCCESSFUL = range(8)

INVALID_CODES = frozenset((404, 410, 484, 604))
CHALLENGE_CODES = frozenset((401, 407))


class Window:
    """The last hour of one account. Times are monotonic seconds; a time before the newest bucket counts into it."""

    __slots__ = ("_buckets", "_newest", "_open", "_open_since", "totals")

    def __init__(self, now: float) -> None:
        self._buckets = [[0] * 8 for _ in range(BUCKETS)]
        self._newest = int(now) // BUCKET_SECONDS
        self._open = 0
        self._open_since = 0  # milliseconds, summed over the calls that are up
        self.totals = [0] * 8

    def advance(self, now: float) -> None:
        """Let go of what is older than an hour."""
        self._bucket(now)

    def attempt(self, now: float) -> None:
        """An initial INVITE was accepted from the account."""
        self._count(ATTEMPTS, 1, self._bucket(now))

    def answered(self, now: float) -> None:
        """A call was answered with 2xx."""
        self._count(ANSWERED, 1, self._bucket(now))
        self._open += 1
        self._open_since += int(now * 1000)

    def ended(self, duration: float, short_seconds: float, now: float) -> None:
        """An answered call ended ``duration`` seconds after its 2xx."""
        bucket = self._bucket(now)
        milliseconds = max(0, int(duration * 1000))
        self._count(ENDED, 1, bucket)
        self._count(TALK, milliseconds, bucket)
        if duration <= short_seconds:
            self._count(SHORT, 1, bucket)
        if self._open:
            self._open -= 1
            self._open_since -= int(now * 1000) - milliseconds
            if not self._open:
                self._open_since = 0

    def abandoned(self, now: float) -> None:
        """The caller cancelled before an answer."""
        bucket = self._bucket(now)
        self._count(ABANDONED, 1, bucket)
        self._count(UNSUCCESSFUL, 1, bucket)

    def failed(self, code: int, now: float) -> None:
        """The call got a final response that is not 2xx."""
        bucket = self._bucket(now)
        if code in CHALLENGE_CODES:
            if bucket[ATTEMPTS]:
                self._count(ATTEMPTS, -1, bucket)
            return
        self._count(UNSUCCESSFUL, 1, bucket)
        if code in INVALID_CODES:
            self._count(INVALID, 1, bucket)

    def talk_seconds(self, now: float) -> float:
        """Seconds talked by the calls that ended in the window and, at most an hour each, by those that are up."""
        running = self._open * int(now * 1000) - self._open_since
        running = max(0, min(running, self._open * WINDOW_SECONDS * 1000))
        return (self.totals[TALK] + running) / 1000

    def _count(self, kind: int, amount: int, bucket: list[int]) -> None:
        bucket[kind] += amount
        self.totals[kind] += amount

    def _bucket(self, now: float) -> list[int]:
        number = int(now) // BUCKET_SECONDS
        passed = number - self._newest
        if passed > 0:
            for step in range(1, min(passed, BUCKETS) + 1):
                bucket = self._buckets[(self._newest + step) % BUCKETS]
                for kind in range(8):
                    self.totals[kind] -= bucket[kind]
                    bucket[kind] = 0
            self._newest = number
        return self._buckets[self._newest % BUCKETS]

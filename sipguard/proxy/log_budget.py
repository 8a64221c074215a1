"""How many lines of one kind go to the log: so many a minute, then only their number, whoever sends what."""

_MINUTE = 60.0


class LogBudget:
    """Lines that may be written; times are monotonic seconds."""

    __slots__ = ("_lines", "_omitted", "_since", "_written")

    def __init__(self, lines: int) -> None:
        """``lines`` is how many a minute."""
        self._lines = lines
        self._since = 0.0
        self._written = 0
        self._omitted = 0

    def admits(self, now: float) -> bool:
        """Whether one more line may be written; one that may not is counted."""
        if now >= self._since + _MINUTE:
            self._since, self._written = now, 0
        if self._written >= self._lines:
            self._omitted += 1
            return False
        self._written += 1
        return True

    def omitted(self) -> int:
        """How many lines were left out since this was last asked."""
        omitted, self._omitted = self._omitted, 0
        return omitted

"""When a reload that the registry asks for is worth a try: at once, and after one that failed later and later.

What makes a reload fail, a file or a row, stays as it is until somebody repairs it. So a try knows what it was made for
(``cause``: the registry's revision, the stamps of the files); when that is another, the next is made at once.
"""

from sipguard.runtime.clock import Clock

_FIRST = 1.0  # seconds until the second try
_LONGEST = 60.0


class ReloadPace:
    """Says when; is told how it went."""

    __slots__ = ("_cause", "_clock", "_next", "_trying", "_wait")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cause: object = None
        self._trying = False
        self._wait = 0.0  # seconds; 0 when the last reload succeeded
        self._next = 0.0

    def is_due(self, cause: object) -> bool:
        """Whether to reload now; the caller does it then."""
        if cause == self._cause:
            if self._trying or self._clock.monotonic() < self._next:
                return False
        else:
            self._wait = 0.0
        self._cause = cause
        self._trying = True
        return True

    def ended(self, *, well: bool) -> None:
        """A reload has ended, whoever asked for it."""
        self._trying = False
        self._wait = 0.0 if well else min(max(2 * self._wait, _FIRST), _LONGEST)
        self._next = self._clock.monotonic() + self._wait

"""What went wrong inside: counted, and told in one JSON line, never as a traceback.

A bug while one datagram is handled costs that datagram only. A peer that found such a bug can repeat it at will, so the
same place in the code speaks at most once a second; the count goes on.
"""

import logging
import traceback
from collections import Counter
from pathlib import PurePath

from sipguard.runtime.clock import Clock

logger = logging.getLogger(__name__)

_QUIET = 1.0  # seconds between two lines about one place
_PLACES = 256


class Faults:
    """Counts alarms by name and reports unexpected exceptions."""

    def __init__(self, clock: Clock) -> None:
        self.alarms: Counter[str] = Counter()
        self._clock = clock
        self._told: dict[str, float] = {}

    def bug(self, where: str, error: BaseException) -> None:
        """Count and report an exception nobody expected; ``where`` is the door it came through, a fixed word."""
        self.alarms["bug"] += 1
        place = _place(error)
        now = self._clock.monotonic()
        if now - self._told.get(place, float("-inf")) < _QUIET:
            return
        if len(self._told) >= _PLACES:
            self._told.clear()
        self._told[place] = now
        fields = {"where": where, "error": type(error).__name__, "detail": str(error)[:200], "place": place}
        logger.error("bug", extra={"fields": fields})

    def alarm(self, name: str, **fields: object) -> None:
        """Count an alarm and say so; ``name`` is a fixed word, it becomes a metric label."""
        self.alarms[name] += 1
        logger.error(f"alarm.{name}", extra={"fields": fields})


def _place(error: BaseException) -> str:
    """File and line of the innermost frame."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{PurePath(frames[0].filename).name}:{frames[0].lineno}" if frames else "unknown"

"""The two clocks (``docs/adr/0004-two-clocks.md``): a monotonic one that drives timers, and the wall's.

Read here and nowhere else, and handed on as arguments.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from sipguard.stir.unix_time import UnixTime


class Clock(NamedTuple):
    """Monotonic seconds, and wall-clock seconds with their fraction."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def unix_time(self) -> UnixTime:
        """The wall clock in whole seconds."""
        return UnixTime(int(self.wall()))

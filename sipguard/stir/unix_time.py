"""Wall-clock seconds, kept apart by type from the monotonic seconds that drive timers.

Mixing the two would let a clock step fire a timer (``docs/adr/0004-two-clocks.md``).
"""

from typing import NewType

UnixTime = NewType("UnixTime", int)

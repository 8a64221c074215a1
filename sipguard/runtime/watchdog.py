"""How late the event loop is: a timer that should fire every half second, and how much later it does."""

import asyncio

from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.histogram import Histogram
from sipguard.runtime.vitals import LAGGING

_INTERVAL = 0.5  # seconds


class Watchdog:
    """``lag`` is the latest measurement in seconds, ``seconds`` all of them."""

    def __init__(self, clock: Clock, faults: Faults, loop: asyncio.AbstractEventLoop) -> None:
        self.lag = 0.0
        self.seconds = Histogram((0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0))
        self._clock = clock
        self._faults = faults
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._clock.monotonic() + _INTERVAL
        self._timer = self._loop.call_later(_INTERVAL, self._measure)

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self) -> None:
        self.lag = max(0.0, self._clock.monotonic() - self._due)
        self.seconds.observe(self.lag)
        if self.lag > LAGGING:
            self._faults.alarm("loop-lag", seconds=round(self.lag, 3))
        self.start()

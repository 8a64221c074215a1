"""The garbage collector: young objects as they come, everything only when there is little to look at.

A call leaves no cycles (tests/flows/test_garbage.py), so collecting is for accidents. But every open transaction is an
object the collector would look at again and again: at a thousand calls a second one pass over the middle generation
stands still for half a second and more, which callers and overload control both notice. So the middle and the oldest
generation are only collected while hardly any transaction is open.
"""

import asyncio
import gc
from collections.abc import Callable

_YOUNG = 10_000  # new objects; a pass over so many takes a few milliseconds
_NEVER = 1_000_000_000
_EVERY = 3600.0  # seconds between two looks for a quiet moment ...
_AGAIN = 60.0  # ... and between two when it was not quiet
_QUIET = 100  # open transactions


class Collector:
    """Set up once the process stands; ``keep`` looks for quiet moments."""

    def __init__(self, open_transactions: Callable[[], int]) -> None:
        self._open_transactions = open_transactions

    def start(self) -> None:
        """What lives as long as the process is not looked at any more."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, _NEVER, _NEVER)

    async def keep(self) -> None:
        """Run for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            while not self.collect():
                await asyncio.sleep(_AGAIN)

    def collect(self) -> bool:
        """Collect everything if it is quiet."""
        if self._open_transactions() > _QUIET:
            return False
        gc.collect()
        return True

"""Notices to whoever the operator wants told of emergency calls: JSON, posted over HTTPS, and no call waits for it.

What the engine says is put into a bounded queue and posted by a few tasks. A receiver that fails is tried again a few
times, each time after twice as long; what cannot be delivered, or finds no room, raises the alarm
``emergency-notice``. The receiver may hear of a call twice: ``record`` tells. The URL is the operator's own, and is
judged all the same like one that a stranger chose: public addresses only, unless the host is named as private.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sipguard.config.notify import NotifySection
from sipguard.runtime.download import Downloader
from sipguard.runtime.faults import Faults
from sipguard.runtime.https import FetchError

logger = logging.getLogger(__name__)

_AT_ONCE = 4  # so that one that hangs does not hold up the next
_ALARM = "emergency-notice"


class Notifier:
    """Delivers notices; ``settings`` may change between two of them. ``delivered`` and ``dropped`` count."""

    def __init__(self, settings: Callable[[], NotifySection], downloader: Downloader, faults: Faults) -> None:
        self.delivered = self.dropped = 0
        self._settings = settings
        self._downloader = downloader
        self._faults = faults
        self._queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to deliver."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._deliver_all()) for _ in range(_AT_ONCE)]

    def put(self, notice: Mapping[str, Any]) -> None:
        """Deliver this some time soon; returns at once, and never fails."""
        settings = self._settings()
        if not settings.url:
            return
        if self._queue.qsize() >= settings.queue:
            self._drop(notice, "the queue is full")
        else:
            self._queue.put_nowait(notice)

    async def close(self) -> None:
        """End, when what waits is delivered or one more time-out has passed."""
        try:
            async with asyncio.timeout(self._settings().timeout):
                await self._queue.join()
        except TimeoutError:
            pass
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while not self._queue.empty():
            self._drop(self._queue.get_nowait(), "the node ended")

    async def _deliver_all(self) -> None:
        while True:
            notice = await self._queue.get()
            try:
                await self._deliver(notice)
            except asyncio.CancelledError:
                self._drop(notice, "the node ended")
                raise
            except Exception as error:
                self._faults.bug("notice", error)
            finally:
                self._queue.task_done()

    async def _deliver(self, notice: Mapping[str, Any]) -> None:
        detail = ""
        for attempt in range(self._settings().attempts):
            settings = self._settings()
            if attempt:
                await asyncio.sleep(settings.retry_delay * 2 ** (attempt - 1))
            try:
                async with asyncio.timeout(settings.timeout):
                    await self._downloader.post(settings.url, settings.rules, msgspec.json.encode(notice))
            except TimeoutError:
                detail = f"no answer within {settings.timeout:g} s"
            except FetchError as error:
                detail = str(error)
            else:
                self.delivered += 1
                logger.info("notice.delivered", extra={"fields": {"record": notice.get("record")}})
                return
            logger.warning("notice.failed", extra={"fields": {"record": notice.get("record"), "detail": detail}})
        self._drop(notice, detail)

    def _drop(self, notice: Mapping[str, Any], detail: str) -> None:
        self.dropped += 1
        self._faults.alarm(_ALARM, record=notice.get("record"), detail=detail)

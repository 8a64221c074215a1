"""Hearing of changes in a shared registry at once: PostgreSQL's LISTEN, whose NOTIFY every committed change sends.

It only makes the watch look sooner; a notification that is lost, or a connection that is down, costs no more than one
``registry.poll_interval``.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import psycopg

from sipguard.registry.postgresql import CHANNEL, is_postgresql

logger = logging.getLogger(__name__)

_AGAIN = 1.0  # seconds until the next try to connect


class RegistryListener:
    """Calls ``wake`` for every change of the registry that this URL names."""

    def __init__(self, url: str, wake: Callable[[], None]) -> None:
        self._url = url
        self._wake = wake

    async def keep(self) -> None:
        """Listen; connect again when the connection is lost."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):  # the watch raises the alarm: it cannot read either
                await self._listen()
            self._wake()
            await asyncio.sleep(_AGAIN)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            logger.info("registry.listening")
            self._wake()  # for what was changed before we listened
            async for _ in connection.notifies():
                self._wake()


def listener_for(url: str, wake: Callable[[], None]) -> RegistryListener | None:
    """A listener where the store can be listened to."""
    return RegistryListener(url, wake) if is_postgresql(url) else None

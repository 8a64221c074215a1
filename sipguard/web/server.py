"""Serving the admin application with uvicorn, inside the proxy's loop and without its signal handlers."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from sipguard.errors import StartupError
from sipguard.runtime.vitals import Vitals
from sipguard.web.admin import build_app

_FAREWELL = 1  # seconds an open request may take when the server stops
_MOST_REQUESTS = 64


class _QuietServer(uvicorn.Server):
    """The process's signals belong to the proxy."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class AdminServer:
    """The HTTP listener of one node."""

    def __init__(self, vitals: Callable[[], Vitals]) -> None:
        configuration = uvicorn.Config(
            build_app(vitals), log_config=None, access_log=False, lifespan="off", http="h11", ws="none",
            server_header=False, limit_concurrency=_MOST_REQUESTS, timeout_graceful_shutdown=_FAREWELL,
        )  # fmt: skip
        self._server = _QuietServer(configuration)
        self._task: asyncio.Task[None] | None = None

    async def start(self, bound: socket.socket) -> None:
        """Serve on a bound, listening socket. Raises StartupError."""
        self._task = asyncio.get_running_loop().create_task(self._server.serve([bound]))
        while not self._server.started:
            if self._task.done():
                raise StartupError("the admin listener does not start")
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

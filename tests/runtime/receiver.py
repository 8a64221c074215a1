"""An HTTPS server on loopback that takes notices and answers as it is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.runtime.repository import Repository, response

NO_CONTENT = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
FAILING = response(b"", status="500 Internal Server Error")


class Receiver(Repository):
    """``notices`` are those that came, ``answers`` what the next requests hear (204 when there are no more)."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.notices: list[Any] = []
        self.answers: list[bytes] = []
        self.changed = asyncio.Event()

    async def until(self, count: int) -> None:
        """Wait until so many notices came."""
        while len(self.notices) < count:
            self.changed.clear()
            await self.changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            self.heads.append(head)
            self.notices.append(json.loads(await reader.readexactly(int(fields["content-length"]))))
            self.changed.set()
            await self.gate.wait()
            writer.write(self.answers.pop(0) if self.answers else NO_CONTENT)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

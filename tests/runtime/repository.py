"""An HTTPS certificate repository on loopback that answers as it is told, one connection a request."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding

from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import issue_server

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP response as octets."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Repository:
    """Serves ``pages`` by path; ``requests`` counts them. Its certificate names localhost and 127.0.0.1."""

    def __init__(self, directory: Path) -> None:
        self.pages: dict[str, bytes | Handler] = {}
        self.requests: Counter[str] = Counter()
        self.heads: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        server, authority = issue_server(UnixTime(int(time.time())))
        self.authorities = directory / "https.pem"
        self.authorities.write_bytes(authority.public_bytes(Encoding.PEM))
        pem = directory / "server.pem"
        pem.write_bytes(server.certificate_pem + server.key_pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def url(self, path: str = "/leaf.pem", host: str = "localhost") -> str:
        """The URL of a page."""
        return f"https://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ")[1]
            self.heads.append(head)
            self.requests[path] += 1
            await self.gate.wait()
            page = self.pages[path]
            if isinstance(page, bytes):
                writer.write(page)
            else:
                await page(path, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

"""A certificate repository on loopback: serves PEM chains over HTTPS, as an x5u URL wants it (ATIS-1000074)."""

import ssl
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType


class Repository(AbstractContextManager["Repository"]):
    """Serves while the context lasts, on a free port. ``fetched`` counts the requests by path."""

    def __init__(self, certificate: Path, key: Path, served: Mapping[str, Path]) -> None:
        """``served`` maps URL paths to the files they give."""
        self.fetched: Counter[str] = Counter()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        contents = {path: file.read_bytes() for path, file in served.items()}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(contents, self.fetched))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        """The URL of a served path."""
        return f"https://localhost:{self._server.server_port}{path}"

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(contents: Mapping[str, bytes], fetched: Counter[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            fetched[self.path] += 1
            content = contents.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Type", "application/pem-certificate-chain")
            self.send_header("Cache-Control", "max-age=3600")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the demo prints what matters."""

    return Handler

"""One HTTPS request, as a fetcher of certificates from strangers needs it (VS-33); notices are posted the same way.

The address to connect to is an argument: the caller resolved the name once and judged the result, so a name that
changes its mind (DNS rebinding) changes nothing. The server must prove the name, no redirect is followed, and both the
size of the body and the time are bounded. A connection serves one request.
"""

import asyncio
import ssl
from typing import NamedTuple

import h11

_CHUNK = 16 * 1024
_LARGEST_HEAD = 16 * 1024


class Fetched(NamedTuple):
    """A body, and the header fields it came with (lower-case names)."""

    body: bytes
    headers: dict[str, str]


class FetchError(Exception):
    """Why there is no body, in a few words without anything the server chose."""


async def get(
    address: str, port: int, host: str, target: str, context: ssl.SSLContext, largest: int
) -> Fetched:  # fmt: skip
    """Fetch ``https://host:port/target`` from ``address``. The caller bounds the time. Raises FetchError."""
    headers = (("Accept", "application/pem-certificate-chain, */*"), ("Accept-Encoding", "identity"))
    return await _exchange(address, port, host, context, _Asked("GET", target, headers), largest)


async def post(
    address: str, port: int, host: str, target: str, context: ssl.SSLContext, body: bytes
) -> None:  # fmt: skip
    """Post JSON; any 2xx will do, and its body is not read. The caller bounds the time. Raises FetchError."""
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
    await _exchange(address, port, host, context, _Asked("POST", target, headers, body), 0)


class _Asked(NamedTuple):
    """What is asked of a server."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


async def _exchange(
    address: str, port: int, host: str, context: ssl.SSLContext, asked: _Asked, largest: int
) -> Fetched:  # fmt: skip
    writer: asyncio.StreamWriter | None = None
    try:
        reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host.rstrip("."))
        bracketed = f"[{host}]" if ":" in host else host
        client = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        request = h11.Request(
            method=asked.method,
            target=asked.target,
            headers=[
                ("Host", bracketed if port == 443 else f"{bracketed}:{port}"),
                *asked.headers,
                ("User-Agent", "sipguard"),
                ("Connection", "close"),
            ],
        )
        events: list[h11.Event] = [request, h11.Data(data=asked.body), h11.EndOfMessage()]
        writer.write(b"".join(client.send(event) or b"" for event in events if event != h11.Data(data=b"")))
        return await _response(client, reader, asked.method == "GET", largest)
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"the server's certificate: {error.verify_message}") from error
    except h11.ProtocolError as error:
        raise FetchError("the server does not speak HTTP/1.1") from error
    except (OSError, ValueError) as error:
        raise FetchError(
            f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'connection failed'}"
        ) from error
    finally:
        if writer is not None:
            writer.transport.abort()  # nobody waits for the server's farewell


async def _response(client: h11.Connection, reader: asyncio.StreamReader, reads: bool, largest: int) -> Fetched:
    headers: dict[str, str] = {}
    body = bytearray()
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            if event.status_code != 200 and (reads or not 200 <= event.status_code < 300):  # also every redirect
                raise FetchError(f"the server answered {event.status_code}")
            if not reads:
                return Fetched(b"", {})
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > largest:
                raise FetchError(f"the body is larger than {largest} octets")
        elif isinstance(event, h11.EndOfMessage):
            return Fetched(bytes(body), headers)
        elif not isinstance(event, h11.InformationalResponse):
            raise FetchError("the server closed too early")

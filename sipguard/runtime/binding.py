"""Binding listeners: a socket, or one line that says which listener cannot be had and why."""

import contextlib
import os
import socket

from sipguard.errors import StartupError
from sipguard.runtime.addressing import is_mapped, socket_address

BUFFER = 4 * 1024 * 1024  # octets the kernel holds while the loop is busy; it gives what its limits allow
_RECEIVE_BUFFER_FORCE = 33  # SO_RCVBUFFORCE of Linux, for the privileged
BACKLOG = 512


def bind(what: str, transport: str, host: str, port: int, buffer: int = BUFFER) -> socket.socket:
    """A non-blocking socket bound to ``host`` and ``port``; a stream also listens.

    ``what`` opens the error line, for example ``listener``; ``buffer`` is how many octets of datagrams the kernel may
    hold in each direction. Raises StartupError.
    """
    bracketed = f"[{host}]" if ":" in host else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound: socket.socket | None = None
    try:
        bound = socket.socket(family, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        bound.setblocking(False)
        if family == socket.AF_INET6:
            # IPv4 has its own listener, whose address our Via must say; only a mapped address asks for both.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if is_mapped(host) else 1)
        if transport == "udp":
            _enlarge(bound, buffer)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(socket_address(host, port))
        if transport != "udp":
            bound.listen(BACKLOG)
    except (OSError, OverflowError, ValueError) as error:
        if bound is not None:
            bound.close()
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number).lower() if number else str(error)
        raise StartupError(f"{what} {transport} {bracketed}:{port}: {reason}") from error
    return bound


def _enlarge(bound: socket.socket, buffer: int) -> None:
    with contextlib.suppress(OSError):
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        bound.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, buffer)

"""UDP: one non-blocking socket, drained in a reader callback, no task and no transport object per datagram.

What ICMP says about a datagram we sent (nobody listens there, no route) is asked of the kernel with ``IP_RECVERR``: it
keeps those errors in a queue with the destination each belongs to, so a dead neighbour is known at once (RFC 3261
§18.4) and never mistaken for another one. The price is a socket that polls as "error"; libuv (uvloop) gives up on such
a descriptor. So the loop watches an epoll of our own that holds the socket: to the loop that is only ever readable.

The kernel stamps every datagram (``SO_TIMESTAMPNS``). When the last wake-up found several, the stamp of the first one
of the next says how long it waited: the queueing delay that overload control goes by.
"""

import asyncio
import contextlib
import errno
import logging
import select
import socket
import struct
from typing import Any

from sipguard.runtime.addressing import is_mapped, plain_host, socket_address
from sipguard.runtime.clock import Clock
from sipguard.runtime.driver import Driver
from sipguard.sip.flow import Flow, Listener

logger = logging.getLogger(__name__)

_LARGEST = 65_535  # TRN-04
_BATCH = 64  # datagrams a wake-up, so that timers and streams get their turn under load
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err: errno, origin, type, code, padding, info, data
_ORIGIN_LOCAL = 1
_TIMESTAMPS = getattr(socket, "SO_TIMESTAMPNS", 35)
_STAMP = struct.Struct("@ll")  # struct timespec
_STAMP_SPACE = socket.CMSG_SPACE(_STAMP.size)
_BACKLOG = 4  # datagrams at one wake-up, from which on the delay is worth measuring
_TOO_BIG = errno.EMSGSIZE
_CONGESTION = frozenset((errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EINTR))  # as if lost on the way


class UdpTransport:
    """One UDP listener. ``sent``, ``received``, ``dropped`` (by a full buffer) and ``failed`` count datagrams."""

    def __init__(
        self, listener: Listener, bound: socket.socket, driver: Driver, loop: asyncio.AbstractEventLoop, clock: Clock
    ) -> None:
        self.name = "udp"
        self.received = self.sent = self.dropped = self.failed = 0
        self._listener = listener
        self._socket = bound
        self._driver = driver
        self._loop = loop
        self._ipv6 = bound.family == socket.AF_INET6
        self._mapped = is_mapped(listener.host)
        self._wall = clock.wall
        self._last_batch = 0
        # One buffer for all: an object of 64 KB for each datagram, cut to size afterwards, would leave a heap full of
        # holes, and it would grow around them.
        self._buffer = bytearray(_LARGEST)
        self._octets = memoryview(self._buffer)
        self._epoll = select.epoll()
        with contextlib.suppress(OSError):  # without stamps, only a late loop tells of overload
            bound.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        if self._ipv6:
            bound.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        if not self._ipv6 or self._mapped:
            bound.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)

    def start(self) -> None:
        """Begin to receive."""
        self._epoll.register(self._socket.fileno(), select.EPOLLIN)
        self._loop.add_reader(self._epoll.fileno(), self._readable)

    def close(self) -> None:
        """Stop receiving and free the port."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._socket.close()

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one datagram. A full buffer drops it, as the network may; so does its size. Else the driver is told."""
        try:
            if self._ipv6:
                self._socket.sendto(data, socket_address(flow.host, flow.port, mapped=self._mapped))
            else:
                self._socket.sendto(data, (flow.host, flow.port))
        except OSError as error:
            self._not_sent(flow, data, error)
        except (ValueError, OverflowError):  # no address of this family, or a port out of range
            self.failed += 1
            self._driver.lost(flow)
        else:
            self.sent += 1

    def disconnect(self, flow: Flow) -> None:
        """Datagrams have no connection."""

    def _readable(self) -> None:
        receive = self._driver.receive
        read, buffer, octets = self._socket.recvfrom_into, self._buffer, self._octets
        number = self._listener.number
        ipv6 = self._ipv6
        count = 0
        failed = False
        while count < _BATCH:
            try:
                if count or self._last_batch < _BACKLOG:
                    size, address = read(buffer)
                else:
                    size, address = self._read_stamped()
            except BlockingIOError:
                break
            except OSError:  # what an earlier datagram met
                failed = True
                break
            count += 1
            receive(bytes(octets[:size]), Flow(number, "udp", plain_host(address) if ipv6 else address[0], address[1]))
        self.received += count
        self._last_batch = count
        if failed or not count:
            self._drain_errors()
        self._driver.settle()

    def _read_stamped(self) -> tuple[int, Any]:
        """One datagram into the buffer; tells the driver how long it waited. Raises OSError."""
        size, ancillary, _, address = self._socket.recvmsg_into((self._buffer,), _STAMP_SPACE)
        for level, kind, stamp in ancillary:
            if level == socket.SOL_SOCKET and kind == _TIMESTAMPS and len(stamp) == _STAMP.size:
                seconds, nanoseconds = _STAMP.unpack(stamp)
                self._driver.observe(max(0.0, self._wall() - seconds - nanoseconds / 1e9))
        return size, address

    def _not_sent(self, flow: Flow, data: bytes, error: OSError) -> None:
        if error.errno in _CONGESTION:
            self.dropped += 1
            return
        if error.errno == _TOO_BIG:  # what is wrong with one message is no loss of everybody else's
            self.failed += 1
            return
        if self._drain_errors():
            # The error may be what an earlier datagram met at another neighbour: the kernel tells it once, here.
            try:
                self._socket.sendto(data, socket_address(flow.host, flow.port, mapped=self._mapped))
            except OSError as again:
                if again.errno in _CONGESTION:
                    self.dropped += 1
                    return
            else:
                self.sent += 1
                return
        self.failed += 1
        self._driver.lost(flow)

    def _drain_errors(self) -> bool:
        """Report what the kernel's error queue holds. Whether there was anything."""
        for count in range(_BATCH):
            try:
                _, ancillary, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except OSError:
                return count > 0
            if _is_unreachable(ancillary) and address:
                self.failed += 1
                self._driver.lost(Flow(self._listener.number, "udp", plain_host(address), address[1]))
        return True


def _is_unreachable(ancillary: list[tuple[int, int, bytes]]) -> bool:
    """Whether an error queue entry is an ICMP report that the datagram did not arrive."""
    for level, kind, data in ancillary:
        if (level, kind) not in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            continue
        number, origin, *_ = _ERROR.unpack_from(data)
        # "Fragmentation needed" is the kernel's business, not a failure.
        return bool(origin != _ORIGIN_LOCAL and number != _TOO_BIG)
    return False

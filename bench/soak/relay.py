"""The bad network: a process that passes datagrams between agents and proxy, and treats them as ``impairment`` says.

``python -m bench.soak.relay`` reads its ``Wiring`` from the first line of its input and ends when the input ends; then
it says on its output what it did. A cable joins two ends. With network namespaces an end is a packet socket on one end
of a veth pair and whole frames pass, which no SIP message notices; on plain loopback it is a UDP socket, and the agents
advertise the address of the end that faces the proxy.
"""

import select
import socket
import sys
import time
from collections.abc import Callable

import msgspec

from bench.soak.clockwork import Clockwork
from bench.soak.impairment import PASSED, Fate, Impairment

_BATCH = 64
_BUFFER = 8 * 1024 * 1024
_EVERY_PROTOCOL = 3
_IPV4 = b"\x08\x00"
_SO_RCVBUFFORCE = 33


class Cable(msgspec.Struct):
    """Two ends: interface names, or for each end the address it has and the one it sends to."""

    interfaces: tuple[str, str] | None = None
    addresses: tuple[tuple[str, int], tuple[str, int]] | None = None
    peers: tuple[tuple[str, int], tuple[str, int]] | None = None


class Wiring(msgspec.Struct):
    """What the relay is told."""

    seed: str
    lost: float
    cables: list[Cable]


class Tally(msgspec.Struct):
    """What the relay did to datagrams."""

    seen: int
    lost: int
    doubled: int
    held: int


class End:
    """One end of a cable: what arrives here leaves at the other one."""

    def __init__(self, opened: socket.socket, fate: Fate) -> None:
        self.socket = opened
        self.fate = fate
        self.other: End = self
        self.frames = opened.family == socket.AF_PACKET

    def pass_on(self, clock: Clockwork) -> None:
        """Everything that waits here, at most one batch."""
        send = self.other.send
        for _ in range(_BATCH):
            try:
                data = self.socket.recv(65_535)
            except BlockingIOError:
                return
            except OSError:  # an ICMP report, told once
                continue
            if self.frames and data[12:14] != _IPV4:  # address resolution is not what is tried here
                send(data)
                continue
            pauses = self.fate.decide()
            if pauses is PASSED:
                send(data)
                continue
            for pause in pauses:
                clock.at(time.monotonic() + pause, _later(send, data))

    def send(self, data: bytes) -> None:
        """Leave here; a full queue loses it."""
        try:
            self.socket.send(data)
        except OSError:
            self.fate.lost += 1


def _later(send: Callable[[bytes], None], data: bytes) -> Callable[[float], None]:
    return lambda _now: send(data)


def ends_of(wiring: Wiring) -> list[End]:
    """Open every cable."""
    ends = []
    for number, cable in enumerate(wiring.cables):
        pair = [
            End(_open(cable, side), Fate(Impairment(lost=wiring.lost), f"{wiring.seed}-{number}-{side}"))
            for side in (0, 1)
        ]
        pair[0].other, pair[1].other = pair[1], pair[0]
        ends += pair
    return ends


def _open(cable: Cable, side: int) -> socket.socket:
    if cable.interfaces is not None:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        opened.bind((cable.interfaces[side], 0))
    elif cable.addresses is not None and cable.peers is not None:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.bind(cable.addresses[side])
        opened.connect(cable.peers[side])
    else:
        raise ValueError("a cable without ends")
    opened.setblocking(False)
    return opened


def run(wiring: Wiring) -> Tally:
    """Pass on until the input ends."""
    ends = {end.socket.fileno(): end for end in ends_of(wiring)}
    clock = Clockwork()
    poll = select.epoll()
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    for number in ends:
        poll.register(number, select.EPOLLIN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for number, _ in poll.poll(clock.wait(time.monotonic(), 1.0)):
            if number not in ends:
                fates = [end.fate for end in ends.values()]
                return Tally(*(sum(getattr(fate, name) for fate in fates) for name in Tally.__struct_fields__))
            ends[number].pass_on(clock)
        clock.tick(time.monotonic())


def main() -> None:
    """The process."""
    wiring = msgspec.json.decode(sys.stdin.buffer.readline(), type=Wiring)
    sys.stdout.buffer.write(msgspec.json.encode(run(wiring)) + b"\n")


if __name__ == "__main__":
    main()

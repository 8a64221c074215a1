"""An agent: a process that makes calls, takes calls, and writes down what became of each.

``python -m bench.soak.agent`` reads its ``Setup`` from the first line of its input, plays, says how far it is once a
second on its output, and ends when its input ends. It begins fewer calls a second while INVITEs stay unanswered: a soak
is about what becomes of calls, not about how many a machine can carry. One thread, one epoll, no framework: it shares
two processors with the proxy it tries. Results are lines ``end,call_id,how,code,by,seconds`` (``end``: ``caller`` or
``called``).
"""

import itertools
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import IO

import msgspec

from bench.soak.callee import Callee
from bench.soak.caller import Caller
from bench.soak.clockwork import Clockwork
from bench.soak.identity import Signer, tampered
from bench.soak.kinds import INBOUND, OUTBOUND, Kind, kind_of
from bench.soak.message import Read, read, response
from bench.soak.namespace import without_offload
from bench.soak.party import Party

_BATCH = 64
_BUFFER = 8 * 1024 * 1024
_SLOW = 0.15  # of the INVITEs may go unanswered for T1; loss of 2 % each way makes 0.04
_DOMAIN = "soak.example"


class Place(msgspec.Struct):
    """One socket: where it is bound, what it tells others, where it sends."""

    bind: tuple[str, int]
    advertised: str
    hop: tuple[str, int]


class Setup(msgspec.Struct):
    """What an agent is told."""

    network: bool  # it is the carrier, not the customer
    seed: str
    calls: int
    rate: float  # calls per second
    limit: int  # calls at a time
    t1: float
    slow: bool  # whether kinds are played that take minutes
    places: list[Place]
    numbers: list[str]  # the customer's
    results: str
    interface: str = ""  # whose checksum offload is to be switched off
    key: str = ""  # of the certificate at ``url``
    url: str = ""


class Progress(msgspec.Struct):
    """What an agent says of itself."""

    started: int
    finished: int
    odd: int  # calls that ended as no call should
    active: int
    stray: int  # messages that belong to no call
    unsent: int
    pace: float  # calls per second now


class Socket:
    """A line to the proxy."""

    def __init__(self, place: Place) -> None:
        self.advertised = place.advertised
        self.unsent = 0
        self._hop = place.hop
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.socket.bind(place.bind)

    def send(self, octets: bytes) -> None:
        """Send; what the kernel does not take is lost, as on the way."""
        try:
            self.socket.sendto(octets, self._hop)
        except OSError:
            self.unsent += 1


class Agent:
    """Both roles: it starts the calls it was told to, and takes any that arrives."""

    def __init__(self, setup: Setup, results: IO[str]) -> None:
        self.clock = Clockwork()
        self.random = Random(setup.seed)
        self.t1 = setup.t1
        self.progress = Progress(0, 0, 0, 0, 0, 0, setup.rate)
        self.lines = [Socket(place) for place in setup.places]
        self._setup = setup
        self._results = results
        self._parties: dict[tuple[Socket, str], Party] = {}
        self._late: deque[tuple[float, tuple[Socket, str]]] = deque()  # over, kept for what comes late
        self._begun: dict[str, float] = {}
        self._serial = itertools.count()
        self._signer = Signer(Path(setup.key), setup.url) if setup.key else None
        kinds = INBOUND if setup.network else OUTBOUND
        self._kinds = [kind for kind in kinds if setup.slow or not kind.slow]
        self._weights = list(itertools.accumulate(kind.weight for kind in self._kinds))
        self._next_at = 0.0
        self._missed = 0  # in this second
        self._started_before = 0

    # --- what parties use

    def branch(self) -> str:
        """Never the same twice: the seed, and a count."""
        return f"{self._setup.seed}{next(self._serial):x}"

    def missed(self) -> None:
        """Too much of this, and the pace goes down."""
        self._missed += 1

    def over(self, party: Party, how: str, code: int, by: str) -> None:
        """Write it down."""
        now = time.monotonic()
        end = "called" if party.is_called else "caller"
        seconds = now - self._begun.pop(party.call_id, now) if end == "caller" else 0.0
        self._results.write(f"{end},{party.call_id},{how},{code},{by},{seconds:.3f}\n")
        if end == "caller":
            self.progress.finished += 1
            self.progress.active -= 1
        if how not in ("answered", "failed", "silent"):
            self.progress.odd += 1
        self._late.append((now + 80 * self.t1, self._key(party)))

    def _key(self, party: Party) -> tuple[Socket, str]:
        line = party.line
        if not isinstance(line, Socket):
            raise TypeError("a party of another agent")
        return line, party.call_id

    # --- the loop

    def run(self) -> None:
        """Play until the input ends."""
        poll = select.epoll()
        poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
        by_number = {line.socket.fileno(): line for line in self.lines}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        self._next_at = time.monotonic()
        report_at = 0.0
        while True:
            now = time.monotonic()
            self._start_due(now)
            self.clock.tick(now)
            self._forget(now)
            if now >= report_at:
                self._set_pace()
                self._report()
                report_at = now + 1.0
            for number, _ in poll.poll(self.clock.wait(now, self._pause(now))):
                line = by_number.get(number)
                if line is None:
                    self._report()
                    return
                self._drain(line)

    def _pause(self, now: float) -> float:
        """How long nothing is to be begun."""
        if self.progress.started >= self._setup.calls:
            return 0.5
        return min(0.5, max(0.0, self._next_at - now)) if self.progress.active < self._setup.limit else 0.05

    def _set_pace(self) -> None:
        """Once a second: half the pace when too much is missed, a tenth of the full one more when not."""
        begun = self.progress.started - self._started_before
        self._started_before = self.progress.started
        rate, pace = self._setup.rate, self.progress.pace
        slow = self._missed > 5 + _SLOW * begun
        self.progress.pace = max(rate / 50, pace / 2) if slow else min(rate, pace + rate / 10)
        self._missed = 0

    def _start_due(self, now: float) -> None:
        setup, progress = self._setup, self.progress
        self._next_at = max(self._next_at, now - 1.0)  # a second behind is caught up with, more is not
        while self._next_at <= now and progress.started < setup.calls and progress.active < setup.limit:
            self._next_at += 1.0 / progress.pace
            self._begin(now)

    def _begin(self, now: float) -> None:
        number = self.progress.started
        if number < len(self._kinds):  # every kind comes up, however short the run
            kind = self._kinds[number]
        else:
            kind = self.random.choices(self._kinds, cum_weights=self._weights)[0]
        self.progress.started += 1
        self.progress.active += 1
        call_id = f"{kind.name}-{number}-{self._setup.seed}@{_DOMAIN}"
        mine = self._setup.numbers[self.random.randrange(len(self._setup.numbers))]
        other = f"+1{202 + number // 10_000 % 700}555{number % 10_000:04}"  # one for each call
        calling, called = (other, mine) if self._setup.network else (mine, other)
        if kind.forged:
            calling = other
        if kind.unknown:
            called = f"+1{other[2:5]}556{other[-4:]}"
        line = self.lines[0]
        self._begun[call_id] = now
        caller = Caller(self, line, kind, call_id, calling, called, _DOMAIN, self._identity(kind, calling, called))
        self._parties[line, call_id] = caller
        caller.start(now)

    def _identity(self, kind: Kind, calling: str, called: str) -> list[str]:
        if not kind.identity or self._signer is None:
            return []
        origid = "5a7a54f6-0d1c-4c83-9a67-16f0b2f9ed21"
        identity = self._signer.identity(calling[1:], called[1:], int(time.time()), origid)
        return [f"Identity: {identity if kind.identity == 'good' else tampered(identity)}"]

    def _forget(self, now: float) -> None:
        while self._late and self._late[0][0] <= now:
            self._parties.pop(self._late.popleft()[1], None)

    def _report(self) -> None:
        self.progress.unsent = sum(line.unsent for line in self.lines)
        self._results.flush()
        sys.stdout.buffer.write(msgspec.json.encode(self.progress) + b"\n")
        sys.stdout.flush()

    def _drain(self, line: Socket) -> None:
        for _ in range(_BATCH):
            try:
                data = line.socket.recv(65_535)
            except BlockingIOError:
                return
            except OSError:  # what an earlier datagram met
                continue
            self._receive(line, data, time.monotonic())

    def _receive(self, line: Socket, data: bytes, now: float) -> None:
        message = read(data)
        party = self._parties.get((line, message.call_id))
        if message.code:
            if isinstance(party, Caller):
                party.response(message, now)
            elif party is not None:
                party.told(message, now)
            else:
                self.progress.stray += 1
        elif isinstance(party, Callee):
            party.request(message, now)
        elif party is not None:
            party.asked(message, now)
        else:
            self._arrived(line, message, now)

    def _arrived(self, line: Socket, message: Read, now: float) -> None:
        kind = kind_of(message.call_id)
        if message.method == "INVITE" and kind is not None and message.number == 1:
            callee = Callee(self, line, kind, message, first=line is self.lines[0])
            self._parties[line, message.call_id] = callee
            callee.start(now)
        elif message.method == "OPTIONS":
            line.send(response(message, 200, "OK", "probe"))
        else:
            self.progress.stray += 1
            if message.method != "ACK":
                line.send(response(message, 481, "Call/Transaction Does Not Exist", "stray"))


def main(arguments: Sequence[str] = ()) -> None:
    """The process."""
    setup = msgspec.json.decode(sys.stdin.buffer.readline(), type=Setup)
    if setup.interface:
        without_offload(setup.interface)
    with open(setup.results, "w", encoding="ascii") as results:
        Agent(setup, results).run()


if __name__ == "__main__":
    main()

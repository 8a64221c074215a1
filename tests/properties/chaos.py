"""One engine in the hands of whoever wants it to fail, and everything that was seen of it.

Doors are opened in any order with anything. What comes out is looked at as it comes: nothing may be logged as an error,
and whatever is sent must be a message another element can read, a request one that it would accept.
"""

import json
from typing import Any

from sipguard.engine import ERROR, Ask, Engine, Event, Log, Output, Send
from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.policy.rules import Mode
from sipguard.policy.settings import CallLimits, DigestSettings, PolicySettings
from sipguard.policy.trunk import OnMismatch, Side, Trunk
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.sip.sanity import check
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_A_SPARE,
    LISTENERS,
    OWNED,
    RESCUE,
    WALL,
    Sample,
    changed,
    counting_random,
    directory,
    target,
)
from sipguard.traffic.limit import CallLimit

SOURCES = (ACME_PBX, CARRIER_A, CARRIER_A_SPARE, RESCUE, ("203.0.113.5", 5060))
NAMED = changed(
    "carrier-a", trusted=True, targets=(target(("carrier.example", 5060)), target(CARRIER_A), target(CARRIER_A, "tcp"))
)
SAMPLES = (
    Sample(),
    Sample(directory=directory(NAMED)),
    Sample(
        directory=directory(changed("acme-pbx", on_mismatch=OnMismatch.REPLACE, default_number=OWNED, trusted=True))
    ),
    Sample(
        directory=directory(
            (
                *changed("carrier-a", username="edge-1", password_file="kept elsewhere"),
                Trunk("roaming", Side.CUSTOMER, account="acme", digest=True),
            )
        ),
        policy=PolicySettings(digest=DigestSettings(realm="r")),
        passwords={"carrier-a": "secret"},
    ),
    Sample(  # few calls at a time, of everybody; forged ones are let on one by one
        policy=PolicySettings(
            modes={"caller-id.not-owned": Mode.THROTTLE},
            throttles={"caller-id.not-owned": CallLimit(concurrent=1)},
            limits=CallLimits(accounts={"acme": CallLimit(concurrent=3)}, egress=CallLimit(concurrent=2)),
        )
    ),
)
MOST_UP = {("throttle", "caller-id.not-owned account acme"): 1, ("tree", "acme"): 3}  # of the last sample
CHALLENGES = (
    b'Proxy-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"',
    b'WWW-Authenticate: Digest realm="s", nonce="n", stale=true',
    b'Proxy-Authenticate: Digest realm="r", nonce="\xff", algorithm=x',
    b"WWW-Authenticate: Basic",
)
_EXPECTED = ("ledger.failed", "signing.outage", "carrier.credentials-refused")


class Chaos:
    """One engine and everything that was seen of it."""

    def __init__(self, sample: Sample) -> None:
        self.engine = Engine(LISTENERS, sample.settings, sample.view, counting_random())
        self.now = 0.0
        self.received: list[tuple[bytes, Flow]] = []
        self.sent: list[Send] = []
        self.asked: list[Need] = []
        self.records: list[dict[str, Any]] = []  # follow-ups for the attestation log

    def apply(self, outputs: list[Output]) -> None:
        """Keep what came out, and look for errors."""
        for output in outputs:
            if isinstance(output, Send):
                self.sent.append(output)
                look_at(output)
            elif isinstance(output, Ask):
                self.asked.append(output.need)
            elif isinstance(output, Event):
                self.records.append(json.loads(output.line))
            elif isinstance(output, Log):
                assert output.level < ERROR or output.event in _EXPECTED, output

    def step(self, door: str, what: Any, more: Any) -> None:
        """Go through one door."""
        wall = WALL + self.now
        if door == "receive":
            self.received.append((what, more))
            self.apply(self.engine.receive(what, more, self.now, wall))
        elif door == "again" and self.received:
            data, flow = self.received[what % len(self.received)]
            self.apply(self.engine.receive(data, flow, self.now, wall))
        elif door == "answer" and self.sent:
            send = self.sent[what % len(self.sent)]
            self.apply(self.engine.receive(response_to(send.data, more), send.flow, self.now, wall))
        elif door == "complete" and self.asked:
            need = self.asked[what % len(self.asked)]
            servers = TargetAnswer((Server("udp", *CARRIER_A), Server("tcp", "2001:db8::1", 5060)) if more else ())
            given = servers if isinstance(need, TargetNeed) else Answer(more, "why")
            self.apply(self.engine.complete(need, given, self.now, wall))
        elif door == "lost" and self.sent:
            self.apply(self.engine.lost(self.sent[what % len(self.sent)].flow, self.now, wall))
        elif door == "tick":
            self.now += what
            self.apply(self.engine.tick(self.now, WALL + self.now))
        elif door == "drain":
            self.engine.drain()

    def wait(self, seconds: float) -> None:
        """Nobody does anything for a while."""
        end = self.now + seconds
        while True:
            due = self.engine.deadline()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.apply(self.engine.tick(self.now, WALL + self.now))
        self.now = end

    def settle(self) -> None:
        """A long silence, after which nothing may wait and nothing be open."""
        self.wait(400)  # a re-INVITE or INVITE that only rings lives for Timer C and 64*T1 more
        assert self.engine.open_transactions == 0
        assert self.engine.parked == 0
        assert self.engine.idle
        self.wait(6 * 3600 + 60)
        assert self.engine.active_calls == 0


def look_at(send: Send) -> None:
    """What leaves is a pong, of STUN too, or a message that can be read; a request passes its receiver's checks."""
    if send.data == b"\r\n" or send.data[:2] == b"\1\1":
        return
    message = parse(send.data)
    assert message.encode() == send.data
    if isinstance(message, Request):
        check(message, datagram=not send.flow.reliable)


def response_to(data: bytes, code: int) -> bytes:
    """Some response to a request the engine sent."""
    rows = data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    kept = [
        row for row in rows if row.split(b":")[0].lower() in (b"via", b"from", b"call-id", b"cseq", b"record-route")
    ]
    to = next((row for row in rows if row.lower().startswith(b"to:")), b"To: <sip:x>")
    to += b"" if b";tag=" in to else b";tag=callee"
    asserted = b"P-Asserted-Identity: <sip:+1@x>\r\nPrivacy: id"
    more = CHALLENGES if code in (401, 407) else ()
    return b"\r\n".join((b"SIP/2.0 %d Some" % code, *kept, to, asserted, *more, b"Content-Length: 0", b"", b""))

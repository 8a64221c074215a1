"""The engine under anything: whatever comes through its doors, in whatever order, it answers or drops, and forgets.

Octets, mutated messages, responses to what it sent, answers to what it asked, lost connections and time are dealt in
random order. Afterwards, a long time with nobody there, nothing may be open and nothing logged as an error.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipguard.engine import ERROR, Ask, Engine, Log, Output, Send
from sipguard.policy.directory import OnMismatch
from sipguard.policy.need import Answer, Need, Server, TargetAnswer, TargetNeed
from sipguard.sip.flow import Flow
from sipguard.stir.telephone_number import TN
from sipguard.testing.sample import (
    ACME_PBX,
    CARRIER_A,
    CARRIER_A_SPARE,
    FORGED,
    LISTENERS,
    OWNED,
    PROXY,
    RESCUE,
    TRUNKS,
    WALL,
    Sample,
    changed,
    counting_random,
    directory,
    invite,
    target,
)

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
)
IDENTITY = "Identity: " + SAMPLES[0].signer.sign_shaken(TN("12125550123"), (OWNED,), "A", "x", SAMPLES[0].ca.now)
HEADERS = (
    "P-Asserted-Identity: <sip:+14155550100@a>, <tel:+14155550100>", "Privacy: id", "Proxy-Require: x", IDENTITY,
    "Route: <sip:192.0.2.1;lr>, <sip:x.example>", "Max-Forwards: 0", 'P-Asserted-Identity: "', "Reason: Q.850;cause=16",
    "Date: Fri, 15 Jan 2027 08:00:00 GMT", "Record-Route: <sip:192.0.2.1;lr;dialog=1-1.00>",
)  # fmt: skip
METHODS = ("INVITE", "BYE", "CANCEL", "ACK", "UPDATE", "OPTIONS", "MESSAGE", "REGISTER", "SUBSCRIBE", "REFER", "FOO")
URIS = (None, "sip:911@192.0.2.1", "urn:service:sos", "sip:192.0.2.1", "tel:+12125550123", "sip:x@y;maddr=a:b", "x:y")
CODES = (100, 180, 183, 200, 302, 404, 486, 487, 503, 603)
PIECES = (
    b"\r\n",
    b"\0",
    b'"',
    b"<",
    b">",
    b",",
    b";",
    b":",
    b"@",
    b" ",
    b"%",
    b"\xff",
    b"=",
    b"tag=",
    b"1",
    b"z9hG4bK",
)
CALL = invite().encode()


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request as a neighbour might send it, sometimes inside a dialog that may exist."""
    request = invite(
        calling=draw(st.sampled_from((OWNED, FORGED, "12125550123"))),
        called=draw(st.sampled_from((TN("12125550123"), OWNED))),
        method=draw(st.sampled_from(METHODS)),
        uri=draw(st.sampled_from(URIS)),
        call_id=f"c{draw(st.integers(0, 2))}@sample",
        headers=tuple(draw(st.lists(st.sampled_from(HEADERS), max_size=3, unique=True))),
    )
    if draw(st.booleans()):
        request.set("to", request.required("to") + ";tag=callee")
    return request.encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A request with a few octets overwritten, cut out or put in."""
    data = draw(requests())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from(PIECES)) + data[at + draw(st.integers(0, 12)) :]
    return data


FLOWS = st.tuples(st.sampled_from(SOURCES), st.sampled_from(("udp", "tcp"))).map(
    lambda choice: Flow(0 if choice[1] == "udp" else 1, choice[1], *choice[0], 0 if choice[1] == "udp" else 3)
)
STEPS = st.one_of(
    st.tuples(st.just("receive"), st.one_of(requests(), mutated(), st.binary(max_size=80)), FLOWS),
    st.tuples(st.just("again"), st.integers(0, 50), st.none()),
    st.tuples(
        st.just("answer"), st.integers(0, 50), st.sampled_from((100, 180, 183, 200, 302, 404, 486, 487, 503, 603))
    ),
    st.tuples(st.just("complete"), st.integers(0, 50), st.booleans()),
    st.tuples(st.just("lost"), st.integers(0, 50), st.none()),
    st.tuples(st.just("tick"), st.floats(0, 200), st.none()),
    st.tuples(st.just("drain"), st.none(), st.none()),
)


class Chaos:
    """One engine and everything that was seen of it."""

    def __init__(self, sample: Sample) -> None:
        self.engine = Engine(LISTENERS, sample.settings, sample.view, counting_random())
        self.now = 0.0
        self.received: list[tuple[bytes, Flow]] = []
        self.sent: list[Send] = []
        self.asked: list[Need] = []

    def apply(self, outputs: list[Output]) -> None:
        """Keep what came out, and look for errors."""
        for output in outputs:
            if isinstance(output, Send):
                self.sent.append(output)
            elif isinstance(output, Ask):
                self.asked.append(output.need)
            elif isinstance(output, Log):
                assert output.level < ERROR or output.event in ("ledger.failed", "signing.outage"), output

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


def response_to(data: bytes, code: int) -> bytes:
    """Some response to a request the engine sent."""
    rows = data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    kept = [
        row for row in rows if row.split(b":")[0].lower() in (b"via", b"from", b"call-id", b"cseq", b"record-route")
    ]
    to = next((row for row in rows if row.lower().startswith(b"to:")), b"To: <sip:x>")
    to += b"" if b";tag=" in to else b";tag=callee"
    asserted = b"P-Asserted-Identity: <sip:+1@x>\r\nPrivacy: id"
    return b"\r\n".join((b"SIP/2.0 %d Some" % code, *kept, to, asserted, b"Content-Length: 0", b"", b""))


@pytest.mark.clause("TXN-34", "MSG-29", "MSG-30")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(STEPS, min_size=1, max_size=25))
@example(SAMPLES[0], [("receive", b"\r\n\r\n", Flow(1, "tcp", *ACME_PBX, 3))])
@example(SAMPLES[0], [("receive", CALL, Flow(0, "udp", *ACME_PBX)), ("complete", 0, True), ("answer", 1, 180)])
@example(SAMPLES[0], [("receive", CALL, Flow(0, "udp", *ACME_PBX)), ("complete", 0, True), ("answer", 1, 200)])
@example(SAMPLES[1], [("receive", CALL, Flow(1, "tcp", *ACME_PBX, 3)), ("complete", 0, True), ("tick", 190.0, None)])
def test_any_order_of_doors(sample: Sample, steps: list[tuple[str, Any, Any]]) -> None:
    """No door raises, no error is logged, and after a long silence nothing waits and nothing is open."""
    chaos = Chaos(sample)
    for step in steps:
        chaos.step(*step)
    chaos.wait(400)  # a re-INVITE or INVITE that only rings lives for Timer C and 64*T1 more
    assert chaos.engine.open_transactions == 0
    assert chaos.engine.parked == 0
    assert chaos.engine.idle
    chaos.wait(6 * 3600 + 60)
    assert chaos.engine.active_calls == 0


@pytest.mark.clause("MSG-29", "MSG-30")
@settings(max_examples=100, deadline=None)
@given(st.one_of(mutated(), st.binary(max_size=300)), FLOWS)
def test_whatever_arrives_is_sent_nowhere_but_to_neighbours(data: bytes, flow: Flow) -> None:
    """One message of any kind sends nothing to anybody but its source, our trunks, and where a dialog leads."""
    chaos = Chaos(SAMPLES[0])
    chaos.step("receive", data, flow)
    for _ in range(3):
        chaos.step("complete", 0, True)
    known = {host for trunk in TRUNKS for host in trunk.sources} | {flow.host, PROXY[0]}
    assert {send.flow.host for send in chaos.sent} <= known

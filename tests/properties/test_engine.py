"""The engine under anything: whatever comes through its doors, in whatever order, it answers or drops, and forgets.

Octets, mutated messages, responses to what it sent, answers to what it asked, lost connections and time are dealt in
random order. Afterwards, a long time with nobody there, nothing may be open and nothing logged as an error.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipguard.sip.flow import Flow
from sipguard.stir.telephone_number import TN
from sipguard.testing.sample import ACME_PBX, FORGED, OWNED, PROXY, TRUNKS, Sample, invite
from tests.properties.chaos import SAMPLES, SOURCES, Chaos

IDENTITY = "Identity: " + SAMPLES[0].signer.sign_shaken(TN("12125550123"), (OWNED,), "A", "x", SAMPLES[0].ca.now)
HEADERS = (
    "P-Asserted-Identity: <sip:+14155550100@a>, <tel:+14155550100>", "Privacy: id", "Proxy-Require: x", IDENTITY,
    "Route: <sip:192.0.2.1;lr>, <sip:x.example>", "Max-Forwards: 0", 'P-Asserted-Identity: "', "Reason: Q.850;cause=16",
    'Proxy-Authorization: Digest username="u", realm="r", nonce="n", uri="x", response="y"', "RAck: 1 1 INVITE",
    "Date: Fri, 15 Jan 2027 08:00:00 GMT", "Record-Route: <sip:192.0.2.1;lr;dialog=1-1.00>",
)  # fmt: skip
METHODS = ("INVITE", "BYE", "CANCEL", "ACK", "UPDATE", "OPTIONS", "MESSAGE", "REGISTER", "SUBSCRIBE", "REFER", "FOO")
URIS = (None, "sip:911@192.0.2.1", "urn:service:sos", "sip:192.0.2.1", "tel:+12125550123", "sip:x@y;maddr=a:b", "x:y")
CODES = (100, 180, 183, 200, 302, 401, 404, 407, 486, 487, 503, 603)
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
    st.tuples(st.just("answer"), st.integers(0, 50), st.sampled_from(CODES)),
    st.tuples(st.just("complete"), st.integers(0, 50), st.booleans()),
    st.tuples(st.just("lost"), st.integers(0, 50), st.none()),
    st.tuples(st.just("tick"), st.floats(0, 200), st.none()),
    st.tuples(st.just("drain"), st.none(), st.none()),
)


@pytest.mark.clause("TXN-34", "MSG-29", "MSG-30")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(STEPS, min_size=1, max_size=25))
@example(SAMPLES[0], [("receive", b"\r\n\r\n", Flow(1, "tcp", *ACME_PBX, 3))])
@example(SAMPLES[0], [("receive", CALL, Flow(0, "udp", *ACME_PBX)), ("complete", 0, True), ("answer", 1, 180)])
@example(SAMPLES[0], [("receive", CALL, Flow(0, "udp", *ACME_PBX)), ("complete", 0, True), ("answer", 1, 200)])
@example(
    SAMPLES[3],
    [("receive", CALL, Flow(0, "udp", *ACME_PBX)), ("complete", 0, True), ("answer", 1, 407), ("answer", 3, 180)],
)
@example(SAMPLES[1], [("receive", CALL, Flow(1, "tcp", *ACME_PBX, 3)), ("complete", 0, True), ("tick", 190.0, None)])
def test_any_order_of_doors(sample: Sample, steps: list[tuple[str, Any, Any]]) -> None:
    """No door raises, no error is logged, and after a long silence nothing waits and nothing is open."""
    chaos = Chaos(sample)
    for step in steps:
        chaos.step(*step)
    chaos.settle()


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

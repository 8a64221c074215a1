"""Nothing a message holds makes reading it more than linear: 64 kB of one hostile piece in every field, three ways.

What is measured is the CPU time of the engine's door, so other processes do not count. A quarter of the message is
measured too when the whole one took long enough to say anything: four times the octets may take a little more than four
times as long, never sixteen times.
"""

import time
from collections.abc import Callable

import pytest

from sipguard.engine import Ask, Output
from sipguard.policy.need import Answer, Server, TargetAnswer, TargetNeed
from sipguard.sip.flow import Flow
from sipguard.testing.sample import ACME_PBX, CARRIER_A, WALL, invite
from tests.properties.chaos import SAMPLES, Chaos, response_to

SIZE = 60_000  # octets; MAX_HEAD is 65,535
NOTHING = 0.03  # seconds that need no comparison
MOST = 9.0  # times as long as a quarter takes; quadratic would be 16
PIECES = (
    b",",
    b'"', b'";"', b'"\\', b"\\", b";", b";a", b";a=b", b';a="', b"<", b">", b"<>", b"(", b"%", b"%41", b"%4", b" ",
    b"\t", b" ;", b"a ", b"a,", b"a:", b":", b"a@", b".", b"a.", b"[", b"<sip:a>,", b'"a" <sip:a>, ', b"<sip:a>",
    b"SIP/2.0/UDP a;branch=z9hG4bK1,", b"<sip:192.0.2.1;lr>,", b"?", b"a=b&", b"a=b,", b"\0", b"\\\0", b"\xa0", b"0",
    b"1-", b"[[", b"/", b"tag=", b"a;b,", b'"a",', b"a" * 7 + b",", b"{", b"..",
)  # fmt: skip
FIELDS = (
    b"Via", b"From", b"To", b"Contact", b"Route", b"Record-Route", b"Call-ID", b"CSeq", b"Max-Forwards",
    b"Content-Length", b"P-Asserted-Identity", b"P-Preferred-Identity", b"Remote-Party-ID", b"Privacy", b"Identity",
    b"Date", b"Reason", b"Proxy-Require", b"Proxy-Authorization", b"Proxy-Authenticate", b"Resource-Priority",
    b"Accept-Contact", b"Request-Disposition", b"Call-Info", b"Diversion", b"Retry-After", b"X-Odd", b"",
)  # fmt: skip
Place = Callable[[bytes, bytes, bool], float]


def hostile(message: bytes, field: bytes, value: bytes, at_the_end: bool) -> bytes:
    """The message with this in a field, after what it holds or in its place; in the start line when none is named."""
    head, _, body = message.partition(b"\r\n\r\n")
    rows = head.split(b"\r\n")
    if not field:
        words = rows[0].split(b" ", 2)
        rows[0] = b" ".join((words[0], b"sip:" + value, words[2])) if words[2] == b"SIP/2.0" else rows[0] + value
    else:
        found = [index for index, row in enumerate(rows) if row.lower().startswith(field.lower() + b":")]
        index = found[0] if found else len(rows)
        kept = rows[index] if found and at_the_end else field + b": "
        rows[index : index + 1] = [kept + value]
    return b"\r\n".join(rows) + b"\r\n\r\n" + body


def settle(chaos: Chaos, outputs: list[Output]) -> None:
    """Answer what the engine asks, so that the message goes all the way."""
    while outputs:
        chaos.apply(outputs)
        needs = [output.need for output in outputs if isinstance(output, Ask)]
        outputs = []
        for need in needs:
            answer = TargetAnswer((Server("udp", *CARRIER_A),)) if isinstance(need, TargetNeed) else Answer(True)
            outputs += chaos.engine.complete(need, answer, chaos.now, WALL)


def timed(chaos: Chaos, data: bytes, source: tuple[str, int]) -> float:
    """CPU seconds that a message costs."""
    began = time.process_time()
    settle(chaos, chaos.engine.receive(data, Flow(0, "udp", *source), chaos.now, WALL))
    return time.process_time() - began


def request(field: bytes, value: bytes, at_the_end: bool) -> float:
    """A call from a trusted customer, whose every field is looked at."""
    return timed(Chaos(SAMPLES[2]), hostile(invite().encode(), field, value, at_the_end), ACME_PBX)


def response(field: bytes, value: bytes, at_the_end: bool) -> float:
    """The answer of a carrier."""
    chaos = Chaos(SAMPLES[2])
    settle(chaos, chaos.engine.receive(invite().encode(), Flow(0, "udp", *ACME_PBX), 0.0, WALL))
    sent = next(send for send in chaos.sent if send.data.startswith(b"INVITE"))
    return timed(chaos, hostile(response_to(sent.data, 200), field, value, at_the_end), CARRIER_A)


def inside(field: bytes, value: bytes, at_the_end: bool) -> float:
    """A request in a dialog, along a route set that is ours."""
    chaos = Chaos(SAMPLES[2])
    settle(chaos, chaos.engine.receive(invite().encode(), Flow(0, "udp", *ACME_PBX), 0.0, WALL))
    sent = next(send for send in chaos.sent if send.data.startswith(b"INVITE"))
    settle(chaos, chaos.engine.receive(response_to(sent.data, 200), Flow(0, "udp", *CARRIER_A), 0.0, WALL))
    route = next(row for row in sent.data.split(b"\r\n") if row.startswith(b"Record-Route"))
    call = invite(method="INFO", headers=(route.removeprefix(b"Record-").decode(),), uri="sip:192.0.2.21:5060")
    call.set("to", call.required("to") + ";tag=callee")
    call.set("cseq", "2 INFO")
    return timed(chaos, hostile(call.encode(), field, value, at_the_end), ACME_PBX)


@pytest.mark.clause("MSG-29")
@pytest.mark.parametrize("place", [request, response, inside])
@pytest.mark.parametrize("field", FIELDS)
def test_cost_is_linear(field: bytes, place: Place) -> None:
    """Any piece, over and over, in any field, costs in proportion to its octets."""
    for piece in PIECES:
        for at_the_end in (True, False):
            whole, quarter = piece * (SIZE // len(piece)), piece * (SIZE // 4 // len(piece))
            spent = place(field, whole, at_the_end)
            if spent < NOTHING:
                continue
            ratios = []
            for _ in range(3):  # the first time is dearer than the second
                ratios.append(place(field, whole, at_the_end) / max(place(field, quarter, at_the_end), NOTHING / 8))
                if ratios[-1] < MOST:
                    break
            assert min(ratios) < MOST, (field, piece, at_the_end, spent, ratios)
            assert spent < 60 * NOTHING, (field, piece, at_the_end, spent)


@pytest.mark.clause("MSG-29", "TRN-05")
@pytest.mark.parametrize("row", [b"Via: SIP/2.0/UDP a;branch=z9hG4bK1", b" fold", b"X: ", b"Route: <sip:a>", b""])
def test_rows_are_bounded(row: bytes) -> None:
    """Ten thousand rows, or folds, cost no more than saying no to them."""
    chaos = Chaos(SAMPLES[2])
    start, _, rest = invite().encode().partition(b"\r\n")
    data = b"\r\n".join((start, rest.split(b"\r\n\r\n")[0], *([row] * min(10_000, SIZE // (len(row) + 2))), b"", b""))
    assert timed(chaos, data, ACME_PBX) < 10 * NOTHING
    assert not [send for send in chaos.sent if send.data.startswith(b"INVITE")] or not row

"""The SIPp driver itself: two agents that talk to each other directly, without a proxy between them."""

import os
import shutil
from pathlib import Path

import pytest

from scenarios import trace
from scenarios.driver import Stage

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]

KEYS = {
    "request_uri": "sip:+12025550123@example.net",
    "from": '"A caller" <sip:+14155550100@example.com>',
    "to": "<sip:+12025550123@example.net>",
    "headers": "\r\nP-Asserted-Identity: <sip:+14155550100@example.com>\r\nIdentity: a.b.c;info=<https://x/y>;alg=ES256",
}


def exists(process_id: int) -> bool:
    """Whether a process is there, a zombie included."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("host", "transport"), [("127.0.0.31", "udp"), ("127.0.0.31", "tcp"), ("::1", "udp")])
def test_a_call_runs_from_invite_to_bye_and_both_sides_are_traced(tmp_path: Path, host: str, transport: str) -> None:
    """A call between two agents ends with exit code 0; the server's trace holds the INVITE with injected headers."""
    with Stage(tmp_path) as stage:
        server = stage.server("carrier_uas", host, transport=transport)
        played = stage.call("customer_uac", host, server.address, KEYS, transport=transport)
        assert (played.exit_code, played.code) == (0, 200), played.errors
        invite = server.received("INVITE", played.call_id)
        assert invite is not None
        assert invite.start_line == "INVITE sip:+12025550123@example.net SIP/2.0"
        assert invite.header("Identity") == "a.b.c;info=<https://x/y>;alg=ES256"
        assert (invite.header("From") or "").startswith('"A caller" <sip:+14155550100@example.com>;tag=')
        assert server.received("BYE", played.call_id) is not None


def test_a_cancelled_call_ends_with_487(tmp_path: Path) -> None:
    """A caller that cancels while it rings sees 200 for the CANCEL and 487 for the INVITE."""
    with Stage(tmp_path) as stage:
        server = stage.server("ringing_uas", "127.0.0.31")
        played = stage.call("cancel_uac", "127.0.0.21", server.address, KEYS)
        assert (played.exit_code, played.code) == (0, 487), played.errors
        assert server.received("CANCEL", played.call_id) is not None


def test_a_refusal_is_read_whatever_its_code(tmp_path: Path) -> None:
    """The refused caller's flow ends well on any final refusal; an answered caller's flow fails on one."""
    with Stage(tmp_path) as stage:
        server = stage.server("unavailable_uas", "127.0.0.31")
        refused = stage.call("refused_uac", "127.0.0.21", server.address, KEYS)
        unexpected = stage.call("customer_uac", "127.0.0.21", server.address, KEYS)
        assert (refused.exit_code, refused.code) == (0, 503), refused.errors
        assert (unexpected.exit_code, unexpected.code) == (1, 503)


def test_a_burst_calls_every_number_of_its_list(tmp_path: Path) -> None:
    """An injection file gives each call of a burst its own called number."""
    numbers = [f"+120255501{n:02}" for n in range(20)]
    injection = tmp_path / "numbers.csv"
    injection.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers))
    with Stage(tmp_path / "stage") as stage:
        server = stage.server("carrier_uas", "127.0.0.31")
        burst = stage.client(
            "burst_uac", "127.0.0.21", server.address, KEYS | {"domain": "example.net"},
            calls=20, rate=100, limit=20, injection=injection,
        )  # fmt: skip
        assert burst.wait(20) == 0, burst.errors
        invites = [m.start_line for m in server.messages if m.method == "INVITE" and not m.sent]
        assert invites == [f"INVITE sip:{number}@example.net SIP/2.0" for number in numbers]


def test_no_agent_outlives_its_stage(tmp_path: Path) -> None:
    """Servers, a client in the middle of a call, and a client that nobody answers are gone when the stage is left."""
    with Stage(tmp_path) as stage:
        server = stage.server("carrier_uas", "127.0.0.31")
        talking = stage.client("customer_uac", "127.0.0.21", server.address, KEYS, hold=60_000)
        alone = stage.client("customer_uac", "127.0.0.21", ("127.0.0.99", 9), KEYS)
        processes = [server.process_id, talking.process_id, alone.process_id]
        assert all(exists(process_id) for process_id in processes)
    assert not any(exists(process_id) for process_id in processes)


def test_an_agent_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A call is bounded in time: past its timeout the agent is ended, and that shows in its exit code."""
    with Stage(tmp_path) as stage:
        server = stage.server("carrier_uas", "127.0.0.31")
        played = stage.call("customer_uac", "127.0.0.21", server.address, KEYS, timeout=0.5, hold=60_000)
        assert played.exit_code != 0
        assert played.code == 200


def test_a_trace_is_cut_by_octets_and_an_unfinished_message_is_left(tmp_path: Path) -> None:
    """Bodies may hold what looks like a new block; a message still being written is not read."""
    body = "-" * 47 + " 2026-11-24 00:00:00.000000\nUDP message sent (1 bytes):\n\nX"
    message = f"MESSAGE sip:a@b SIP/2.0\r\ni: 1@x\r\nSubject: one\r\n two\r\n\r\n{body}".encode()
    head = f"{'-' * 47} 2026-11-24 06:53:20.825617\nUDP message received [{len(message)}] bytes :\n\n"
    block = head.encode() + message + b"\n"
    file = tmp_path / "trace"
    file.write_bytes(block + block[:-20])
    (only,) = trace.read(file)
    assert (only.sent, only.method, only.call_id, only.header("subject")) == (False, "MESSAGE", "1@x", "one two")
    assert only.text.endswith("\n\nX")

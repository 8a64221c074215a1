"""The calls that are up, on disk: across restarts, crashes at every point, and disks that are full."""

import asyncio
import errno
import os
import signal
import stat
from pathlib import Path

import msgspec
import pytest

from sipguard.runtime.call_journal import CallJournal
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from tests.runtime.kit import run
from tests.runtime.live_node import NUMBER, live_node


def up(name: str, said: str = "") -> bytes:
    """The line of a call that is up."""
    return msgspec.json.encode({"id": name, "call_id": said})


def over(name: str) -> bytes:
    """The line of a call that has ended."""
    return msgspec.json.encode({"id": name, "over": True})


def journal(state: Path, large: int = 1 << 20) -> CallJournal:
    """A journal in this directory."""
    return CallJournal(state, Faults(Clock()), large)


def opened(state: Path, large: int = 1 << 20) -> tuple[CallJournal, list[bytes]]:
    """A journal, and what it remembered."""
    one = journal(state, large)
    lines = one.read()
    assert lines is not None
    return one, lines


def write(one: CallJournal, *lines: bytes) -> None:
    """One batch."""
    for line in lines:
        one.add(line)
    one.flush()


def refuse(*_: object) -> None:
    """No space left on the device."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_next_process_knows_what_is_up(tmp_path: Path) -> None:
    """The last line of each call that is not over, however often there was a restart; and nobody else can read it."""
    one, lines = opened(tmp_path)
    assert lines == []
    write(one, up("a"), up("b"))
    write(one, over("a"), up("c"), up("b", "moved"))
    for _ in range(3):
        one, lines = opened(tmp_path)  # the one before just ends, as in a crash
        assert lines == [up("b", "moved"), up("c")]
    write(one, over("c"))
    assert opened(tmp_path)[1] == [up("b", "moved")]
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_half_a_line_is_none(tmp_path: Path) -> None:
    """What a crash cut off, or somebody broke, costs that line."""
    one, _ = opened(tmp_path)
    write(one, up("a"))
    with open(tmp_path / "calls.tail", "ab") as file:
        file.write(b"{broken\n\n" + b'{"x":' + b"[" * 100_000 + b"\n" + up("b") + b"\n" + up("c")[:-1])
    assert opened(tmp_path)[1] == [up("a"), up("b")]


@pytest.mark.parametrize("left", ["old and tail", "base and old and tail"])
def test_a_crash_while_a_base_is_made(tmp_path: Path, left: str) -> None:
    """With the tail before still there, whether or not it is in the base already, the same calls are up."""
    tails = [up("a"), up("b"), over("a")], [up("c"), over("b"), up("d")]
    for name, lines in zip(("old", "tail"), tails, strict=True):
        (tmp_path / f"calls.{name}").write_bytes(b"".join(line + b"\n" for line in lines))
    if "base" in left:
        (tmp_path / "calls.base").write_bytes(up("b") + b"\n")
    assert opened(tmp_path)[1] == [up("c"), up("d")]
    assert not (tmp_path / "calls.old").exists()


def test_the_files_stay_small(tmp_path: Path) -> None:
    """Whatever number of calls come and go, the files hold little more than those that are up."""

    async def main() -> None:
        one, _ = opened(tmp_path, large=2000)
        write(one, up("stays"))
        for number in range(2000):
            write(one, up(f"call-{number}"), over(f"call-{number}"))
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        for _ in range(100):
            await asyncio.sleep(0.005)
        await one.close()

    run(main())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 40_000
    assert opened(tmp_path)[1] == [up("stays")]


def test_no_place_to_write(tmp_path: Path) -> None:
    """One alarm, no exception; what could not be written is when there is place again."""
    faults = Faults(Clock())
    missing = CallJournal(tmp_path / "missing", faults)
    assert missing.read() is None
    write(missing, up("a"))
    assert faults.alarms["call-memory"] == 1

    full = CallJournal(tmp_path, faults)
    assert full.read() == []
    place, full._file = full._file, os.open("/dev/full", os.O_WRONLY)
    write(full, up("a"), up("b"))
    write(full, over("a"))
    assert faults.alarms["call-memory"] == 2
    os.close(full._file)
    full._file = place
    write(full, up("c"))
    assert opened(tmp_path)[1] == [up("b"), up("c")]


def test_what_waits_for_a_place_is_bounded(tmp_path: Path) -> None:
    """The disk stays full for long: the oldest lines go."""
    full, _ = opened(tmp_path)
    place, full._file = full._file, os.open("/dev/full", os.O_WRONLY)
    for number in range(300):
        write(full, *(up(f"{number}-{each}") for each in range(100)))
    assert len(full._lines) <= 10_000
    os.close(full._file)
    full._file = place
    write(full, up("last"))
    assert not full.pending
    assert opened(tmp_path)[1][-1] == up("last")


def test_a_disk_that_is_full_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be read is known, though no new base can be written; what ends then does not come back later."""
    one, _ = opened(tmp_path)
    write(one, up("a"), up("b"))
    faults = Faults(Clock())
    full = CallJournal(tmp_path, faults)
    with monkeypatch.context() as patch:
        patch.setattr(full, "_replace_base", refuse)
        assert full.read() == [up("a"), up("b")]
    assert faults.alarms["call-memory"] == 1
    write(full, over("a"), up("c"))
    assert opened(tmp_path)[1] == [up("b"), up("c")]


def test_a_tail_that_cannot_be_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on being written, and is put aside another time."""

    async def main() -> None:
        one, _ = opened(tmp_path, large=200)
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", refuse)
            for number in range(10):
                write(one, up(f"call-{number}"), over(f"call-{number}"))
        write(one, up("kept"))
        await one.close()

    run(main())
    assert opened(tmp_path)[1] == [up("kept")]
    assert not (tmp_path / "calls.old").exists()


@pytest.mark.live
@pytest.mark.timeout(90)
@pytest.mark.clause("PRX-24")
def test_a_killed_node_goes_on_with_its_calls(tmp_path: Path) -> None:
    """After SIGKILL and a start the BYE passes, and the record says how long the call lasted."""
    with live_node(tmp_path) as node:
        node.invite("up")
        invite = node.carrier.receive("INVITE sip:+14155550199@")
        node.carrier.answer(invite, "200 OK", node.proxy)
        answer = node.customer.receive("SIP/2.0 200")
        node.until(lambda: "up" in (tmp_path / "var" / "calls.tail").read_text())
        node.signal(signal.SIGKILL)
        node.end()
        node.start()
        node.wait_for("ready", 2)
        assert node.wait_for("calls.recovered")["calls"] == 1
        to = next(row for row in answer.split("\r\n") if row.startswith("To:"))
        routes = [
            row.replace("Record-Route", "Route") for row in answer.split("\r\n") if row.startswith("Record-Route:")
        ]
        bye = (
            f"BYE sip:{node.carrier.host}:{node.carrier.port} SIP/2.0",
            f"Via: SIP/2.0/UDP {node.customer.host}:{node.customer.port};branch=z9hG4bKbye;rport",
            *routes, f"From: <sip:{NUMBER}@{node.customer.host}>;tag=1", to, "Call-ID: up", "CSeq: 2 BYE",
            "Max-Forwards: 70", "Content-Length: 0",
        )  # fmt: skip
        node.customer.socket.sendto(("\r\n".join(bye) + "\r\n\r\n").encode(), node.proxy)
        node.carrier.answer(node.carrier.receive("BYE sip:"), "200 OK", node.proxy)
        node.customer.receive("SIP/2.0 200")
        node.until(lambda: [r for r in node.log.records() if r["event"] == "end" and r["released_by"] == "caller"])
        (end,) = [record for record in node.log.records() if record["event"] == "end"]
        assert end["duration"] > 0

"""Unexpected exceptions: one line, a count, no traceback."""

import asyncio
import subprocess
import sys
import textwrap

import pytest

from sipguard.runtime import last_resort
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from tests.runtime.kit import LOOPS, LoopFactory, run


def raised(text: str) -> Exception:
    """An exception with a traceback."""
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        return error


def test_one_place_speaks_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that repeats a bug cannot fill the disk; the count goes on."""
    now = [0.0]
    faults = Faults(Clock(lambda: now[0]))
    for _ in range(100):
        faults.bug("receive", raised("again"))
    assert len(caplog.records) == 1
    now[0] = 1.5
    faults.bug("receive", raised("again"))
    assert len(caplog.records) == 2
    assert faults.alarms["bug"] == 101
    fields = caplog.records[0].fields  # type: ignore[attr-defined]
    assert fields["place"].startswith("test_faults.py:")
    assert (fields["where"], fields["error"]) == ("receive", "RuntimeError")


@pytest.mark.parametrize("loop", LOOPS)
def test_an_exception_in_a_callback_is_a_line(loop: LoopFactory, caplog: pytest.LogCaptureFixture) -> None:
    """The loop's own handler would print a traceback; ours does not, and the loop goes on."""

    async def main() -> None:
        faults = Faults(Clock())
        running = asyncio.get_running_loop()
        last_resort.watch(running, faults)
        running.call_soon(lambda: 1 / 0)
        done = asyncio.Event()
        running.call_soon(done.set)
        await done.wait()
        assert faults.alarms["bug"] == 1

    run(main(), loop)
    assert caplog.records[0].fields["error"] == "ZeroDivisionError"  # type: ignore[attr-defined]
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize(
    "code",
    [
        "raise RuntimeError('at the end')",
        "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
        "class Bad:\n    def __del__(self): raise RuntimeError('in a finalizer')\nBad()",
    ],
)
def test_the_process_never_prints_a_traceback(code: str) -> None:
    """Main thread, other threads and finalizers: one JSON line on standard error."""
    program = textwrap.dedent("""
        from sipguard.runtime import last_resort, logs
        from sipguard.runtime.clock import Clock
        from sipguard.runtime.faults import Faults
        logs.set_up("info", False)
        last_resort.install(Faults(Clock()))
    """)
    done = subprocess.run(
        [sys.executable, "-c", program + code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr.count("\n") == 1
    assert '"event": "bug"' in done.stderr
    assert "Traceback" not in done.stderr

"""The soak's short version: calls of every kind through a real proxy, over a network that loses and reorders."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 240.0  # seconds on a machine that is busy with other tests; about 45 are usual, 32 of them Timer D


@pytest.mark.live
@pytest.mark.timeout(LONGEST + 30)
@pytest.mark.clause("TXN-31", "TXN-34")
def test_every_call_is_accounted_for(tmp_path: Path) -> None:
    """Of 2000 calls none is lost or left open, whatever the network does to their datagrams."""
    command = [
        sys.executable, "-m", "bench.soak", "--calls", "2000", "--rate", "200", "--t1", "0.2", "--network", "loopback",
        "--seed", "c1", "--directory", str(tmp_path / "soak"),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    soak = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = soak.communicate(timeout=LONGEST)
    finally:
        if soak.poll() is None:
            os.killpg(soak.pid, signal.SIGKILL)
            soak.wait()
    assert soak.returncode == 0, said.decode()
    assert b"soak: good" in said

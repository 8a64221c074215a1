"""kill -9 at any moment: every acknowledged record is there."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sipguard.ledger.log import AttestationLog
from sipguard.ledger.reader import LogReader
from tests.ledger.kit import record

WRITER = """
import sys
from sipguard.ledger.log import AttestationLog
from tests.ledger.kit import record
log = AttestationLog.open(sys.argv[1], "edge-1", segment_size=200_000)
number = int(sys.argv[2])
while True:
    log.append([record(number + step, padding="x" * 500) for step in range(5)])
    number += 5
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.live
@pytest.mark.timeout(120)
def test_no_acknowledged_record_is_lost_to_a_kill(tmp_path: Path) -> None:
    """A writer is killed at random moments, again and again: what it acknowledged is there, and the chain holds."""
    moments = random.Random(31)
    acknowledged = 0
    for _ in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(acknowledged)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(moments.randrange(1, 400)):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate(timeout=30)[0].split("\n")
        acknowledged = max((int(line) for line in rest[:-1] if line), default=acknowledged)
        kept = {entry["id"] for entry in LogReader(tmp_path).records()}
        assert all(f"a-{number}" in kept for number in range(acknowledged))
        AttestationLog.open(tmp_path, "edge-1").close()
        assert LogReader(tmp_path).verify().broken is None
    with AttestationLog.open(tmp_path, "edge-1") as log:
        log.append([record(-1)])
    verification = LogReader(tmp_path).verify()
    assert verification.broken is None
    assert verification.records >= acknowledged + 1

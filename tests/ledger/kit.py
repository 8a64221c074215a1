"""Records for ledger tests, and the lines of a log as they are on disk."""

import json
from pathlib import Path
from typing import Any


def record(number: int, event: str = "decision", **members: Any) -> bytes:
    """One encoded record whose id is its number."""
    return json.dumps({"v": 1, "id": f"a-{number}", "event": event, **members}, separators=(",", ":")).encode()


def segment_paths(directory: Path) -> list[Path]:
    """The segments of a log in order."""
    return sorted(directory.glob("attestation-*.jsonl"), key=lambda path: int(path.stem.rpartition("-")[2]))


def lines(directory: Path) -> list[bytes]:
    """Every line of a log without its line feed."""
    return b"".join(path.read_bytes() for path in segment_paths(directory)).split(b"\n")[:-1]

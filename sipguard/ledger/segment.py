"""Segments: the files the attestation log is kept in, oldest first.

``attestation-<UTC stamp>-<n>.jsonl``: the stamp says when the segment was begun, ``n`` counts segments from 1 and
gives their order, so that a clock that steps back cannot reorder the log.
"""

import re
import time
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"attestation-[0-9]{8}T[0-9]{6}Z-([0-9]{6,})\.jsonl")


class Segment(NamedTuple):
    """One file of the log and its place in the order."""

    number: int
    path: Path


def log_directory(state: Path) -> Path:
    """Where the attestation log of a node with this state directory is."""
    return state / "attestation"


def segments(directory: Path) -> list[Segment]:
    """The segments in a directory in order; other files are ignored. Raises OSError."""
    found = []
    for path in directory.iterdir():
        name = _NAME.fullmatch(path.name)
        if name is not None:
            found.append(Segment(int(name[1]), path))
    return sorted(found)


def new_segment(directory: Path, number: int) -> Segment:
    """The name for a segment begun now; nothing is created."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return Segment(number, directory / f"attestation-{stamp}-{number:06d}.jsonl")

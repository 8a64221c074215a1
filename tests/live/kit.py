"""What live tests share: a world of SIPp agents around a real proxy process, and keys for calls in it."""

import json
from pathlib import Path
from typing import Any

from scenarios import topology
from scenarios.node import Node


def keys(calling: str = topology.OWNED, called: str = topology.OUTSIDE, headers: str = "") -> dict[str, str]:
    """The keys of a call from one number to another."""
    return {
        "request_uri": f"sip:+{called}@sipguard.example",
        "from": f"<sip:+{calling}@pbx.example>",
        "to": f"<sip:+{called}@sipguard.example>",
        "headers": headers,
    }


def stored(node: Node) -> list[dict[str, Any]]:
    """The whole records on disk, read without sipguard's help; a torn last line is left out."""
    records = []
    for segment in sorted(Path(node.directory, "var", "attestation").glob("*.jsonl")):
        records += [json.loads(line) for line in segment.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return records

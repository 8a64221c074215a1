"""Reads the message traces that SIPp writes with ``-trace_msg``: what an agent really sent and received.

A trace is a list of blocks: a dashed line with a time, a line ``UDP message received [640] bytes :`` or ``UDP message
sent (640 bytes):``, and the octets of the message. The count is what we cut by, so a body can hold anything. SIPp
flushes after every message, which makes a trace of a living agent readable too; a last block that is not whole yet is
left for the next reading.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    rb"^-{20,} \S+ \S+\r?\n\w+ message (?P<how>sent|received) [\[(](?P<size>\d+)[\])]?[^\n]*:\s*?\n\s*?\n",
    re.MULTILINE,
)
_SHORT_FORMS = {"call-id": "i", "from": "f", "to": "t", "via": "v", "identity": "y"}


@dataclass(frozen=True, slots=True)
class Traced:
    """One message as it was on the wire (Latin-1, one octet one character)."""

    sent: bool
    text: str

    @property
    def start_line(self) -> str:
        """The request line or status line."""
        return self.text.split("\r\n", 1)[0]

    @property
    def code(self) -> int | None:
        """The status code, None for a request."""
        words = self.start_line.split(" ", 2)
        return int(words[1]) if words[0] == "SIP/2.0" else None

    @property
    def method(self) -> str:
        """The method of a request, or of the request a response answers."""
        return self.start_line.split(" ", 1)[0] if self.code is None else (self.header("CSeq") or " ").split()[-1]

    @property
    def call_id(self) -> str:
        """The Call-ID, which the proxy does not change."""
        return self.header("Call-ID") or ""

    def headers(self, name: str) -> list[str]:
        """Every value of a header field, in order, under its long or short name."""
        names = {name.lower(), _SHORT_FORMS.get(name.lower(), name.lower())}
        lines = self.text.split("\r\n\r\n", 1)[0].replace("\r\n ", " ").split("\r\n")[1:]
        fields = (line.partition(":") for line in lines)
        return [value.strip(" \t") for field, _, value in fields if field.strip(" \t").lower() in names]

    def header(self, name: str) -> str | None:
        """The first value of a header field."""
        return next(iter(self.headers(name)), None)


def read(path: Path) -> Iterator[Traced]:
    """The whole messages of a trace file, oldest first; nothing when the file does not exist."""
    data = path.read_bytes() if path.exists() else b""
    position = 0
    while (block := _BLOCK.search(data, position)) is not None:
        end = block.end() + int(block["size"])
        if end > len(data):
            return
        yield Traced(block["how"] == b"sent", data[block.end() : end].decode("latin-1"))
        position = end

"""SIP messages as the agents need them: read by plain splitting, written from templates.

The agents meet only sipguard and each other, so one spelling of every header field is enough. That keeps them fast: two
of them, the relay and the proxy share the machine.
"""

from typing import NamedTuple

SDP = "v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"


class Read(NamedTuple):
    """A message that arrived; ``code`` is 0 for a request."""

    method: str  # of a response: that of its CSeq
    code: int
    headers: dict[str, list[str]]  # by name, lower case
    number: int  # of the CSeq

    def one(self, name: str) -> str:
        """The first value of a header field, empty when there is none."""
        values = self.headers.get(name)
        return values[0] if values else ""

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.one("call-id")


def read(data: bytes) -> Read:
    """Read a message. Raises ValueError when it is none."""
    lines = data.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))
    number, _, method = headers.get("cseq", [""])[0].partition(" ")
    start = lines[0]
    code = int(start[8:11]) if start.startswith("SIP/2.0 ") else 0
    return Read(method if code else start.partition(" ")[0], code, headers, int(number))


def tag_of(value: str) -> str:
    """The tag of a From or To value."""
    return value.partition(";tag=")[2].partition(";")[0]


def uri_of(value: str) -> str:
    """What is between the angle brackets."""
    return value.partition("<")[2].partition(">")[0]


def response(request: Read, code: int, phrase: str, tag: str, contact: str = "", body: str = "") -> bytes:
    """Answer a request (RFC 3261 §8.2.6). ``contact`` also copies Record-Route, as a response that makes a dialog."""
    headers = request.headers
    lines = [f"SIP/2.0 {code} {phrase}"]
    lines += [f"Via: {via}" for via in headers.get("via", ())]
    if contact:
        lines += [f"Record-Route: {route}" for route in headers.get("record-route", ())]
        lines.append(f"Contact: <{contact}>")
    to = request.one("to")
    lines += [
        f"From: {request.one('from')}",
        f"To: {to}" if ";tag=" in to or not tag else f"To: {to};tag={tag}",
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.number} {request.method}",
    ]
    return _finish(lines, body)


def request(start: str, via: str, headers: list[str], body: str = "") -> bytes:
    """A request; ``start`` is method and URI, ``headers`` whole lines."""
    return _finish([f"{start} SIP/2.0", f"Via: {via}", "Max-Forwards: 70", *headers], body)


def _finish(lines: list[str], body: str) -> bytes:
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")

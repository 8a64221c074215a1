"""SIPp as a side of a flow: the steps become its XML, one process plays them, its trace is what it wrote and read.

SIPp answers what its scenario says and nothing else; a message out of place, a missing one or a late one ends the call
with an exit code. What a response copies from its request (Via, Record-Route, From, To) is taken from the request as it
arrived, however many others came in between.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scenarios import lifeline, trace
from scenarios.driver import free_port
from scenarios.trace import Traced
from tests.live.peers.ladder import Step

PATIENCE = 15.0
_PHRASES = {
    180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK", 202: "Accepted",
    302: "Moved Temporarily",
    401: "Unauthorized", 407: "Proxy Authentication Required", 420: "Bad Extension", 422: "Session Interval Too Small",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
    503: "Service Unavailable", 603: "Decline",
}  # fmt: skip
_CONTACT = 'Contact: <sip:agent@[local_ip]:[local_port];transport=[transport];ob>;+sip.instance="<urn:uuid:0-0>"'
_ROW = "[^[:cntrl:]]*"
_HEAD = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="flow">
"""


class FlowError(AssertionError):
    """A side did not get what its flow says."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the words of a flow stand for: header rows, and bodies with their Content-Type."""

    rows: Mapping[str, str]
    bodies: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Identities:
    """Who calls whom: Request-URI, From and To of the first request, without tags."""

    target: str
    caller: str
    called: str


def scenario(steps: Sequence[Step], side: str, who: Identities, content: Content, tag: str = "called") -> str:
    """One side's SIPp scenario; ``tag`` is the To tag the called side gives."""
    writer = _Writer(steps, side, who, content, tag)
    return _HEAD + "".join(writer.step(step) for step in steps) + writer.references() + "</scenario>\n"


class _Writer:
    """Writes the steps of one side."""

    def __init__(self, steps: Sequence[Step], side: str, who: Identities, content: Content, tag: str) -> None:
        self._steps = steps
        self._side = side
        self._who = who
        self._content = content
        self._tag = tag
        self._variables: list[str] = []
        self._trying = False  # an INVITE of this side is open: 100 may come at any time

    def step(self, step: Step) -> str:
        """One message, sent or awaited."""
        if step.sender == self._side:
            return "" if "unsent" in step.flags else self._pause(step) + self._send(step)
        return "" if "unseen" in step.flags else self._receive(step)

    def references(self) -> str:
        """SIPp refuses variables that nobody reads."""
        return f'  <Reference variables="{",".join(self._variables)}"/>\n' if self._variables else ""

    @staticmethod
    def _pause(step: Step) -> str:
        return f'  <pause milliseconds="{step.wait}"/>\n' if step.wait else ""

    def _receive(self, step: Step) -> str:
        opens = (step.request or step).formed  # SIPp keeps the first route set it sees: it must not be of a refused one
        forms = ' rrs="true"' if opens and not (step.inside or step.hop_by_hop or (step.code or 0) >= 300) else ""
        trying = '  <recv response="100" optional="true"/>\n' if self._trying and step.code != 100 else ""
        if step.code is not None:
            self._trying = self._trying and not (step.code >= 200 and step.method == "INVITE")
            return f'{trying}  <recv response="{step.code}"{forms}>\n{self._keep_tag(step)}  </recv>\n'
        if step.method == "ACK":
            return f'{trying}  <recv request="ACK"/>\n'
        return f'{trying}  <recv request="{step.method}"{forms}>\n{self._keep(step)}  </recv>\n'

    def _keep_tag(self, step: Step) -> str:
        """Keep what requests of one of several dialogs have to say."""
        if step.tag is None:
            return ""
        kept = {
            f"tag_{step.tag}": f"[[:cntrl:]]To:{_ROW};tag=([^;[:cntrl:]]*)",
            f"contact_{step.tag}": "Contact: .(sip:[^[:cntrl:]]*;ob)",
        }
        return self._keeping(kept)

    def _keep(self, step: Step) -> str:
        """Keep what a response to this request has to repeat."""
        n = step.number
        return self._keeping({
            f"via{n}": f"(Via:{_ROW}([[:cntrl:]]+Via:{_ROW})*)",
            f"rr{n}": f"(Record-Route:{_ROW}([[:cntrl:]]+Record-Route:{_ROW})*)",
            f"from{n}": f"[[:cntrl:]]From: ({_ROW})",
            f"to{n}": f"[[:cntrl:]]To: ({_ROW})",
            f"cseq{n}": f"[[:cntrl:]]CSeq: ({_ROW})",
        })  # fmt: skip

    def _keeping(self, kept: Mapping[str, str]) -> str:
        self._variables += [name for name in ("all", *kept) if name not in self._variables]
        actions = "".join(
            f'      <ereg regexp="{pattern}" search_in="msg" assign_to="all,{name}"/>\n'
            for name, pattern in kept.items()
        )
        return f"    <action>\n{actions}    </action>\n"

    def _send(self, step: Step) -> str:
        repeats = step.method == "ACK" if step.code is None else step.code < 200 or step.method != "INVITE"
        self._trying = self._trying or (step.code is None and step.method == "INVITE")
        again = "" if repeats else ' retrans="500"'
        lines = self._request(step) if step.code is None else self._response(step)
        lines += [row for name in step.rows for row in self._content.rows[name].split("\n")]
        body = ""
        if step.body is not None:
            kind, body = self._content.bodies[step.body]
            lines += [f"Content-Type: {kind}"]
        text = "\n".join((*lines, "Content-Length: [len]" if body else "Content-Length: 0", "", body))
        return f"  <send{again}>\n<![CDATA[\n{text}\n]]>\n  </send>\n"

    def _request(self, step: Step) -> list[str]:
        branch = step.number if step.request is None or step.is_ack_of_2xx else step.request.number
        inside = "[next_url]" if step.tag is None else f"[$contact_{step.tag}]"
        return [
            f"{step.method} {inside if step.inside else self._who.target} SIP/2.0",
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch};rport",
            *(["[routes]"] if step.inside else []),
            "Max-Forwards: 70",
            *self._parties(step),
            "Call-ID: [call_id]",
            f"CSeq: {step.cseq} {step.method}",
            *([] if step.method in ("ACK", "BYE", "CANCEL", "MESSAGE") else [_CONTACT]),
        ]

    def _parties(self, step: Step) -> list[str]:
        if self._side == "<":
            return [f"From: [$to0];tag={self._tag}", "To: [$from0]"]
        refused = step.method == "ACK" and not step.inside
        tag = "[peer_tag_param]" if step.inside or refused else ""
        if step.tag is not None:
            tag = f";tag=[$tag_{step.tag}]"
        return [f"From: {self._who.caller};tag=caller", f"To: {self._who.called}{tag}"]

    def _response(self, step: Step) -> list[str]:
        request = step.request
        if request is None:
            raise FlowError("a response to nothing")
        n, opens = request.number, not request.inside and request.method in ("INVITE", "SUBSCRIBE")
        tag = "" if request.inside else f";tag={self._tag}"
        return [
            f"SIP/2.0 {step.code} {_PHRASES[step.code or 0]}",
            f"[$via{n}]",
            *([f"[$rr{n}]"] if opens and (step.code or 0) < 300 else []),
            f"From: [$from{n}]",
            f"To: [$to{n}]{tag}",
            "Call-ID: [call_id]",
            f"CSeq: [$cseq{n}]",
            *([_CONTACT] if opens or request.method in ("INVITE", "UPDATE", "REFER") else []),
        ]


class Side:
    """One SIPp process that plays one side of one call."""

    def __init__(self, directory: Path, name: str, xml: str, here: tuple[str, int], *options: str) -> None:
        self.name = name
        self.here = here
        self._files = {kind: directory / f"{name}.{kind}" for kind in ("xml", "messages", "errors", "screen")}
        self._files["xml"].write_bytes(xml.encode())
        command = [
            shutil.which("sipp") or "sipp", "-sf", str(self._files["xml"]), "-i", here[0], "-p", str(here[1]),
            "-bind_local", here[0], "-mi", here[0], "-m", "1", "-nostdin", "-recv_timeout", "10000",
            "-trace_msg", "-message_file", str(self._files["messages"]),
            "-trace_err", "-error_file", str(self._files["errors"]), *options,
        ]  # fmt: skip
        with self._files["screen"].open("wb") as screen:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, cwd=directory,
                env=os.environ | {"TERM": "vt100"}, preexec_fn=lifeline.die_with_parent,
            )  # fmt: skip

    @property
    def messages(self) -> tuple[Traced, ...]:
        """What it has written and read so far."""
        return tuple(trace.read(self._files["messages"]))

    def await_socket(self) -> None:
        """Wait until it can be sent to."""
        if not _eventually(lambda: _bound(self.here) or self._process.poll() is not None):
            raise FlowError(f"{self.name} does not listen")

    def finish(self) -> None:
        """Wait for the end of its flow. Raises FlowError when that is not as written."""
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = -1
        if code != 0:
            seen = "\n".join(f"{'>' if m.sent else '<'} {m.start_line}" for m in self.messages)
            raise FlowError(f"{self.name} ended with {code}:\n{self.errors}\n{seen}")

    @property
    def errors(self) -> str:
        """SIPp's own complaints."""
        file = self._files["errors"]
        return file.read_text("latin-1") if file.exists() else ""

    def close(self) -> None:
        """Leave no process behind."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)


@contextmanager
def called(directory: Path, xml: str, here: tuple[str, int], name: str = "called", *options: str) -> Iterator[Side]:
    """The side that is called, ready."""
    side = Side(directory, name, xml, here, *options)
    try:
        side.await_socket()
        yield side
    finally:
        side.close()


@contextmanager
def caller(directory: Path, xml: str, host: str, proxy: tuple[str, int], *options: str) -> Iterator[Side]:
    """The side that calls."""
    call_id = f"%u-%p@{host}"
    side = Side(
        directory, "caller", xml, (host, free_port(host)), "-cid_str", call_id, *options, f"{proxy[0]}:{proxy[1]}"
    )  # fmt: skip
    try:
        yield side
    finally:
        side.close()


def _bound(place: tuple[str, int]) -> bool:
    """Whether somebody has a UDP socket or listens there, as the kernel's tables say."""
    wanted = f"{int.from_bytes(bytes(map(int, place[0].split('.'))), 'little'):08X}:{place[1]:04X}"
    return any(wanted in Path(table).read_text() for table in ("/proc/net/udp", "/proc/net/tcp"))


def _eventually(met: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True

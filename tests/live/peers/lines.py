"""Lines: the proxy process with its customers and carriers, and what is between them; calls are played on them.

A line is started once. Both sides of a call are SIPp processes of that call alone, at the addresses the trunks name.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenarios import topology
from scenarios.node import Node
from sipguard.testing.sti_ca import Issued
from tests.live.kit import stored
from tests.live.peers import content, ladder, passage, sipp
from tests.live.peers.ladder import Step
from tests.live.peers.sipp import Content, FlowError, Identities, Side

CUSTOMER, CARRIER = topology.ACME, topology.CONVERSATIONAL
CONTENT = Content(content.ROWS, content.BODIES)
PATIENCE = 10.0
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Direction:
    """Who calls: where from, where the call enters, who takes it."""

    name: str
    source: str
    entrance: Place
    destination: Place
    who: Identities

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Line:
    """A running proxy. ``hops`` are the proxies between the two ends, ``streams`` whether TCP is on the way."""

    node: Node
    directory: Path
    outbound: Direction
    inbound: Direction
    hops: int = 1
    streams: bool = False
    spare: Place = ("", 0)  # the second user agent of a carrier that forks
    entrances: Mapping[str, Place] = field(default_factory=dict)  # where a customer's calls enter, by transport

    def records(self, call_id: str, *events: str) -> list[Mapping[str, Any]]:
        """The records of a call, as soon as as many as expected are there: the log is written after the wire."""
        deadline = time.monotonic() + PATIENCE
        while True:
            everything = stored(self.node)
            mine = {r["id"] for r in everything if r["event"] == "decision" and r["call_id"] == call_id}
            found: list[Mapping[str, Any]] = [record for record in everything if record["id"] in mine]
            if len(found) >= len(events):
                return found
            if time.monotonic() > deadline:
                raise FlowError(f"records {found}, expected {events}")
            time.sleep(0.01)

    def play(self, text: str, direction: Direction) -> "Call":
        """One call by its ladder, to its end, everything it must leave behind checked."""
        steps = ladder.parse(text)
        scenes = [sipp.scenario(steps, side, direction.who, CONTENT) for side in "><"]
        directory = self.directory / str(time.monotonic_ns())
        directory.mkdir()
        started = time.monotonic()
        with (
            sipp.called(directory, scenes[1], direction.destination) as called,
            sipp.caller(directory, scenes[0], direction.source, direction.entrance) as caller,
        ):
            for side in (caller, called):
                side.finish()
        call = Call(self, direction, steps, caller, called, time.monotonic() - started)
        call.check_passage()
        call.check_records()
        return call


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was played."""

    line: Line
    direction: Direction
    steps: list[Step]
    caller: Side
    called: Side
    lasted: float

    @property
    def call_id(self) -> str:
        """Its Call-ID."""
        return self.caller.messages[0].call_id

    def check_passage(self) -> None:
        """What arrived is what was written, both ways."""
        caller, called, line = self.caller.messages, self.called.messages, self.line
        screened = passage.MARKED if self.direction is line.inbound else passage.SIGNED
        way = passage.Way(line.hops, screened, line.streams)
        found = passage.complaints(caller, called, way) + passage.complaints(called, caller, way)
        assert not found, "\n".join(found)

    def _screened(self) -> list[Step]:
        """The requests outside a dialog, each of which is decided about."""
        return [s for s in self.steps if s.code is None and not s.inside and s.method not in ("ACK", "CANCEL")]

    def _expected(self) -> list[str]:
        events = []
        for request in self._screened():
            events.append("decision")
            if request.method == "INVITE":
                events += ["answer", "end"] if (request.answered or 0) < 300 else ["end"]
        return events

    def check_records(self) -> None:
        """The attestation log says what happened: each decision, the answer, the end, who ended it and when."""
        found = self.line.records(self.call_id, *self._expected())
        assert [record["event"] for record in found] == self._expected(), found
        ends = [record for record in found if record["event"] == "end"]
        invites = [step for step in self._screened() if step.method == "INVITE"]
        for invite, end in zip(invites, ends, strict=True):
            code, answered = invite.answered or 0, (invite.answered or 0) < 300
            assert (end["code"], end["answered"]) == (code, answered)
            assert end["released_by"] == self._releaser(invite)
            if answered:
                assert self._held() <= end["duration"] <= self.lasted
            else:
                assert "duration" not in end

    def _releaser(self, invite: Step) -> str:
        byes = [s for s in self.steps if s.code is None and s.method == "BYE"]
        cancelled = any(s.code is None and s.method == "CANCEL" and s.request is invite for s in self.steps)
        if (invite.answered or 0) < 300:
            return "caller" if byes[0].sender == ">" else "called"
        return "caller" if (cancelled or byes) and invite.answered == 487 else "network"

    def _held(self) -> float:
        """The seconds the flow itself waits between the answer and the BYE."""
        answer = next(s.number for s in self.steps if s.method == "INVITE" and (s.code or 0) // 100 == 2)
        bye = next(s.number for s in self.steps if s.method == "BYE")
        return sum(step.wait for step in self.steps[answer + 1 : bye]) / 1000


def trunks(customer: Place, carrier: Place, parameters: str = "") -> str:
    """The trunks of the sample operator between these two neighbours; ``parameters`` are of the carrier's URI.

    One is for telephones that leave the address of their connections to the kernel, and do not listen on it.
    """
    phones, gateways = ("sip:{}:{}".format(*place) for place in (customer, carrier))
    return "\n".join(
        (
            topology.trunk("pbx", "customer", customer[0], 'account = "acme"', f'targets = ["{phones}"]'),
            topology.trunk("desk", "customer", "127.0.0.1", 'account = "acme"', "behind_nat = true"),
            topology.trunk("carrier", "network", carrier[0], f'targets = ["{gateways}{parameters}"]', "trusted = true"),
        )
    )


def start(node: Node, sections: str, registry: Path) -> None:
    """Start the proxy with a filled registry."""
    node.configure(sections)
    shutil.copy(registry, node.registry)
    node.start()


def signing(certificate: Issued, directory: Path) -> str:
    """What the proxy signs with, written to its directory."""
    chain, key = directory / "chain.pem", directory / "leaf.key"
    chain.write_bytes(certificate.chain_pem)
    key.touch(0o600)
    key.write_bytes(certificate.key_pem)
    return f"""
[stir.sign.certificates.default]
certificate = "{chain}"
key = "{key}"
url = "https://certificates.example/leaf.pem"
"""


def check_end(node: Node) -> None:
    """The proxy must end by itself, and without ever having failed."""
    assert node.stop() == 0
    log = node.log.read_text()
    assert "Traceback" not in log
    assert not [entry for entry in node.log_events() if entry["event"] in ("bug", "request.failed", "engine.failed")]

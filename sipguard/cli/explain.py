"""``sipguard explain``: what the proxy would decide about a message in a file, and why. No socket is opened.

The message goes through the same engine that carries calls, with the configured registry and certificates. What the
engine would have to fetch is answered "not available", since explaining must not touch the network; nothing is written
to the attestation log.
"""

import ipaddress
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipguard.config import load
from sipguard.engine import Ask, Engine, Log, Output, Send
from sipguard.errors import MalformedMessage, SipguardError
from sipguard.policy.directory import Trunk
from sipguard.policy.need import Answer, CommitNeed, Need, TargetAnswer, TargetNeed
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import Node, build
from sipguard.sip.flow import Flow
from sipguard.sip.message import Message, Request
from sipguard.sip.parser import parse

_DEFAULT_PORT = 5060
_ANYWHERE = "192.0.2.0"  # an address of documentation (RFC 5737)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    file: Annotated[Path, typer.Argument(help="A SIP request, as captured; - reads standard input.", allow_dash=True)],
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path("sipguard.toml"),
    source: Annotated[str | None, typer.Option("--from", help="The trunk the message comes from.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the decision trail for a message in a file, without any socket.

    Example: sipguard explain --config sipguard.toml invite.sip --from acme-pbx
    """
    node = build(load(config))
    octets = _read(file)
    trunk = _trunk(node, source, octets)
    replay = Replay(node, trunk)
    replay.run(octets)
    if as_json:
        print(msgspec.json.encode(replay.summary()).decode())
    else:
        _show(replay)
    if not replay.forwarded:
        raise typer.Exit(1)


@dataclass
class Replay:
    """One message through an engine of its own."""

    node: Node
    trunk: Trunk
    record: dict[str, Any] | None = None
    sent: list[Message] = field(default_factory=list)
    not_fetched: list[str] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)

    def run(self, octets: bytes) -> None:
        """Receive the message as if it came from the trunk; the engine's needs are answered here."""
        clock = Clock()
        address = _address(self.trunk)
        view = self.node.view
        if self.trunk.digest:  # credentials are good once, and only where they were asked for
            view = replace(view, directory=view.directory.assuming(self.trunk.name, address))
        engine = Engine(self.node.listeners, self.node.settings, view, lambda: "0" * 16)
        flow = Flow(0, "udp", address, _DEFAULT_PORT, 0, self.trunk.tls_names)
        pending: list[Output] = engine.receive(octets, flow, clock.monotonic(), clock.wall())
        while pending:
            output = pending.pop(0)
            if isinstance(output, Send):
                self.sent.append(parse(output.data))
            elif isinstance(output, Log):
                self.logs.append(output)
            elif isinstance(output, Ask):
                pending += engine.complete(output.need, self._answer(output.need), clock.monotonic(), clock.wall())

    def _answer(self, need: Need) -> Answer | TargetAnswer:
        if isinstance(need, CommitNeed):
            self.record = msgspec.json.decode(need.line)
            return Answer(True)
        if isinstance(need, TargetNeed):
            self.not_fetched.append(f"servers of {need.host}")
            return TargetAnswer((), "explain opens no socket")
        self.not_fetched.append(f"certificate {need.url}")
        return Answer(False, "explain opens no socket")

    @property
    def forwarded(self) -> bool:
        """Whether the call would go on."""
        return self.record is not None and self.record["decision"] == "forward"

    def summary(self) -> dict[str, Any]:
        """Everything found out, for scripts."""
        return {
            "trunk": self.trunk.name,
            "record": self.record,
            "sent": [message.encode().decode("utf-8", "replace") for message in self.sent],
            "not_fetched": self.not_fetched,
        }


def _read(file: Path) -> bytes:
    """The message; a file edited by hand may have bare line feeds in its head."""
    try:
        octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise SipguardError(f"{file}: {error.strerror}") from None
    if b"\r\n" not in octets:
        head, _, body = octets.partition(b"\n\n")
        octets = head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body
    try:
        message = parse(octets)
    except MalformedMessage as error:
        raise SipguardError(f"{file}: not a SIP request: {error}") from None
    if not isinstance(message, Request):
        raise SipguardError(f"{file}: a response is not screened; give a request")
    return octets


def _trunk(node: Node, name: str | None, octets: bytes) -> Trunk:
    """The trunk named, or the one whose source the top Via shows."""
    trunks = node.view.directory.trunks
    if name is not None:
        if name not in trunks:
            raise SipguardError(f"no trunk {name!r}; there are: {', '.join(sorted(trunks)) or 'none'}")
        return trunks[name]
    via = parse(octets).via
    trunk = node.view.directory.trunk_at(via.received or via.host.strip("[]"))
    if trunk is not None:
        return trunk
    raise SipguardError("the message does not show which trunk it comes from; name it with --from")


def _address(trunk: Trunk) -> str:
    """An address the trunk sends from; any will do for one that is known by certificate or credentials alone."""
    if (trunk.tls_names or trunk.digest) and not trunk.sources:
        return _ANYWHERE
    if not trunk.sources:
        raise SipguardError(f"trunk {trunk.name} has no source addresses")
    network = ipaddress.ip_network(trunk.sources[0], strict=False)
    return str(network[0])


def _show(replay: Replay) -> None:
    console = Console()
    record = replay.record
    if record is None:
        answer = replay.sent[-1].start_line if replay.sent else "nothing"
        console.print(Text.assemble("not screened; answered: ", (answer, "bold")))
        return
    table = Table(title=f"{record['direction']} from {replay.trunk.name} under revision {record['revision']}")
    table.add_column("stage")
    table.add_column("found")
    for stage, *found in record["trail"]:
        table.add_row(str(stage), " ".join(str(word) for word in found))
    console.print(table)
    _show_outcome(console, replay, record)


def _show_outcome(console: Console, replay: Replay, record: dict[str, Any]) -> None:
    if replay.forwarded:
        console.print(Text.assemble(("forward", "bold green"), f" by {', '.join(record.get('routes', []))}"))
    else:
        reason = f" {record['code']} by rule {record['rule']}: {record['detail']}"
        console.print(Text.assemble(("refuse", "bold red"), reason))
    for rule in record.get("reported", []):
        console.print(Text(f"reported only: {rule}"))
    if replay.trunk.digest:
        console.print(Text("not checked: credentials"))
    for missing in replay.not_fetched:
        console.print(Text(f"not fetched: {missing}"))
    if replay.sent:
        leaving = replay.sent[-1].encode().decode("utf-8", "replace")
        console.print(Text(f"\nwhat would leave:\n{leaving}"), soft_wrap=True)

"""One message through an engine of its own: what the proxy would do, without a socket.

What the engine would have to fetch is answered "not available", since explaining must not touch the network; nothing is
written to the attestation log.
"""

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from sipguard.config import Configuration
from sipguard.engine import Ask, Engine, Log, Output, Send
from sipguard.errors import SipguardError
from sipguard.policy.need import Answer, CommitNeed, Need, TargetAnswer, TargetNeed
from sipguard.policy.trunk import Trunk
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import Node, build
from sipguard.runtime.tags import restore_tags, tags_file
from sipguard.sip.flow import Flow
from sipguard.sip.message import Message
from sipguard.sip.parser import parse

_DEFAULT_PORT = 5060
_ANYWHERE = "192.0.2.0"  # an address of documentation (RFC 5737)


def node_of(configuration: Configuration) -> Node:
    """The node as it would start now: with the robo-dial tags that the running one last wrote down."""
    node = build(configuration)
    restore_tags(tags_file(configuration.node.state), node.view.traffic)
    return node


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


def trunk_named(node: Node, name: str) -> Trunk:
    """The trunk of this name. Raises SipguardError."""
    trunks = node.view.directory.trunks
    if name not in trunks:
        raise SipguardError(f"no trunk {name!r}; there are: {', '.join(sorted(trunks)) or 'none'}")
    return trunks[name]


def _address(trunk: Trunk) -> str:
    """An address the trunk sends from; any will do for one that is known by certificate or credentials alone."""
    if (trunk.tls_names or trunk.digest) and not trunk.sources:
        return _ANYWHERE
    if not trunk.sources:
        raise SipguardError(f"trunk {trunk.name} has no source addresses")
    network = ipaddress.ip_network(trunk.sources[0], strict=False)
    return str(network[0])

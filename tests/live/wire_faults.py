"""The fault table on the wire: one real proxy process, every case one INVITE. ``python -m tests.live.wire_faults``.

Prints the table as markdown, which is ``docs/stir-faults.md``. The proxy refuses what it cannot verify
(``on_failure``, ``on_unavailable`` and ``require_identity``), but for one trunk that tags. After every case an ordinary
call must still pass.
"""

import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scenarios import topology
from scenarios.node import Node
from tests.live.forge import DEST, ORIG, Forge
from tests.live.kit import stored
from tests.live.wire import Heard, Wire
from tests.live.wire_cases import GROUPS, STRANGER, TAGGING, TRUSTED, Case, Outcome, delivered
from tests.live.wire_rows import uri

_USUAL = {"request_uri": f"sip:+{DEST}@sipguard.example", "from": uri(ORIG), "to": uri(DEST)}
_REFUSE = ('on_failure = "reject"', 'on_unavailable = "reject"', "require_identity = true")
_INTRODUCTION = """\
# STIR faults on the wire

Each row is one INVITE to a real `sipguard run` process, over UDP, at a trunk with `on_failure = "reject"`,
`on_unavailable = "reject"` and `require_identity = true`, and is right but for what it says. *Reason* is what the
attestation record calls it (`verify_reason`). Calls that are delivered end in a 200; *the PBX reads* is the `verstat`
they arrive with. After each of them an ordinary call passes. Written by `python -m tests.live.wire_faults`, held to by
`tests/live/test_wire_faults.py`.
"""


class Finding(NamedTuple):
    """A case that was played."""

    case: Case
    outcome: Outcome
    afterwards: Outcome  # of the ordinary call that followed


@dataclass(frozen=True, slots=True)
class Bench:
    """A running proxy, the sockets around it, and where headers are made."""

    node: Node
    wire: Wire
    forge: Forge

    def play(self, case: Case) -> tuple[Heard, Heard]:
        """One case, and the ordinary call after it."""
        rows, addresses = case.rows(self.forge), {**_USUAL, **case.addresses}
        if case.twice:
            self.wire.call(case.source, self.node.address, addresses, rows)
        heard = self.wire.call(case.source, self.node.address, addresses, rows)
        return heard, self.wire.call(TRUSTED, self.node.address, _USUAL, [self.forge.identity()])

    def metrics(self) -> str:
        """What the proxy counts."""
        with urllib.request.urlopen(f"http://{self.node.admin}/metrics", timeout=2.0) as answer:
            return str(answer.read().decode())


@contextmanager
def bench(directory: Path) -> Iterator[Bench]:
    """The proxy between three trunks of the network and a PBX."""
    with (
        Forge(directory) as forge,
        Wire(topology.ACME, (TRUSTED, STRANGER, TAGGING)) as wire,
        Node(directory / "node") as node,
    ):
        node.configure(_configuration(forge, wire))
        node.load("account", "name,state", ("acme,active",))
        node.load("number", "number,account,kind", (f"+{DEST},acme,owned",))
        node.start()
        yield Bench(node, wire, forge)


def _configuration(forge: Forge, wire: Wire) -> str:
    trunks = (
        topology.trunk("pbx", "customer", topology.ACME, 'account = "acme"', f'targets = ["{wire.pbx_uri}"]'),
        topology.trunk("trusted", "network", TRUSTED, "trusted = true", *_REFUSE),
        topology.trunk("stranger", "network", STRANGER, *_REFUSE),
        topology.trunk("tagging", "network", TAGGING),
    )
    verify = (
        "[stir.verify]", f'anchors = "{forge.anchors}"', 'allow_private_hosts = ["localhost"]',
        f'https_ca = "{forge.https_ca}"', "fetch_timeout = 0.5", "",
    )  # fmt: skip
    return "\n".join((*trunks, *verify))


def play(running: Bench) -> list[Finding]:
    """Every case of the table, in its order."""
    played = [(case, *running.play(case)) for cases in GROUPS.values() for case in cases]
    records = {record["call_id"]: record for record in stored(running.node) if record["event"] == "decision"}
    return [
        Finding(case, *(_outcome(each, records.get(each.call_id, {})) for each in heard)) for case, *heard in played
    ]


def _outcome(heard: Heard, record: dict[str, object]) -> Outcome:
    return Outcome(heard.code, heard.phrase, heard.verstat, str(record.get("verify_reason", "-")))


def differences(findings: list[Finding]) -> list[str]:
    """Every case that did not come out as it must, in full."""
    return [
        f"{case.name}: expected {case.expected}, got {outcome}, then {afterwards}"
        for case, outcome, afterwards in findings
        if outcome != case.expected or afterwards != delivered()
    ]


def page() -> str:
    """The table as markdown; what is expected, which is also what happened when ``differences`` finds nothing."""
    number = sum(len(cases) for cases in GROUPS.values())
    parts = [_INTRODUCTION, f"{number} cases."]
    for title, cases in GROUPS.items():
        rows = [f"| {_cell(case.name)} | {_row(case.expected)} |" for case in cases]
        parts.append(
            "\n".join(
                (f"\n## {title}\n", "| case | on the wire | the PBX reads | reason |", "|---|---|---|---|", *rows)
            )
        )
    return "\n".join(parts) + "\n"


def _row(outcome: Outcome) -> str:
    code, phrase, verstat, reason = outcome
    return f"{code} {phrase} | {verstat} | {reason}"


def _cell(text: str) -> str:
    return f"x5u `{text[4:]}`" if text.startswith("x5u ") and ":" in text else text


def main() -> int:
    """Play the table and print it; what differs goes to standard error."""
    with tempfile.TemporaryDirectory(prefix="sipguard-faults-") as name, bench(Path(name)) as running:
        wrong = differences(play(running))
    sys.stdout.write(page())
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

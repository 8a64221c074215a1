"""``python -m scenarios.demo``: the main job on real SIP traffic, from a TEST authority to the attestation log.

Real SIPp agents play customers and carriers, the proxy runs as a process of its own, the signature that reaches a
carrier is checked here with PyJWT against the certificate. Prints one line per call and exits 1 when any differs from
what is expected. Everything it starts is ended before it returns; its files stay in ``var/demo`` for a closer look.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scenarios import calls, passport, topology
from scenarios.calls import Outcome, Planned
from scenarios.driver import AgentError, Played
from scenarios.node import Node, NodeError
from scenarios.passport import OtherCarrier
from scenarios.repository import Repository
from scenarios.topology import Certificates, World
from scenarios.trace import Traced

ROOT = Path(__file__).resolve().parent.parent
BURST, BURST_RATE = 160, 40
_RULE = re.compile(r'text="(?P<rule>[a-z.-]+)"')
_VERSTAT = re.compile(r"verstat=(?P<verstat>[A-Za-z-]+)")

Records = Mapping[str, Mapping[str, Any]]  # decision records by Call-ID
Alerts = frozenset[str]  # identifiers of the records an alert was raised for


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    title: str
    sent: str
    expected: Outcome
    happened: Outcome


class Demo:
    """The calls in a world, and what came of them."""

    def __init__(self, world: World) -> None:
        self._stage = world.stage
        self._node = world.node
        self._parties = world.parties
        self._certificates = world.certificates
        self._played: list[tuple[Planned, Played]] = []

    def play(self, planned: list[Planned]) -> None:
        """Make the calls, one after the other."""
        for call in planned:
            self._played.append((call, self._stage.call(call.flow, call.source, self._node.address, call.keys)))

    def burst(self) -> tuple[int, float]:
        """Short calls to ever new numbers from one account. Returns SIPp's exit code and the seconds it took."""
        numbers = self._stage.directory / "burst.csv"
        called = (f"+1{area}555{line:04};" for area in (201, 305, 404, 503) for line in range(100, 200))
        numbers.write_text("\n".join(("SEQUENTIAL", *called)) + "\n")
        keys = {"from": f"<sip:+{topology.DIALER}@pbx.example>", "domain": "sipguard.example", "headers": ""}
        started = time.monotonic()
        agent = self._stage.client(
            "burst_uac", topology.DIALCO, self._node.address, keys,
            hold=200, calls=BURST, rate=BURST_RATE, limit=BURST, injection=numbers,
        )  # fmt: skip
        return agent.wait(30.0), time.monotonic() - started

    def lines(self, records: Records, alerts: Alerts) -> list[Line]:
        """What came of the calls played so far."""
        return [Line(c.title, c.sent, c.expected, self._outcome(c, p, records, alerts)) for c, p in self._played]

    def _outcome(self, planned: Planned, played: Played, records: Records, alerts: Alerts) -> Outcome:
        where, invite = self._arrival(played.call_id)
        record = records.get(played.call_id, {})
        mark = "-"
        if invite is not None:
            mark = _verstat(invite) if where == "acme-pbx" else self._attestation(planned, invite)
        return Outcome(where, played.code or 0, _rule(played, record), mark, record.get("id") in alerts)

    def _arrival(self, call_id: str) -> tuple[str, Traced | None]:
        for name, agent in self._parties.by_name.items():
            invite = agent.received("INVITE", call_id)
            if invite is not None:
                return name, invite
        return "refused", None

    def _attestation(self, planned: Planned, invite: Traced) -> str:
        """The attestation level a carrier reads, verified independently, or what is wrong."""
        identities = invite.headers("Identity")
        if len(identities) != 1:
            return f"{len(identities)} Identity"
        claims = passport.read(identities[0], self._certificates.own / "chain.pem")
        if isinstance(claims, str):
            return claims
        if (claims.orig, claims.dest) != (planned.calling, (planned.called,)):
            return f"{claims.attest} for {claims.orig} to {claims.dest}"
        return claims.attest


def _verstat(invite: Traced) -> str:
    text = ",".join(invite.headers("P-Asserted-Identity") + invite.headers("From"))
    found = _VERSTAT.search(text)
    return found["verstat"] if found else "no verstat"


def _rule(played: Played, record: Mapping[str, Any]) -> str:
    """The rule that decided: the refusing one, or the stage that let the call through in a special way."""
    if record.get("rule"):
        return str(record["rule"])
    if not record:
        reason = played.final.header("Reason") if played.final else None
        named = _RULE.search(reason or "")
        return named["rule"] if named else "no record"
    trail = {entry[0]: entry[1:] for entry in record.get("trail", ())}
    if record.get("direction") == "termination":
        return "verify" if "verify" in trail else "not verified"
    if record.get("emergency"):
        return f"emergency {trail['emergency'][-1]}"
    if record.get("traffic_class") == "dialer":
        return "robodial dialer"
    return f"caller-id {trail.get('caller-id', ('', '?'))[1]}"


def burst_line(exit_code: int, seconds: float, records: Records) -> Line:
    """The burst in one line: how many calls were answered, and from which one on the account was tagged."""
    mine = [record for record in records.values() if record.get("account") == "dialco"][:BURST]
    tagged = [record for record in mine if record.get("traffic_class") == "dialer"]
    reasons = ", ".join(tagged[-1].get("tags", ())) if tagged else "not tagged"
    expected = Outcome("tagged", 200, "robodial dialer")
    happened = Outcome(
        "tagged" if tagged else reasons, 200 if exit_code == 0 else 0, "robodial dialer" if tagged else "-"
    )
    sent = f"{BURST} calls of 0.2 s in {seconds:.0f} s; tagged after {len(mine) - len(tagged)}: {reasons}"
    return Line("robo-dial burst", sent, expected, happened)


def table(lines: list[Line]) -> Table:
    """The table that is printed."""
    drawn = Table(title="What was sent, what was expected, what happened", title_justify="left")
    drawn.add_column("call", no_wrap=True)
    drawn.add_column("what was sent")
    drawn.add_column("expected")
    for heading in ("happened", "rule that decided", "SIP", "attestation / verstat", ""):
        drawn.add_column(heading, no_wrap=True)
    for line in lines:
        happened = line.happened
        drawn.add_row(
            line.title, line.sent, _expectation(line.expected), _where(happened), happened.rule,
            str(happened.code or "none"), happened.mark,
            "[green]ok[/]" if line.expected == happened else "[bold red]DIFFERS[/]",
        )  # fmt: skip
    return drawn


def _expectation(outcome: Outcome) -> str:
    mark = "" if outcome.mark == "-" else f", {outcome.mark}"
    return f"{outcome.code} {_where(outcome)}{mark}"


def _where(outcome: Outcome) -> str:
    if outcome.where == "refused":
        return "refused, alert" if outcome.alert else "refused"
    return outcome.where if outcome.where == "tagged" else f"to {outcome.where}"


def differences(lines: list[Line]) -> list[str]:
    """Every line that differs, in full."""
    return [
        f"{line.title}: expected {line.expected}, got {line.happened}"
        for line in lines
        if line.expected != line.happened
    ]


def decisions(node: Node) -> dict[str, Mapping[str, Any]]:
    """The decision records by Call-ID."""
    return {str(record["call_id"]): record for record in node.records() if record.get("event") == "decision"}


def run(console: Console, directory: Path) -> bool:
    """Set everything up, make the calls, print. Returns whether every line is as expected."""
    certificates = Certificates.make(ROOT / "certs" / "test")
    with topology.world(directory, certificates) as world:
        demo, node = Demo(world), world.node
        demo.play(calls.origination())
        url = world.repository.url(Certificates.OTHER_PATH)
        demo.play(calls.termination(OtherCarrier(certificates.other / "leaf.key", url)))
        exit_code, seconds = demo.burst()
        demo.play([calls.after_the_burst()])
        records = decisions(node)
        alerts = frozenset(entry["record"] for entry in node.log_events() if entry["event"] == "alert")
        *lines, last = demo.lines(records, alerts)
        lines += [burst_line(exit_code, seconds, records), last]
        console.print(table(lines))
        for difference in differences(lines):
            console.out(difference, highlight=False)
        _further(console, node, world.repository)
        stopped = node.stop()
    if stopped != 0:
        console.print(f"[bold red]the proxy ended with exit code {stopped}[/]")
    return stopped == 0 and not differences(lines)


def _further(console: Console, node: Node, repository: Repository) -> None:
    """The last records, and where to look next."""
    console.print("\nThe last records of the attestation log (sipguard log tail):")
    console.out(node.command("log", "tail", "-n", "3").rstrip(), highlight=False)
    console.out(node.command("log", "verify").rstrip(), highlight=False)
    fetched = repository.fetched[Certificates.OTHER_PATH]
    console.print(f"\nThe other carrier's certificate was fetched {fetched} time(s) for all its calls.")
    shown = node.configuration.relative_to(ROOT)
    console.print("How to look further:")
    for words in ("log tail --json -n 20", "log search --account dialco", "account list", "policy show"):
        console.out(f"  .venv/bin/sipguard {words} --config {shown}", highlight=False)
    console.out(
        f"  SIPp's message traces: {shown.parent}/sipp/*.messages   the proxy's log: {shown.parent}/sipguard.log"
    )


def main() -> int:
    """Run the demo; 0 when everything is as expected."""
    console = Console(width=max(170, Console().width))
    directory = ROOT / "var" / "demo"
    shutil.rmtree(directory, ignore_errors=True)
    started = time.monotonic()
    try:
        good = run(console, directory)
    except (NodeError, AgentError, subprocess.CalledProcessError) as error:
        console.print(f"[bold red]demo:[/] {error}", markup=True)
        return 1
    console.print(f"\n{'All lines as expected' if good else 'Some lines DIFFER'}, {time.monotonic() - started:.0f} s.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

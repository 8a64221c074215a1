"""``sipguard log``: what was decided about calls, from the attestation log. Reads beside a running proxy."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, JsonOption, noun
from sipguard.cli.output import say, show
from sipguard.config import load
from sipguard.ledger.reader import Call, LogReader
from sipguard.ledger.segment import log_directory

app = noun("log", "Read and verify the attestation log.", "sipguard log tail -n 5")

CountOption = Annotated[int, typer.Option("--count", "-n", min=1, max=100_000, help="How many calls.", metavar="N")]
IdentifierArgument = Annotated[str, typer.Argument(help="The record identifier.", metavar="ID", show_default=False)]

_ASIDE = ("refused", "reported")  # a request inside a call, a rule in report: they do not say how it ended


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app)


@app.command("tail")
def tail(count: CountOption = 10, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the last calls decided, oldest first."""
    _show(_reader(config).tail(count), as_json)


@app.command("show")
def show_call(
    identifier: IdentifierArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Show everything recorded about one call. Exit code 1 when there is none."""
    call = _reader(config).find(identifier)
    if call is None:
        say(f"no record {identifier}")
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(call.as_json(), ensure_ascii=False))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for record in (call.decision, *call.events):
        for name, value in record.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            table.add_row(Text(name, style="bold"), Text(text, overflow="fold"))
        table.add_section()
    Console().print(table)


@app.command("search")
def search(
    calling: Annotated[str | None, typer.Option(help="Caller's number, or part of it.", metavar="NUMBER")] = None,
    called: Annotated[str | None, typer.Option(help="Called number, or part of it.", metavar="NUMBER")] = None,
    account: Annotated[str | None, typer.Option(help="Account name.", metavar="NAME")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Find calls by number or account; every criterion given must match. Exit code 1 when none does."""
    if calling is None and called is None and account is None:
        raise typer.BadParameter("name at least one of --calling, --called, --account")
    calls = _reader(config).search(calling, called, account)
    _show(calls, as_json)
    if not calls:
        raise typer.Exit(1)


@app.command("verify")
def verify(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check the hash chain. Exit code 1, and the first record that does not fit, when it is broken."""
    found = _reader(config).verify()
    broken = found.broken
    if as_json:
        facts = {"segments": found.segments, "records": found.records, "ok": broken is None}
        print(json.dumps({**facts, "broken": broken._asdict() if broken else None}))
    elif broken is None:
        print(f"chain intact: {found.records} records in {found.segments} segments")
    else:
        print(f"chain broken at {broken.segment} line {broken.line} (record {broken.identifier}): {broken.reason}")
    if broken is not None:
        raise typer.Exit(1)


def _reader(config: ConfigOption) -> LogReader:
    return LogReader(log_directory(load(config).node.state))


def _show(calls: list[Call], as_json: bool) -> None:
    if as_json:
        for call in calls:
            print(json.dumps(call.as_json(), ensure_ascii=False))
    else:
        show([_row(call) for call in calls], as_json=False, nothing="no calls")


def _row(call: Call) -> dict[str, object]:
    """One line of the table."""
    decision = call.decision
    calling, called = decision.get("calling") or {}, decision.get("called") or {}
    end = next((event for event in reversed(call.events) if event.get("event") not in _ASIDE), {})
    return {
        "id": call.identifier,
        "at": decision.get("at"),
        "direction": decision.get("direction"),
        "account": decision.get("account"),
        "calling": calling.get("effective") or calling.get("from"),
        "called": called.get("request_uri") or called.get("to"),
        "decision": decision.get("decision"),
        "rule": decision.get("rule"),
        "code": decision.get("code") or end.get("code"),
        "attest": decision.get("attest"),
        "verstat": decision.get("verstat"),
        "route": end.get("route") or " ".join(decision.get("routes", [])),
        "duration": end.get("duration"),
    }

"""``sipguard explain``: what would be decided and why, of a message in a file, an account, or a number.

No socket is opened and nothing is written to the attestation log. A message goes through the same engine that carries
calls (``replay``); what is said of an account or a number is read from the node's registry, policy, tags and log.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipguard.cli.account_facts import account_facts
from sipguard.cli.commands import checked
from sipguard.cli.facts import show_facts
from sipguard.cli.number_facts import known, number_facts
from sipguard.cli.replay import Replay, node_of, trunk_named
from sipguard.config import load
from sipguard.errors import MalformedMessage, SipguardError
from sipguard.policy.trunk import Trunk
from sipguard.registry.values import canonical_number
from sipguard.runtime.composition import Node
from sipguard.sip.message import Request
from sipguard.sip.parser import parse

_NOUNS = ("account", "number")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    what: Annotated[
        str,
        typer.Argument(
            help="A SIP request in a file, as captured (- reads standard input); or the word account or number.",
            metavar="FILE|account|number",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(help="The account's name, or the number.", metavar="NAME|NUMBER", show_default=False),
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path("sipguard.toml"),
    source: Annotated[
        str | None,
        typer.Option("--from", help="The trunk the message comes from, or a number calls from."),
    ] = None,
    country: Annotated[str, typer.Option("--country", help="The country of a national number.", metavar="CC")] = "US",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the decision trail for a message in a file, or all that is known of an account or a number.

    Exit code 1: the message would be refused, there is no such account, nobody has a right to the number.

    Example: sipguard explain invite.sip --from acme-pbx

    Example: sipguard explain account acme

    Example: sipguard explain number +14155550100
    """
    if name is None:
        _explain_message(what, config, source, as_json)
    elif what == "account":
        _explain_account(name, config, source, as_json)
    elif what == "number":
        _explain_number(name, config, source, country, as_json)
    else:
        raise typer.BadParameter(f"{what!r} is neither {' nor '.join(_NOUNS)}; a file stands alone")


def _explain_message(file: str, config: Path, source: str | None, as_json: bool) -> None:
    if file in _NOUNS and not Path(file).exists():
        raise typer.BadParameter(f"which {file}?")
    node = node_of(load(config))
    octets = _read(file)
    replay = Replay(node, _trunk(node, source, octets))
    replay.run(octets)
    if as_json:
        print(msgspec.json.encode(replay.summary()).decode())
    else:
        _show(replay)
    if not replay.forwarded:
        raise typer.Exit(1)


def _explain_account(name: str, config: Path, source: str | None, as_json: bool) -> None:
    if source is not None:
        raise typer.BadParameter("--from is for messages and numbers")
    show_facts(account_facts(load(config), name), as_json)


def _explain_number(number: str, config: Path, source: str | None, country: str, as_json: bool) -> None:
    with checked():
        if number.upper().endswith("X"):
            raise ValueError(f'"{number}" is a block; name one number of it')
        tn = canonical_number(number, country)
    facts = number_facts(load(config), tn, source)
    show_facts(facts, as_json)
    if not known(facts):
        raise typer.Exit(1)


def _read(file: str) -> bytes:
    """The message; a file edited by hand may have bare line feeds in its head."""
    try:
        octets = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
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
    if name is not None:
        return trunk_named(node, name)
    via = parse(octets).via
    trunk = node.view.directory.trunk_at(via.received or via.host.strip("[]"))
    if trunk is not None:
        return trunk
    raise SipguardError("the message does not show which trunk it comes from; name it with --from")


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

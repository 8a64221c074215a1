"""The composition root: every noun of the command line, put together."""

from typing import Annotated

import typer

from sipguard import __version__
from sipguard.cli import (
    account,
    audit,
    cert,
    check,
    emergency,
    explain,
    lists,
    log,
    number,
    passport,
    policy,
    run,
    trunk,
)
from sipguard.cli.commands import Commands

app = typer.Typer(
    name="sipguard",
    cls=Commands,
    help="The caller-identity firewall for SIP trunks: screens, signs, verifies and records every call.",
    epilog="Start with: sipguard check --config sipguard.toml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)

for command in (run, check, explain, log, audit):
    command.register(app)
for group in (account, number, trunk, emergency, lists, policy, passport, cert):
    app.add_typer(group.app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sipguard {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """The caller-identity firewall for SIP trunks: screens, signs, verifies and records every call."""


def main() -> None:
    """Run the command the user typed."""
    app()

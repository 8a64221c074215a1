"""``sipguard trunk credential``: the user names and passwords by which customer trunks prove themselves (digest).

A password is read from the terminal without echo, or from standard input; never from an argument, which every user of
the machine could read. It may be made here and is then shown once. What is kept is what the password becomes in the
configured realm (H(A1)), and that is never shown.
"""

import getpass
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from sipguard.cli.commands import DEFAULT_CONFIG, ConfigOption, JsonOption, checked, noun
from sipguard.cli.commands import open_registry as registry_of
from sipguard.cli.output import done, say, show
from sipguard.config import load
from sipguard.errors import RegistryError
from sipguard.policy.trunk import Side
from sipguard.registry import Registry
from sipguard.registry.values import password, user_name
from sipguard.sip.digest import secret_of

app = noun("credential", "User names and passwords of customer trunks.", "sipguard trunk credential list")

_GENERATED = 18  # octets, 24 characters

Trunk = Annotated[str, typer.Argument(help="The trunk's name.", show_default=False)]
User = Annotated[str, typer.Argument(help="The user name.", metavar="USER", show_default=False)]


@app.command("set", epilog="Example: sipguard trunk credential set acme-pbx acme < password")
def change(
    trunk: Trunk,
    user: User,
    generate: Annotated[bool, typer.Option("--generate", help="Make a password and show it, once.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give a trunk a user name, or this one a new password, which is read from the terminal or standard input."""
    configuration = load(config)
    registry = registry_of(config)
    with checked():
        name = user_name(user)
    _require_customer(config, registry, trunk)
    with checked():
        word = secrets.token_urlsafe(_GENERATED) if generate else password(_typed(name))
    realm = configuration.realm
    entries: dict[str, str] = {item: secret_of(item, name, realm, word) for item in configuration.digest.algorithms}
    registry.credentials.set(trunk, name, realm, entries)
    record: dict[str, object] = {"trunk": trunk, "username": name, "realm": realm, "algorithms": list(entries)}
    if generate and not as_json:
        print(word)
    elif generate:
        record["password"] = word
    done(f"user {name} of trunk {trunk} set", record, as_json)


@app.command("list", epilog="Example: sipguard trunk credential list --json")
def show_all(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the user names, their realms and algorithms; never a secret."""
    entries = registry_of(config).credentials.list()
    show([entry._asdict() for entry in entries], as_json, "no credentials yet")


@app.command(epilog="Example: sipguard trunk credential remove acme-pbx acme")
def remove(trunk: Trunk, user: User, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Take a user name off a trunk."""
    registry_of(config).credentials.remove(trunk, user)
    done(f"user {user} of trunk {trunk} removed", {"trunk": trunk, "username": user}, as_json)


def _require_customer(config: Path, registry: Registry, name: str) -> None:
    """The trunk must be there, a customer's, and be asked for credentials to be of use. Raises RegistryError."""
    trunks = {section.name: section for section in (*registry.trunks.list(), *load(config).trunk)}
    if name not in trunks:
        raise RegistryError(f'no trunk is called "{name}"')
    if trunks[name].side is not Side.CUSTOMER:
        raise RegistryError(f'trunk "{name}" is a network trunk, which is not asked for credentials')
    if not trunks[name].digest:
        say(f'trunk "{name}" is not asked for credentials until it has digest = true')


def _typed(user: str) -> str:
    """The password from a terminal, twice; else the first line of standard input. Raises ValueError."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password of {user}: ")
    if getpass.getpass("Once more: ") != first:
        raise ValueError("the two passwords differ")
    return first

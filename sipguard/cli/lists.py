"""``sipguard list``: numbers that never call, and numbers that are not to be called."""

from typing import Annotated

import typer

from sipguard.cli.commands import (
    DEFAULT_CONFIG,
    ConfigOption,
    CountryOption,
    FileArgument,
    JsonOption,
    NumberArgument,
    OutputArgument,
    ValidateOption,
    checked,
    noun,
    open_registry,
)
from sipguard.cli.exporting import export_file
from sipguard.cli.importing import import_file
from sipguard.cli.named_list import ListName, NamedList, listed_about
from sipguard.cli.output import done, say, show
from sipguard.config.dial_plan import dial_plan
from sipguard.registry.values import canonical_number, canonical_pattern, expiry, list_source, shown_number

app = noun(
    "list",
    "Numbers that never call anybody, and numbers that are not to be called.",
    "sipguard list import national.csv --list national",
)

Pattern = Annotated[
    str, typer.Argument(help="A number, or a block with trailing X like 999XXXXXXX.", show_default=False)
]
List = Annotated[
    ListName,
    typer.Option(
        "--list",
        help="do-not-originate: never calls; national: do not call; opt-out, opt-in: what callees told an account.",
    ),
]
Account = Annotated[
    str | None, typer.Option("--account", help="Whose opt-outs or opt-ins.", metavar="NAME", show_default=False)
]


@app.command(epilog="Example: sipguard list add +14155550123 --list opt-out --account acme --source letter")
def add(
    pattern: Pattern,
    name: List = ListName.DO_NOT_ORIGINATE,
    account: Account = None,
    source: Annotated[str, typer.Option(help="Who asked for it, or where it is written.")] = "",
    expires: Annotated[str, typer.Option(help="When the entry ends, like 2027-12-31.", metavar="DATE")] = "",
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Put a number or a block of numbers on a list."""
    with checked():
        chosen = NamedList(name, account, keeper_needed=True)
        canonical, said, until = canonical_pattern(pattern, dial_plan(country)), list_source(source), expiry(expires)
    record = chosen.add(open_registry(config), canonical, said, until)
    done(f"{shown_number(canonical)} {chosen.meaning}", record, as_json)


@app.command(epilog="Example: sipguard list remove 8005550199")
def remove(
    pattern: Pattern,
    name: List = ListName.DO_NOT_ORIGINATE,
    account: Account = None,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take a number or a block off a list."""
    with checked():
        chosen = NamedList(name, account, keeper_needed=True)
        canonical = canonical_pattern(pattern, dial_plan(country))
    chosen.remove(open_registry(config), canonical)
    done(f"{shown_number(canonical)} removed", {"pattern": canonical}, as_json)


@app.command(epilog="Example: sipguard list clear --list opt-out --account acme")
def clear(
    name: Annotated[ListName, typer.Option("--list", help="Which list.", show_default=False)],
    account: Account = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take everything off a list. A file without rows does not do that: it may be a download that failed."""
    with checked():
        chosen = NamedList(name, account, keeper_needed=True)
    removed = chosen.clear(open_registry(config))
    done(f"{removed} entries removed", {"list": name, "account": account, "removed": removed}, as_json)


@app.command("list", epilog="Example: sipguard list list --limit 20")
def show_all(
    name: List = ListName.DO_NOT_ORIGINATE,
    account: Account = None,
    limit: Annotated[int, typer.Option(help="How many entries at most.", min=1)] = 1000,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show a list."""
    with checked():
        chosen = NamedList(name, account)
    registry = open_registry(config)
    records = chosen.records(registry, limit)
    show(records, as_json, "the list is empty")
    if len(records) == limit:
        say(f"{chosen.count(registry)} entries in all; --limit shows more")


@app.command(epilog="Example: sipguard list search +14155550123")
def search(
    number: NumberArgument,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show what every list says of a number, alone or by a block it is in, expired entries too."""
    with checked():
        tn = canonical_number(number, country)
    show(listed_about(open_registry(config), tn), as_json, f"{shown_number(tn)} is on no list")


@app.command("export", epilog="Example: sipguard list export opt-outs.csv --list opt-out")
def export_csv(
    file: OutputArgument,
    name: List = ListName.DO_NOT_ORIGINATE,
    account: Account = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a list as CSV, in the form that import reads."""
    with checked():
        chosen = NamedList(name, account)
    export_file(chosen.columns, chosen.exported(open_registry(config)), file)


@app.command("import", epilog="Example: sipguard list import national.csv --list national --replace")
def import_csv(
    file: FileArgument,
    name: List = ListName.DO_NOT_ORIGINATE,
    account: Account = None,
    replace: Annotated[bool, typer.Option("--replace", help="The file is the whole list: the rest goes.")] = False,
    validate_only: ValidateOption = False,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Import a list: column pattern, and optionally source, expires; action (block) for do-not-originate.

    Opt-outs and opt-ins may have a column account, in place of --account.
    """
    with checked():
        form = NamedList(name, account).form(country, replace=replace)
    import_file(open_registry(config), form, file, validate_only=validate_only, as_json=as_json)

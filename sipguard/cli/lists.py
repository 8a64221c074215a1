"""``sipguard list``: the do-not-originate list."""

from typing import Annotated

import typer

from sipguard.cli.commands import (
    DEFAULT_CONFIG,
    ConfigOption,
    CountryOption,
    FileArgument,
    JsonOption,
    OutputArgument,
    ValidateOption,
    checked,
    noun,
    open_registry,
)
from sipguard.cli.exporting import export_file
from sipguard.cli.importing import import_file
from sipguard.cli.output import done, say, show
from sipguard.config.dial_plan import dial_plan
from sipguard.registry.formats import DoNotOriginateFormat
from sipguard.registry.lists import PatternEntry
from sipguard.registry.values import canonical_pattern, expiry, list_source, shown_time

app = noun("list", "The do-not-originate list: numbers that never call anybody.", "sipguard list import dno.csv")

Pattern = Annotated[
    str, typer.Argument(help="A number, or a block with trailing X like 999XXXXXXX.", show_default=False)
]


@app.command(epilog="Example: sipguard list add 8005550199 --source tax-office")
def add(
    pattern: Pattern,
    source: Annotated[str, typer.Option(help="Who asked for it.")] = "",
    expires: Annotated[str, typer.Option(help="When the entry ends, like 2027-12-31.", metavar="DATE")] = "",
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Put a number or a block of numbers on the list."""
    with checked():
        entry = PatternEntry(
            canonical_pattern(pattern, dial_plan(country)), source=list_source(source), expires=expiry(expires)
        )
    open_registry(config).lists.add(entry)
    done(f"{entry.pattern} must not originate calls", _record(entry), as_json)


@app.command(epilog="Example: sipguard list remove 8005550199")
def remove(
    pattern: Pattern, country: CountryOption = "US", as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Take a number or a block off the list."""
    with checked():
        canonical = canonical_pattern(pattern, dial_plan(country))
    open_registry(config).lists.remove(canonical)
    done(f"{canonical} removed", {"pattern": canonical}, as_json)


@app.command("list", epilog="Example: sipguard list list --limit 20")
def show_all(
    limit: Annotated[int, typer.Option(help="How many entries at most.", min=1)] = 1000,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the list."""
    lists = open_registry(config).lists
    entries = lists.list(limit)
    show([_record(entry) for entry in entries], as_json, "the list is empty")
    if len(entries) == limit:
        say(f"{lists.count()} entries in all; --limit shows more")


@app.command("export", epilog="Example: sipguard list export dno.csv")
def export_csv(file: OutputArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the list as CSV, in the form that import reads."""
    export_file(DoNotOriginateFormat.columns, map(_exported, open_registry(config).lists.export()), file)


@app.command("import", epilog="Example: sipguard list import dno.csv --validate-only")
def import_csv(
    file: FileArgument,
    validate_only: ValidateOption = False,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Import a list: column pattern, and optionally action (block), source, expires."""
    with checked():
        form = DoNotOriginateFormat(country)
    import_file(open_registry(config), form, file, validate_only=validate_only, as_json=as_json)


def _exported(entry: PatternEntry) -> dict[str, object]:
    """With the plus sign that keeps an importer from taking the number for a national one."""
    return _record(entry) | {"pattern": f"+{entry.pattern}"}


def _record(entry: PatternEntry) -> dict[str, object]:
    return entry._asdict() | {"expires": shown_time(entry.expires)}

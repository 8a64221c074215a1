"""``sipguard emergency``: numbers provisioned for emergency calling."""

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
from sipguard.cli.output import done, show
from sipguard.config.dial_plan import dial_plan
from sipguard.registry.emergency import STATUSES, EmergencyEntry
from sipguard.registry.formats import EmergencyFormat
from sipguard.registry.values import canonical_number, choice, shown_number

app = noun(
    "emergency",
    "Numbers registered for emergency calling, with the caller's location.",
    'sipguard emergency add +14155550100 --account acme --location "1 Main St, San Francisco, CA"',
)


@app.command(epilog='Example: sipguard emergency add +14155550100 --account acme --location "1 Main St, San Francisco"')
def add(
    number: NumberArgument,
    account: Annotated[str, typer.Option(help="The account that has the number.", show_default=False)],
    country: Annotated[str, typer.Option(help="The country of the caller's location.", metavar="CC")] = "US",
    status: Annotated[str, typer.Option(help="pending, registered or failed.", metavar="STATUS")] = "registered",
    paid: Annotated[bool, typer.Option("--paid/--unpaid", help="Whether the service is paid for.")] = True,
    location: Annotated[str | None, typer.Option(help="Where help is to be sent: a civic address.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Register a number for emergency calling, or change its registration."""
    with checked():
        country = dial_plan(country).country
        tn = canonical_number(number, country)
        entry = EmergencyEntry(tn, account, country, choice("status", status, STATUSES), paid, location)
    open_registry(config).emergency.add(entry)
    done(f"{shown_number(tn)}: emergency registration {status}", _record(entry), as_json)


@app.command(epilog="Example: sipguard emergency remove +14155550100")
def remove(
    number: NumberArgument,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End the emergency registration of a number."""
    with checked():
        tn = canonical_number(number, country)
    open_registry(config).emergency.remove(tn)
    done(f"{shown_number(tn)} is no longer registered", {"number": shown_number(tn)}, as_json)


@app.command("list", epilog="Example: sipguard emergency list --json")
def show_all(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the emergency registrations."""
    show([_record(entry) for entry in open_registry(config).emergency.list()], as_json, "no emergency registrations")


@app.command("export", epilog="Example: sipguard emergency export emergency.csv")
def export_csv(file: OutputArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the registrations as CSV, in the form that import reads."""
    records = (_record(entry) for entry in open_registry(config).emergency.list())
    rows = (record | {"paid": "yes" if record["paid"] else "no"} for record in records)
    export_file(EmergencyFormat.columns, rows, file)


@app.command("import", epilog="Example: sipguard emergency import emergency.csv --validate-only")
def import_csv(
    file: FileArgument,
    validate_only: ValidateOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Import registrations: columns number, account, country, status, and optionally paid (yes or no), location."""
    import_file(open_registry(config), EmergencyFormat(), file, validate_only=validate_only, as_json=as_json)


def _record(entry: EmergencyEntry) -> dict[str, object]:
    record: dict[str, object] = {"number": shown_number(entry.tn)}
    record.update(list(entry._asdict().items())[1:])
    return record

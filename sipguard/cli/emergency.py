"""``sipguard emergency``: numbers provisioned for emergency calling."""

import json
from typing import Annotated, Any

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
from sipguard.config import load
from sipguard.config.dial_plan import dial_plan
from sipguard.ledger.reader import LogReader, Record
from sipguard.ledger.segment import log_directory
from sipguard.policy.emergency_numbers import TESTS
from sipguard.registry.emergency import REGISTERED, STATUSES, EmergencyEntry
from sipguard.registry.formats import EmergencyFormat
from sipguard.registry.values import address_unit, canonical_number, choice, expiry, shown_number, shown_time
from sipguard.stir.telephone_number import TN

app = noun(
    "emergency",
    "Numbers registered for emergency calling, with the caller's location.",
    'sipguard emergency add +14155550100 --account acme --location "1 Main St, San Francisco, CA"',
)


AccountOption = Annotated[str, typer.Option(help="The account that has the number.", show_default=False)]
StatusOption = Annotated[str | None, typer.Option(help="pending, registered or failed.", metavar="STATUS")]
PaidOption = Annotated[bool | None, typer.Option("--paid/--unpaid", help="Whether the service is paid for.")]
LocationOption = Annotated[str | None, typer.Option(help="Where help is to be sent: a civic address.")]
UnitOption = Annotated[str | None, typer.Option(help="The rest of the address: floor, suite, room.")]
CallbackOption = Annotated[
    str | None,
    typer.Option(help="Where the emergency centre calls back; the number itself without it.", metavar="NUMBER"),
]
ActivatedOption = Annotated[
    str | None, typer.Option(help="From when on it counts, like 2027-01-31; now without it.", metavar="DATE")
]


@app.command(epilog='Example: sipguard emergency add +14155550100 --account acme --location "1 Main St, San Francisco"')
def add(
    number: NumberArgument,
    account: AccountOption,
    country: Annotated[str, typer.Option(help="The country of the caller's location.", metavar="CC")] = "US",
    status: StatusOption = REGISTERED,
    paid: PaidOption = True,
    location: LocationOption = None,
    unit: UnitOption = None,
    callback: CallbackOption = None,
    activated: ActivatedOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Register a number for emergency calling, or replace its registration."""
    with checked():
        country = dial_plan(country).country
        tn = canonical_number(number, country)
        values = _values(status, paid, location, unit, callback, activated, country)
    open_registry(config).emergency.add(EmergencyEntry(tn, account, country, **values))
    done(f"{shown_number(tn)}: emergency registration {status}", _record(_entry(config, tn)), as_json)


@app.command("set", epilog="Example: sipguard emergency set +14155550100 --status failed")
def change(
    number: NumberArgument,
    country: CountryOption = "US",
    status: StatusOption = None,
    paid: PaidOption = None,
    location: LocationOption = None,
    unit: UnitOption = None,
    callback: CallbackOption = None,
    activated: ActivatedOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Change a registration: what the emergency service said, a new address; what is not named stays."""
    with checked():
        tn = canonical_number(number, country)
        values = _values(status, paid, location, unit, callback, activated, country)
        if not values:
            raise ValueError("name at least one thing to change")
    entry = open_registry(config).emergency.change(tn, **values)
    done(f"{shown_number(tn)}: emergency registration {entry.status}", _record(entry), as_json)


@app.command("show", epilog="Example: sipguard emergency show +14155550100")
def show_one(
    number: NumberArgument,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show a registration, with the last test (933) and the last emergency call that this node's log holds."""
    with checked():
        tn = canonical_number(number, country)
    record = _record(_entry(config, tn)) | _last_calls(config, tn)
    if as_json:
        print(json.dumps(record, ensure_ascii=False, indent=1))
    else:
        show([{"what": name, "is": value} for name, value in record.items()], as_json=False)


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
    """Import registrations.

    Columns number, account, country, status, and optionally paid (yes or no), location, unit, callback, activated_at.
    """
    import_file(open_registry(config), EmergencyFormat(), file, validate_only=validate_only, as_json=as_json)


def _entry(config: ConfigOption, tn: TN) -> EmergencyEntry:
    return open_registry(config).emergency.find(tn)


def _values(
    status: str | None, paid: bool | None, location: str | None, unit: str | None, callback: str | None,
    activated: str | None, country: str,
) -> dict[str, Any]:  # fmt: skip
    """What was named. Raises ValueError."""
    values = {
        "status": None if status is None else choice("status", status, STATUSES),
        "paid": paid,
        "location": location,
        "unit": None if unit is None else address_unit(unit),
        "callback": None if callback is None else canonical_number(callback, country),
        "activated_at": None if activated is None else expiry(activated),
    }
    return {name: value for name, value in values.items() if value is not None}


def _last_calls(config: ConfigOption, tn: TN) -> dict[str, object]:
    """The last test and the last call to an emergency service of a number, from the log."""
    found: dict[str, object] = {"last_test": None, "last_call": None}
    directory = log_directory(load(config).node.state)
    for call in LogReader(directory).search(calling=tn) if directory.exists() else ():
        number = call.decision.get("emergency")
        if number is not None and tn in _callers(call.decision):
            end = next((event for event in reversed(call.events) if event.get("event") == "end"), {})
            outcome = call.decision.get("code") or end.get("code") or call.decision.get("decision")
            text = f"{call.decision.get('at')} {number} {outcome} (record {call.identifier})"
            found["last_test" if number in TESTS else "last_call"] = text
    return found


def _callers(decision: Record) -> list[str]:
    calling = decision.get("calling") or {}
    return [calling.get("effective"), calling.get("from"), *calling.get("asserted", [])]


def _record(entry: EmergencyEntry) -> dict[str, object]:
    record: dict[str, object] = {"number": shown_number(entry.tn)}
    record.update(list(entry._asdict().items())[1:])
    callback = None if entry.callback is None else shown_number(entry.callback)
    return record | {"callback": callback, "activated_at": shown_time(entry.activated_at)}

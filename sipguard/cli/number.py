"""``sipguard number``: who may present which number."""

from itertools import islice
from typing import Annotated

import typer

from sipguard.cli.commands import (
    DEFAULT_CONFIG,
    ConfigOption,
    CountryOption,
    FileArgument,
    JsonOption,
    LimitOption,
    NumberArgument,
    OutputArgument,
    ValidateOption,
    checked,
    noun,
    open_registry,
)
from sipguard.cli.exporting import export_file
from sipguard.cli.importing import import_file
from sipguard.cli.output import done, say, show
from sipguard.config import load
from sipguard.config.dial_plan import dial_plan
from sipguard.registry.formats import NumbersFormat
from sipguard.registry.numbers import KINDS, NumberEntry
from sipguard.registry.values import (
    call_count,
    canonical_right,
    choice,
    expiry,
    leading_digits,
    presentable_right,
    right_fault,
    right_warning,
    shown_number,
    shown_time,
    trunk_name,
)
from sipguard.runtime.engine_settings import policy_settings

app = noun(
    "number",
    "Numbers an account may present: owned, verified by a letter of authorisation, or delegated.",
    "sipguard number add +14155550100 --account acme",
)


@app.command(epilog="Example: sipguard number add +14155550123 --account acme --kind verified --expires 2027-12-31")
def add(
    number: NumberArgument,
    account: Annotated[str, typer.Option(help="The account that may present it.", show_default=False)],
    kind: Annotated[str, typer.Option(help="owned, verified or delegated.", metavar="KIND")] = "owned",
    expires: Annotated[str, typer.Option(help="When the right ends, like 2027-12-31.", metavar="DATE")] = "",
    end_user: Annotated[str | None, typer.Option(help="The end user below the account who uses it.")] = None,
    trunk: Annotated[str | None, typer.Option(help="The trunk that calls to it go to.")] = None,
    max_calls: Annotated[str, typer.Option(help="Calls from it at a time; 0: no limit.", metavar="N")] = "",
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give an account the right to present a number, or change that right."""
    with checked():
        plan, callers = dial_plan(country), policy_settings(load(config)).caller_numbers
        tn = presentable_right(number, plan, callers)
        calls = call_count(max_calls) if max_calls else None
        route = trunk_name(trunk) if trunk else None
        entry = NumberEntry(tn, account, choice("kind", kind, tuple(KINDS)), expiry(expires), end_user, route, calls)
    open_registry(config).numbers.add(entry)
    warning = right_warning(tn, plan, callers)
    if warning:
        say(f"warning: {warning}")
    done(f"{shown_number(tn)} is {kind} by account {account}", _record(entry), as_json)


@app.command(epilog="Example: sipguard number remove +14155550123 --account acme")
def remove(
    number: NumberArgument,
    account: Annotated[str | None, typer.Option(help="Only this account's right.")] = None,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take the right to present a number away."""
    with checked():
        tn = canonical_right(number, country)
    removed = open_registry(config).numbers.remove(tn, account)
    done(f"{removed} rights to {shown_number(tn)} ended", {"number": shown_number(tn), "removed": removed}, as_json)


@app.command("list", epilog="Example: sipguard number list --account acme")
def show_all(
    account: Annotated[str | None, typer.Option(help="Only this account's numbers.")] = None,
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List who may present which number."""
    numbers = open_registry(config).numbers
    entries = numbers.list(account, limit=limit + 1)
    show([_record(entry) for entry in entries[:limit]], as_json, "no numbers")
    if len(entries) > limit:
        say(f"there are more than {limit}; --limit shows more, and search finds some")


@app.command(epilog="Example: sipguard number search +1415555 --limit 20")
def search(
    prefix: Annotated[str, typer.Argument(help="How the number begins, with + and country code.", show_default=False)],
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Find numbers by how they begin, with who may present them; blocks they are in come along."""
    with checked():
        digits = leading_digits(prefix)
    entries = open_registry(config).numbers.search(digits, limit)
    show([_record(entry) for entry in entries], as_json, f"no number begins with {prefix}")


@app.command(epilog="Example: sipguard number check --account acme")
def check(
    account: Annotated[str | None, typer.Option(help="Only this account's numbers.")] = None,
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Find numbers that are in the registry and that no call may show. Exit code 1: there are some."""
    callers = policy_settings(load(config)).caller_numbers
    judged = ((entry, right_fault(entry.tn, callers)) for entry in open_registry(config).numbers.export(account))
    found = [
        _record(entry) | {"rule": f"caller-id.{fault}"} for entry, fault in islice(filter(_has_fault, judged), limit)
    ]
    show(found, as_json, "every number may be shown")
    if found:
        raise typer.Exit(1)


@app.command("export", epilog="Example: sipguard number export numbers.csv --account acme")
def export_csv(
    file: OutputArgument,
    account: Annotated[str | None, typer.Option(help="Only this account's numbers.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the rights as CSV, in the form that import reads."""
    rows = (_record(entry) for entry in open_registry(config).numbers.export(account))
    export_file(NumbersFormat.columns, rows, file)


@app.command("import", epilog="Example: sipguard number import numbers.csv --country GB")
def import_csv(
    file: FileArgument,
    validate_only: ValidateOption = False,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Import rights: columns number, account, kind, and optionally expires, end_user, trunk, max_calls."""
    with checked():
        form = NumbersFormat(country, policy_settings(load(config)).caller_numbers)
    import_file(open_registry(config), form, file, validate_only=validate_only, as_json=as_json)


def _has_fault(judged: tuple[NumberEntry, str]) -> bool:
    return bool(judged[1])


def _record(entry: NumberEntry) -> dict[str, object]:
    record: dict[str, object] = {"number": shown_number(entry.tn)}
    record.update(list(entry._asdict().items())[1:])
    return record | {"expires": shown_time(entry.expires)}

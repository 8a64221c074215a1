"""``sipguard account``: the tree of customers and their states."""

from pathlib import Path
from typing import Annotated

import typer

from sipguard.cli.account_state import put_into
from sipguard.cli.commands import (
    DEFAULT_CONFIG,
    ConfigOption,
    FileArgument,
    JsonOption,
    OutputArgument,
    ValidateOption,
    checked,
    noun,
    open_registry,
    require_certificate,
)
from sipguard.cli.exporting import export_file
from sipguard.cli.importing import import_file
from sipguard.cli.output import done, show
from sipguard.config import load
from sipguard.policy.account import AccountState
from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.formats import AccountsFormat
from sipguard.registry.schema import AccountKind
from sipguard.registry.values import account_name, call_count, call_rate, choice, country_list
from sipguard.registry.values import caller_name as name_to_show

app = noun("account", "Customers: resellers, accounts and end users, and their states.", "sipguard account list")

Name = Annotated[str, typer.Argument(help="The account's name, like acme or acme/sales.", show_default=False)]
Parent = Annotated[str | None, typer.Option(help="The account above it.")]
Cap = Annotated[str | None, typer.Option(help="Never attest higher than this: B, C, or none.", metavar="LEVEL")]
Emergency = Annotated[
    str | None,
    typer.Option(
        help="Emergency calls from unregistered numbers: reject, announce, route_to_ecrc, route; none: as policy says."
    ),
]
Certificate = Annotated[
    str | None,
    typer.Option(help="The signing certificate of its calls, as the configuration names it, or none (the trunk's)."),
]
CallerName = Annotated[
    str | None,
    typer.Option(help="The name that called people may be shown, signed as rich call data, or none.", metavar="NAME"),
]
Countries = Annotated[
    str | None,
    typer.Option(help="The countries it may call, like US,CA; * for all; none: as above it.", metavar="CC,CC"),
]
DoNotCallOption = Annotated[
    str | None,
    typer.Option(
        "--do-not-call",
        help="The lists its calls are held against: off, internal, or national (it sells); none: as above it.",
        metavar="LISTS",
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(help="Calls a second, with those of all accounts below it; 0: no limit; none: as configured."),
]
Burst = Annotated[str | None, typer.Option(help="How many of them may come at once; 0: as many as in a second.")]
Calls = Annotated[str | None, typer.Option(help="Calls at a time, with theirs; 0: no limit; none: as configured.")]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the audit, seen in explain.", metavar="TEXT")]
State = Annotated[AccountState | None, typer.Option(help="The account's state.")]


@app.command(epilog="Example: sipguard account add acme --parent reseller-1")
def add(
    name: Name,
    kind: Annotated[AccountKind, typer.Option(help="Its level in the tree.")] = AccountKind.ACCOUNT,
    parent: Parent = None,
    attest_cap: Cap = None,
    emergency_unprovisioned: Emergency = None,
    certificate: Certificate = None,
    caller_name: CallerName = None,
    countries: Countries = None,
    do_not_call: DoNotCallOption = None,
    max_rate: Rate = None,
    max_burst: Burst = None,
    max_calls: Calls = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add an account."""
    with checked():
        entry = AccountEntry(
            account_name(name), kind, parent, attest_cap=_cap(attest_cap),
            emergency_unprovisioned=_emergency(emergency_unprovisioned), certificate=_certificate(certificate, config),
            caller_name=_caller_name(caller_name), countries=_countries(countries),
            do_not_call=_do_not_call(do_not_call),
            max_rate=_rate(max_rate), max_burst=_count(max_burst), max_calls=_count(max_calls),
        )  # fmt: skip
    open_registry(config).accounts.add(entry)
    done(f"account {name} added", entry._asdict(), as_json)


@app.command("set", epilog="Example: sipguard account set acme --state restricted --attest-cap B")
def change(
    name: Name,
    state: State = None,
    parent: Parent = None,
    attest_cap: Cap = None,
    emergency_unprovisioned: Emergency = None,
    certificate: Certificate = None,
    caller_name: CallerName = None,
    countries: Countries = None,
    do_not_call: DoNotCallOption = None,
    max_rate: Rate = None,
    max_burst: Burst = None,
    max_calls: Calls = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Change an account; what is not named stays."""
    values: dict[str, str | float | None] = {}
    with checked():
        if state is not None:
            values["state"] = state.value
        if parent is not None:
            values["parent"] = parent
        if attest_cap is not None:
            values["attest_cap"] = _cap(attest_cap)
        if emergency_unprovisioned is not None:
            values["emergency_unprovisioned"] = _emergency(emergency_unprovisioned)
        if certificate is not None:
            values["certificate"] = _certificate(certificate, config)
        if caller_name is not None:
            values["caller_name"] = _caller_name(caller_name)
        if countries is not None:
            values["countries"] = _countries(countries)
        if do_not_call is not None:
            values["do_not_call"] = _do_not_call(do_not_call)
        if max_rate is not None:
            values["max_rate"] = _rate(max_rate)
        if max_burst is not None:
            values["max_burst"] = _count(max_burst)
        if max_calls is not None:
            values["max_calls"] = _count(max_calls)
        if not values:
            raise ValueError("name at least one thing to change")
    open_registry(config).accounts.change(name, **values)
    done(f"account {name} changed", {"name": name, **values}, as_json)


@app.command(epilog="Example: sipguard account warn acme --reason 'complaints, see ticket 4711'")
def warn(name: Name, reason: Reason = None, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Mark the calls of an account and of those below it in their records, and nothing else."""
    put_into(open_registry(config), name, AccountState.WARNED, reason, as_json)


@app.command(epilog="Example: sipguard account restrict acme --reason 'short calls'")
def restrict(
    name: Name, reason: Reason = None, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Send the calls of an account and of those below it by the segregated route, attested B at most, and cap them."""
    put_into(open_registry(config), name, AccountState.RESTRICTED, reason, as_json)


@app.command(epilog="Example: sipguard account suspend acme --reason 'unpaid since October'")
def suspend(
    name: Name, reason: Reason = None, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Refuse every call of an account and of those below it, from the next call on; emergency calls pass."""
    put_into(open_registry(config), name, AccountState.SUSPENDED, reason, as_json)


@app.command(epilog="Example: sipguard account terminate acme --reason 'contract ended'")
def terminate(
    name: Name, reason: Reason = None, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Refuse every call of an account and of those below it for good: only activate --force takes it back."""
    put_into(open_registry(config), name, AccountState.TERMINATED, reason, as_json)


@app.command(epilog="Example: sipguard account activate acme --reason paid")
def activate(
    name: Name,
    reason: Reason = None,
    force: Annotated[bool, typer.Option("--force", help="Take even a termination back.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Let an account call again, as far as those above it may."""
    put_into(open_registry(config), name, AccountState.ACTIVE, reason, as_json, force=force)


@app.command(epilog="Example: sipguard account remove acme/sales")
def remove(name: Name, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Remove an account that has nothing left below it and no numbers."""
    open_registry(config).accounts.remove(name)
    done(f"account {name} removed", {"name": name}, as_json)


@app.command("list", epilog="Example: sipguard account list --json")
def show_all(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the accounts, with the state in force: the strictest on the way down the tree."""
    registry = open_registry(config)
    effective = registry.effective_accounts()
    show(
        [entry._asdict() | {"state_in_force": effective[entry.name].state} for entry in registry.accounts.list()],
        as_json,
        "no accounts yet",
    )


@app.command("export", epilog="Example: sipguard account export accounts.csv")
def export_csv(file: OutputArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the accounts as CSV, in the form that import reads."""
    rows = (entry._asdict() for entry in open_registry(config).accounts.list())
    export_file(AccountsFormat.columns, rows, file)


@app.command("import", epilog="Example: sipguard account import accounts.csv --validate-only")
def import_csv(
    file: FileArgument,
    validate_only: ValidateOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Import accounts.

    Column name, and optionally kind, parent, state, attest_cap, emergency_unprovisioned, certificate, caller_name,
    countries, do_not_call, max_rate, max_burst, max_calls.
    """
    form = AccountsFormat(load(config).stir.sign.certificates)
    import_file(open_registry(config), form, file, validate_only=validate_only, as_json=as_json)


def _cap(text: str | None) -> str | None:
    return None if text is None else _none(choice("attest-cap", text, ("B", "C", "none")))


def _emergency(text: str | None) -> str | None:
    return None if text is None else _none(choice("emergency-unprovisioned", text, (*Unprovisioned, "none")))


def _certificate(text: str | None, config: Path) -> str | None:
    if text is None or text == "none":
        return None
    require_certificate(config, text)
    return text


def _countries(text: str | None) -> str | None:
    return None if text is None or text == "none" else country_list(text)


def _do_not_call(text: str | None) -> str | None:
    return None if text is None else _none(choice("do-not-call", text, (*DoNotCall, "none")))


def _caller_name(text: str | None) -> str | None:
    return None if text is None or text == "none" else name_to_show(text)


def _rate(text: str | None) -> float | None:
    return None if text is None or text == "none" else call_rate(text)


def _count(text: str | None) -> int | None:
    return None if text is None or text == "none" else call_count(text)


def _none(text: str) -> str | None:
    return None if text == "none" else text

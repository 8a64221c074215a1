"""``sipguard audit``: who changed what in the registry, when, and what it was before."""

import json
import time
from typing import Annotated, Any

import typer

from sipguard.cli.commands import (
    DEFAULT_CONFIG,
    ConfigOption,
    CountryOption,
    JsonOption,
    LimitOption,
    checked,
    open_registry,
)
from sipguard.cli.output import show
from sipguard.registry.audit_trail import AuditEntry
from sipguard.registry.values import canonical_right, past, shown_time

_TIMES = ("expires", "activated_at")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", epilog="Example: sipguard audit --subject acme --since 7d")(audit)


def audit(
    subject: Annotated[str | None, typer.Option(help="Only changes of this thing: a number, an account.")] = None,
    number: Annotated[
        str | None,
        typer.Option(help="Everything about a number: its blocks, and what imports brought.", metavar="NUMBER"),
    ] = None,
    what: Annotated[str | None, typer.Option(help="Only such changes, like number or account.set.")] = None,
    who: Annotated[str | None, typer.Option(help="Only changes this user made.")] = None,
    since: Annotated[str, typer.Option(help="Only changes since then: 7d, 12h, 2026-11-01.", metavar="WHEN")] = "",
    limit: LimitOption = 100,
    country: CountryOption = "US",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the changes of the registry, the latest first: when, who, what, before and after."""
    with checked():
        start = past(since, int(time.time())) if since else None
        pattern = canonical_right(number, country) if number is not None else None
    wanted = subject.removeprefix("+") if subject is not None else None
    if pattern is None:
        entries = open_registry(config).audit(subject=wanted, what=what, who=who, since=start, limit=limit)
    else:
        history = open_registry(config).history(pattern)
        entries = [entry for entry in history if _is_wanted(entry, wanted, what, who, start)][:limit]
    show([audit_record(entry, as_json) for entry in entries], as_json, "no such change")


def _is_wanted(entry: AuditEntry, subject: str | None, what: str | None, who: str | None, since: int | None) -> bool:
    return (
        (subject is None or entry.subject == subject)
        and (what is None or entry.what == what or entry.what.startswith(f"{what}."))
        and (who is None or entry.who == who)
        and (since is None or entry.at >= since)
    )


def audit_record(entry: AuditEntry, whole: bool) -> dict[str, object]:
    """A change as it is printed: with everything that stood there, or in short."""
    before, after = entry.detail.get("before"), entry.detail.get("after")
    record: dict[str, object] = {
        "at": shown_time(entry.at), "who": entry.who, "what": entry.what, "subject": entry.subject,
    }  # fmt: skip
    return record | {"before": before if whole else _short(before), "after": after if whole else _short(after)}


def _short(values: Any) -> str:
    """What stands there, in one cell."""
    if not isinstance(values, dict):
        return ""
    shown = {name: value for name, value in values.items() if value is not None and value not in ("", [])}
    return " ".join(f"{name}={_word(name, value)}" for name, value in shown.items())


def _word(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int):
        return shown_time(value) or ""
    return value if isinstance(value, str) else json.dumps(value)

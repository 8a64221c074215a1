"""``import FILE``, the same for every noun: a progress bar for long files, every bad row with its line."""

import json
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sipguard.cli.output import say
from sipguard.registry import Registry
from sipguard.registry.import_plan import Entry, Format
from sipguard.registry.imports import Import, ImportReport

_LONG_FILE = 1_000_000  # octets


def import_file(registry: Registry, form: Format[Entry], path: Path, *, validate_only: bool, as_json: bool) -> None:
    """Import a file and say how it went; exits with 1 when a row is bad."""
    console = Console(stderr=True)
    if not _long(path) or not console.is_terminal:
        report = Import(registry, form).run(path, validate_only=validate_only)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            passes = 1 if validate_only else 2
            task = progress.add_task(path.name, total=passes * _lines(path))
            importer = Import(registry, form, lambda rows: progress.advance(task, rows))
            report = importer.run(path, validate_only=validate_only)
    _tell(path, report, validate_only=validate_only, as_json=as_json)
    if report.problems:
        raise typer.Exit(1)


def _tell(path: Path, report: ImportReport, *, validate_only: bool, as_json: bool) -> None:
    if as_json:
        problems = [{"line": problem.line, "message": problem.message} for problem in report.problems]
        warnings = [{"line": warning.line, "message": warning.message} for warning in report.warnings]
        told = {
            "rows": report.rows, "stored": report.stored,
            "new": report.new, "changed": report.changed, "removed": report.removed,
            "problems": problems, "warnings": warnings, "omitted_warnings": report.omitted,
        }  # fmt: skip
        print(json.dumps(told, ensure_ascii=False))
        return
    for warning in report.warnings:
        print(f"{path}:{warning.line}: warning: {warning.message}", file=sys.stderr)
    if report.omitted:
        print(f"{path}: {report.omitted} more warnings", file=sys.stderr)
    for problem in report.problems:
        print(f"{path}:{problem.line}: {problem.message}", file=sys.stderr)
    if report.problems:
        say(f"{len(report.problems)} problems; nothing was stored")
    elif validate_only:
        say(f"{report.rows} rows are good: {_effect(report)}; nothing was stored")
    else:
        say(f"{report.rows} rows stored: {_effect(report)}")


def _effect(report: ImportReport) -> str:
    return f"{report.new} new, {report.changed} changed, {report.removed} removed"


def _long(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > _LONG_FILE


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

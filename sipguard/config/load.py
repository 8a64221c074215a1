"""Reading a configuration file: TOML, then the models, then the checks between sections; all problems together."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sipguard.config.checks import cross_checks, label
from sipguard.config.model import Configuration
from sipguard.config.suggestion import suggestion
from sipguard.errors import ConfigurationError, Problem

Raw = Mapping[str, Any]


def load(path: Path | str) -> Configuration:
    """Read a configuration file. Raises ConfigurationError with every problem in it."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([Problem(str(path), "is not UTF-8 text")]) from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([Problem(str(path), f"is not TOML: {error}")]) from None
    return parse(raw, path.parent)


def parse(raw: Raw, directory: Path) -> Configuration:
    """Parsed TOML as a configuration; relative paths start from ``directory``. Raises ConfigurationError."""
    problems = []
    configuration = None
    try:
        configuration = Configuration.model_validate(raw, context={"directory": directory})
    except ValidationError as error:
        problems = [problem_of(detail, raw) for detail in error.errors()]
    problems += cross_checks(raw)
    if problems or configuration is None:
        raise ConfigurationError(problems)
    return configuration


def problem_of(detail: ErrorDetails, raw: Raw) -> Problem:
    """One pydantic error as a dotted key and a sentence."""
    location = tuple(part for part in detail["loc"] if part != "[key]")
    message = (
        detail["msg"].removeprefix("Value error, ").replace("Input should", "should").replace("String should", "should")
    )
    if detail["type"] == "extra_forbidden":
        message = f"unknown key{suggestion(str(location[-1]), keys_at(Configuration, location[:-1]))}"
    elif detail["type"] == "missing":
        message = "is required"
    if location[:2] == ("policy", "rules") and detail["type"] in ("extra_forbidden", "missing"):
        message += '; rule names stand in quotes: rules."source.unknown".mode = "report"'
    return Problem(dotted(as_written(location, raw), raw), message)


def as_written(location: tuple[str | int, ...], raw: Raw) -> tuple[str | int, ...]:
    """A location as the file has it, where a table that stands alone is not counted like one of a list."""
    place: Any = raw
    parts: list[str | int] = []
    for part in location:
        if isinstance(part, int) and isinstance(place, Mapping):
            continue
        parts.append(part)
        try:
            place = place[part]
        except (KeyError, IndexError, TypeError):
            place = None
    return tuple(parts)


def dotted(location: tuple[str | int, ...], raw: Raw) -> str:
    """The key an error is at: a trunk is called by its name, other places in lists by number from 0."""
    if len(location) > 1 and location[0] == "trunk" and isinstance(location[1], int):
        entry = raw["trunk"][location[1]]
        start, rest = label(entry, location[1]) if isinstance(entry, dict) else f"trunk[{location[1]}]", location[2:]
    else:
        start, rest = str(location[0]) if location else "", location[1:]
    for part in rest:
        if isinstance(part, int):
            start += f"[{part}]"
        else:
            start += f'."{part}"' if "." in part else f".{part}"
    return start


def keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys the section at this place may have."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation
        elif get_origin(current) is not None:  # tuple[X, ...] and Mapping[K, X]
            current = get_args(current)[0 if get_origin(current) is tuple else -1]
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []

"""Printing what is known of one thing: JSON for programs, for people one line per fact, lists and tables indented."""

import json
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

Facts = Mapping[str, object]
_Line = tuple[str, str]


def show_facts(facts: Facts, as_json: bool) -> None:
    """Print nested facts. What is empty or unknown is left out for people, not for programs."""
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(facts, ""):
        table.add_row(Text(name, style="bold"), Text(value))
    Console().print(table)


def _lines(facts: Facts, indent: str) -> Iterator[_Line]:
    for name, value in facts.items():
        label = indent + name.replace("_", " ")
        if isinstance(value, Mapping) and value:
            yield label, ""
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for position, item in enumerate(value):
                yield label if position == 0 else "", _in_one_line(item)
        elif value not in (None, "", [], {}, ()):
            yield label, _word(value)


def _in_one_line(item: object) -> str:
    if not isinstance(item, Mapping):
        return _word(item)
    shown = ((name, value) for name, value in item.items() if value not in (None, "", [], {}, ()))
    return "  ".join(f"{name}={_word(value)}" for name, value in shown)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(_word, value))
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_word(inner)}" for name, inner in value.items() if inner not in (None, "", [], 0))
    return str(value)

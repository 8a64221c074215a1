"""The files that a configuration names: whose change may make good what was wrong with it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from sipguard.config.model import Configuration


def named_files(configuration: Configuration) -> frozenset[Path]:
    """All but the state directory, in which the node itself writes."""
    return frozenset(_paths(configuration)) - {configuration.node.state}


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from _paths(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item)

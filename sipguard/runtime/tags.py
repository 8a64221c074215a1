"""Robo-dial tags on disk, so that a restart does not make a tagged account clean.

The file is replaced whole (written beside, then renamed): it is the old one or the new one, never half of one.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sipguard.traffic.book import TrafficBook

logger = logging.getLogger(__name__)


def tags_file(state: Path) -> Path:
    """Where a node with this state directory keeps its tags."""
    return state / "tags.json"


def restore_tags(path: Path, traffic: TrafficBook) -> None:
    """Put the tags last written back into a book; a file that makes no sense is logged, and tags nobody else."""
    try:
        traffic.restore(read_tags(path))
    except (KeyError, TypeError, ValueError) as error:
        logger.error("tags.unreadable", extra={"fields": {"path": path.name, "detail": repr(error)}})


def read_tags(path: Path) -> list[Mapping[str, Any]]:
    """The tags last written; none when there is no file, or none that can be read (which is logged)."""
    try:
        tags = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        logger.error("tags.unreadable", extra={"fields": {"path": path.name, "detail": str(error)}})
        return []
    return [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []


def write_tags(path: Path, tags: list[dict[str, Any]]) -> None:
    """Replace the file. A failure is logged: the tags are still in memory."""
    beside = path.with_name(path.name + ".new")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            json.dump(tags, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        logger.error("tags.unwritable", extra={"fields": {"path": path.name, "detail": str(error)}})

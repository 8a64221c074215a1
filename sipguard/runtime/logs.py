"""The log: one JSON object a line on standard error.

Three promises hold for every line, whoever wrote it: it is one line; no private key, certificate or Identity token is
in it; and with ``mask_numbers`` no telephone number is, beyond its last two digits. An exception becomes its type and
text, never a traceback.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----(?:.*?-----END [A-Z0-9 ]+-----|.*)", re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{40,}")  # JWS, full and compact (RFC 8225 §7)
_NUMBER = re.compile(r"(?<![0-9A-Za-z])\+?[0-9](?:[-. ()]{0,2}[0-9]){6,}(?![0-9A-Za-z])")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_PLAIN = frozenset(("record", "id", "place", "segment", "revision"))  # members whose digits are not numbers


class JsonFormatter(logging.Formatter):
    """One JSON line a record: ``at``, ``level``, ``event``, then the fields given as ``extra={"fields": {...}}``."""

    def __init__(self, mask_numbers: bool = False) -> None:
        super().__init__()
        self._mask = mask_numbers

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object on one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "event": self._text(record.getMessage())}
        if not record.name.startswith("sipguard"):
            line["logger"] = record.name
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            line.update((str(name), self._value(str(name), value)) for name, value in fields.items())
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"], line["detail"] = type(error).__name__, self._text(str(error))
        return json.dumps(line, ensure_ascii=True)

    def _value(self, name: str, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(key): self._value(str(key), member) for key, member in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(name, member) for member in value]
        text = without_secrets(value.decode("latin-1") if isinstance(value, bytes) else str(value))
        return text if name in _PLAIN or not self._mask else mask_numbers(text)

    def _text(self, text: str) -> str:
        text = without_secrets(text)
        return mask_numbers(text) if self._mask else text


def without_secrets(text: str) -> str:
    """The text with every PEM block and every Identity token taken out."""
    if "-----BEGIN" in text:
        text = _PEM.sub("[PEM removed]", text)
    return _TOKEN.sub("[token removed]", text)


def mask_numbers(text: str) -> str:
    """The text with the digits of telephone numbers (seven or more) masked but for the last two."""
    return _NUMBER.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    number = found[0]
    if _ADDRESS.fullmatch(number):
        return number
    return re.sub("[0-9]", "*", number[:-2]) + number[-2:]


def set_up(level: str, mask_numbers: bool, stream: IO[str] | None = None) -> None:
    """Send everything that is logged in this process through the formatter to standard error."""
    logging.raiseExceptions = False  # a log that cannot be written is no reason for a traceback
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(mask_numbers))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("sipguard").setLevel(level.upper())

"""What structured header fields share: folds, comma-separated lists, parameters, quoted strings (RFC 3261 §7.3, §25.1).

The readers here never split inside a quoted string or between angle brackets, and undo a backslash escape only when
the value is asked for, so what they show is what the next hop will read. White space is SP and HT and nothing else:
octets above 127 are parts of UTF-8 characters here, never spaces. Every pattern is possessive, so that no input makes
reading more than linear.
"""

import re
from collections.abc import Mapping

from sipguard.errors import MalformedValue

MAX_ITEMS = 512  # values of one field in a message, as many as a message may have rows (MSG-29)

# One list item: anything but a comma, where quoted strings and angle-bracketed parts count as one unit.
_ITEM = re.compile(r'(?:[^,"<]++|"(?:[^"\\]++|\\.)*"|<[^>]*+>)+', re.DOTALL)
# Parameters as nearly everyone writes them: no spaces, no quotes. Colons and brackets are for IPv6 hosts.
_PLAIN_PARAMETERS = re.compile(r"(?:;[A-Za-z0-9\-.!%*_+`'~]++(?:=[A-Za-z0-9\-.!%*_+`'~:\[\]]++)?)*")
_PARAMETER = re.compile(
    r"[ \t]*+;[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)"
    r'(?:[ \t]*+=[ \t]*+("(?:[^"\\]++|\\.)*"|[^ \t\r\n;,"<>=\\]++))?[ \t]*+',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BARE_NUL = re.compile(r"(?<!\\)\0")
_UNQUOTED_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]++")


def unfold(value: str) -> str:
    """A folded value on one line: each fold, with the white space around it, counts as one SP (RFC 3261 §7.3.1)."""
    return " ".join([line.strip(" \t") for line in value.split("\r\n")])


def is_one_line(value: str) -> bool:
    """Whether a value holds no line end, and NUL only where it may: in a quoted pair (RFC 3261 §25.1)."""
    return not ("\n" in value or "\r" in value or ("\0" in value and _BARE_NUL.search(value)))


def split_list(value: str) -> list[str]:
    """The items of a comma-separated field, trimmed; empty items are dropped.

    Raises MalformedValue when a quoted string or an angle bracket is left open, or there are too many.
    """
    if "," not in value:
        item = value.strip(" \t")
        return [item] if item else []
    items = []
    position = 0
    while position < len(value):
        match = _ITEM.match(value, position)
        if match is not None:
            item = match.group().strip(" \t")
            if item:
                items.append(item)
                if len(items) > MAX_ITEMS:
                    raise MalformedValue("too many values")
            position = match.end()
        if position < len(value):
            if value[position] != ",":
                raise MalformedValue("unbalanced quotes or angle brackets")
            position += 1
    return items


def parse_parameters(text: str) -> dict[str, str | None]:
    """``;name=value;flag`` as a dictionary with lower-case names; quoted values are unquoted.

    Raises MalformedValue on anything else, and on a name given twice (RFC 3261 §7.3.1): two readers could pick
    different ones.
    """
    if not text:
        return {}
    parameters: dict[str, str | None] = {}
    if _PLAIN_PARAMETERS.fullmatch(text):
        pieces = text.split(";")
        for piece in pieces[1:]:
            name, equals, value = piece.partition("=")
            parameters[name.lower()] = value if equals else None
        count = len(pieces) - 1
    else:
        count = _parse_spaced(text, parameters)
    if len(parameters) != count:
        raise MalformedValue("parameter given twice")
    return parameters


def _parse_spaced(text: str, parameters: dict[str, str | None]) -> int:
    """The general form of ``parse_parameters``: spaces and quoted values. Returns how many parameters it read."""
    position = count = 0
    end = len(text.rstrip(" \t"))
    while position < end:
        match = _PARAMETER.match(text, position)
        if match is None:
            raise MalformedValue("malformed parameters")
        name, value = match.groups()
        parameters[name.lower()] = unquote(value) if value is not None else None
        position = match.end()
        count += 1
    return count


def format_parameters(parameters: Mapping[str, str | None]) -> str:
    """``;name=value;flag``: the inverse of ``parse_parameters``. Values that are neither token nor host are quoted."""
    parts = []
    for name, value in parameters.items():
        if value is None:
            parts.append(f";{name}")
        elif _UNQUOTED_VALUE.fullmatch(value):
            parts.append(f";{name}={value}")
        else:
            parts.append(f";{name}={quote(value)}")
    return "".join(parts)


def unquote(text: str) -> str:
    """The content of a quoted string, escapes undone; any other text unchanged."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        inner = text[1:-1]
        return _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner
    return text


def quote(text: str) -> str:
    """A quoted string with this content (RFC 3261 §25.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

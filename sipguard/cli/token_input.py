"""What a user hands to ``sipguard passport``: a SIP message, an Identity header field, or a bare token.

It comes as an argument, as the name of a file, or on standard input; which of the three forms it has is seen from its
text. A bare token gets the parameters a header field would have, made from its own protected header, so that whatever
judges header fields can judge it.
"""

import contextlib
import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from sipguard.errors import MalformedMessage, MalformedValue, SipguardError
from sipguard.sip.message import Message, Request
from sipguard.sip.parser import parse
from sipguard.stir import base64url

_START_LINE = re.compile(rb"(?:[A-Z]+ [^\r\n]* SIP/2\.0|SIP/2\.0 [0-9]{3}[^\r\n]*)\r?\n", re.IGNORECASE)
_FIELD_NAME = re.compile(r"(?:identity|y)[ \t]*:[ \t]*", re.IGNORECASE)
_TOKEN = re.compile(r"(?:(?:identity|y)[ \t]*:)?[ \t]*[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.", re.IGNORECASE)
_FOLD = re.compile(r"\r?\n[ \t]+")


class Material(NamedTuple):
    """The Identity header field values found, and the request they came in, if they came in one."""

    identities: tuple[str, ...]
    request: Request | None = None
    bare: bool = False  # a token without parameters of its own


def read_material(argument: str | None) -> Material:
    """What the argument holds or names; None or ``-`` reads standard input. Raises SipguardError when it is nothing."""
    octets, name = _read(argument)
    octets = octets.lstrip(b"\r\n")
    if _START_LINE.match(octets):
        return _of_message(_message(octets, name))
    rows = [row.strip(" \t") for row in _FOLD.sub(" ", octets.decode("latin-1")).replace("\r\n", "\n").split("\n")]
    values = tuple(_FIELD_NAME.sub("", row, count=1) for row in rows if row)
    if not values or not all(map(_is_token, values)):
        raise SipguardError(f"{name}: neither a token, nor an Identity header field, nor a SIP message")
    if any(";" in value for value in values):
        return Material(values)
    return Material(tuple(map(with_parameters, values)), bare=True)


def loose_json(segment: str) -> dict[str, Any] | None:
    """The object in a segment, read as leniently as it takes to show it; None when it is not one at all."""
    with contextlib.suppress(MalformedValue, ValueError, RecursionError):
        value = json.loads(base64url.decode(segment.rstrip("=")).decode("utf-8", "replace"))
        return value if isinstance(value, dict) else None
    return None


def with_parameters(token: str) -> str:
    """A bare token as the header field value its own protected header describes."""
    header = loose_json(token.split(".")[0]) or {}
    parameters = ""
    if isinstance(header.get("x5u"), str):
        parameters += f";info=<{header['x5u']}>"
    parameters += ";alg=ES256"
    if isinstance(header.get("ppt"), str):
        parameters += f";ppt={header['ppt']}"
    return token + parameters


def _read(argument: str | None) -> tuple[bytes, str]:
    if argument in (None, "-"):
        return sys.stdin.buffer.read(), "standard input"
    text = str(argument)
    if _TOKEN.match(text):
        return text.encode("utf-8", "replace"), "the argument"
    try:
        return Path(text).read_bytes(), text
    except OSError as error:
        raise SipguardError(f"{text[:200]}: {error.strerror}, and not a token") from None
    except ValueError:  # an embedded null character
        raise SipguardError("neither a token nor the name of a file") from None


def _message(octets: bytes, name: str) -> Message:
    """The message; a file edited by hand may have bare line feeds in its head."""
    if b"\r\n" not in octets:
        head, _, body = octets.partition(b"\n\n")
        octets = head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body
    try:
        return parse(octets)
    except MalformedMessage as error:
        raise SipguardError(f"{name}: not a SIP message: {error}") from None


def _of_message(message: Message) -> Material:
    return Material(tuple(message.values("identity")), message if isinstance(message, Request) else None)


def _is_token(value: str) -> bool:
    """Whether a line may be meant as a token: it has parameters, three segments, or begins as JSON in base64url."""
    return ";" in value or value.count(".") == 2 or value.startswith("eyJ")

"""One Identity header field value: a token and its parameters (RFC 8224 §4).

The printed grammar lists ``/`` and ``+`` as base64 characters, while every real token is base64url (PIT-5); the token
is therefore taken as it stands up to the first semicolon and judged where it is decoded. Parameters come in any
order, as token or quoted string, with names in any case; unknown ones are ignored (VS-05). The parameters of one
signer are the same for every call, so they are read once and remembered.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.sip.header import unfold, unquote

_PARAMETER = re.compile(
    r"[ \t]*;[ \t]*([A-Za-z0-9.!%*_+`'~-]+)"
    r'(?:[ \t]*=[ \t]*(?:<([!-;=?-~]*)>|("(?:[^"\\]|\\.)*")|([!#-+\--:=?-~]+)))?[ \t]*',
    re.DOTALL,
)
_LONGEST = 4096  # octets of parameters; a URL that needs more is not one we would fetch


class Parameters(NamedTuple):
    """The parameters we know: ``info`` without its brackets, ``alg`` and ``ppt`` unquoted; None when absent."""

    info: str | None
    alg: str | None
    ppt: str | None


class IdentityHeader(NamedTuple):
    """A token, still encoded, and the parameters beside it."""

    token: str
    parameters: Parameters

    @property
    def compact(self) -> bool:
        """Whether the token is in compact form: a signature alone (RFC 8225 §7)."""
        return self.token[:2] == ".."


def parse_identity(value: str) -> IdentityHeader:
    """The parts of a field value; raises MalformedValue when it does not follow the grammar."""
    if "\n" in value:
        value = unfold(value)
    token, semicolon, _ = value.partition(";")
    tail = value[len(token) :]
    if not semicolon or len(tail) > _LONGEST:
        raise MalformedValue("an Identity field without parameters, or with too many")
    return IdentityHeader(token.strip(" \t"), _parse_parameters(tail))


@lru_cache(maxsize=512)
def _parse_parameters(tail: str) -> Parameters:
    info = alg = ppt = None
    position = 0
    while position < len(tail):
        match = _PARAMETER.match(tail, position)
        if match is None:
            raise MalformedValue("malformed Identity parameters")
        position = match.end()
        name = match.group(1).lower()
        if name == "info":
            _once(info)
            info = match.group(2)
            if info is None:
                raise MalformedValue("info is not a URI in angle brackets")
        elif name == "alg":
            _once(alg)
            alg = _value(match).upper() if match.group(4) else _value(match)
        elif name == "ppt":
            _once(ppt)
            ppt = _value(match).lower() if match.group(4) else _value(match)
    return Parameters(info, alg, ppt)


def _value(match: re.Match[str]) -> str:
    """A token (the caller folds its case, RFC 3261 §7.3.1) or the content of a quoted string (kept as it is)."""
    quoted, token = match.group(3), match.group(4)
    if token:
        return token
    if quoted is None:
        raise MalformedValue("an Identity parameter without a value")
    return unquote(quoted)


def _once(earlier: str | None) -> None:
    """Two values for one parameter would let two readers of this field see different ones."""
    if earlier is not None:
        raise MalformedValue("an Identity parameter appears twice")

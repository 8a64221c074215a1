"""From, To, Contact, Route and their like: a URI with an optional display name and header parameters.

Both forms are read (RFC 3261 §20.10): ``"Display" <uri>;tag=x`` and the bare ``uri;tag=x``, in which everything after
the first ``;`` belongs to the header. The usual shape is one regular expression; the general reader behind it accepts
what the grammar allows besides (spaces around separators, escapes). A display name without quotes may hold more than
tokens, as long as none of it could be read as a separator (RFC 4475 §3.1.2.15 is about the comma).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.sip.header import format_parameters, parse_parameters, quote, unquote

_CACHED_LENGTH = 512
_NAME_ADDRESS = re.compile(
    r'(?:(?P<quoted>"(?:[^"\\]++|\\.)*")|(?P<bare>[^",:;<>\\\x00-\x08\x0a-\x1f\x7f]*+))[ \t]*+'
    r'<(?P<uri>[^<>" \t\r\n]++)>[ \t]*+(?P<parameters>.*+)',
    re.DOTALL,
)
_BARE_URI = re.compile(r'(?P<uri>[^<>",;? \t\r\n]++)[ \t]*+(?P<parameters>(?:;.*+)?)', re.DOTALL)
_TAG = re.compile(r"[^\x00-\x20\"(),;<>@\x7f]*+")  # a token, and what careless peers put in besides
_QUOTED_TAG = re.compile(r';[ \t]*tag[ \t]*=[ \t]*"[^"]', re.IGNORECASE)
_NO_PARAMETERS: Mapping[str, str | None] = MappingProxyType({})


class Address(NamedTuple):
    """One name-addr or addr-spec: the display name without quotes and escapes, the URI's text, header parameters."""

    display: str | None
    uri: str
    parameters: Mapping[str, str | None]

    @property
    def tag(self) -> str | None:
        """The dialog tag (RFC 3261 §19.3), or None."""
        return self.parameters.get("tag")


def parse_address(text: str) -> Address:
    """Read one address. Raises MalformedValue; the URI itself is for ``parse_uri`` to judge."""
    return _cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def parse_party(text: str) -> Address:
    """Read From or To: the tag, too, must be one. Raises MalformedValue."""
    return _cached_party(text) if len(text) <= _CACHED_LENGTH else _parse_party(text)


def _parse(text: str) -> Address:
    text = text.strip(" \t")
    match = _NAME_ADDRESS.fullmatch(text)
    if match is None:
        match = _BARE_URI.fullmatch(text)
        if match is None:
            raise MalformedValue("malformed address")
        return Address(None, match["uri"], _parameters(match["parameters"]))
    quoted, bare, uri, parameters = match.groups()
    display = unquote(quoted) if quoted is not None else bare.strip(" \t") or None
    return Address(display, uri, _parameters(parameters))


def _parse_party(text: str) -> Address:
    address = _parse(text)
    if not _TAG.fullmatch(address.tag or "") or ('"' in text and _QUOTED_TAG.search(text)):
        raise MalformedValue("malformed tag")  # in quotes it is one tag for us, and another for who goes by the grammar
    return address


_cached = lru_cache(maxsize=4096)(_parse)
_cached_party = lru_cache(maxsize=4096)(_parse_party)  # they come back in each message of a call, letter by letter


def _parameters(text: str) -> Mapping[str, str | None]:
    return MappingProxyType(parse_parameters(text)) if text else _NO_PARAMETERS


def format_address(address: Address) -> str:
    """The address as a header value, always in the name-addr form."""
    display = "" if address.display is None else quote(address.display) + " "
    return f"{display}<{address.uri}>{format_parameters(address.parameters)}"

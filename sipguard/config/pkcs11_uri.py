"""Where a signing key is: a PEM file, or an object of a hardware module named by a PKCS #11 URI (RFC 7512).

    pkcs11:token=sipguard;object=shaken?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/sipguard/pin

``token`` or ``serial`` says which token, ``object`` or ``id`` which private key in it; ``module-path`` is the maker's
library and ``pin-source`` the file that holds the PIN. The PIN itself has no place in a configuration file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, unquote_to_bytes

from pydantic import PlainValidator, ValidationInfo

from sipguard.config.section import resolve

SCHEME = "pkcs11:"
_PATH = ("token", "serial", "object", "id", "type")
_QUERY = ("module-path", "pin-source")


@dataclass(frozen=True, slots=True)
class HardwareKey:
    """A private key in a token; attributes that are None match anything."""

    module: Path
    pin_source: Path
    token: str | None = None
    serial: bytes | None = None
    label: str | None = None
    identifier: bytes | None = None

    def __str__(self) -> str:
        token = self.token if self.token is not None else (self.serial or b"").decode("latin-1")
        key = self.label if self.label is not None else (self.identifier or b"").hex()
        return f"key {key!r} of token {token!r}"


def parse_key(text: object, info: ValidationInfo) -> Path | HardwareKey:
    """The place of a key as written. Raises ValueError in one sentence."""
    if not isinstance(text, str):
        raise ValueError("should be the name of a PEM file or a pkcs11: URI")
    text = text.strip()
    if not text.startswith(SCHEME):
        return resolve(Path(text), info)
    path, _, query = text.removeprefix(SCHEME).partition("?")
    named = _attributes(path, ";", _PATH, _QUERY)
    options = _attributes(query, "&", _QUERY, _PATH)
    if named.get("type", "private") != "private":
        raise ValueError("a signing key is of type=private")
    if not named.keys() & {"token", "serial"}:
        raise ValueError("the URI names no token: token=... or serial=...")
    if not named.keys() & {"object", "id"}:
        raise ValueError("the URI names no key: object=... or id=...")
    for name in _QUERY:
        if name not in options:
            raise ValueError(f"the URI has no {name}: ...?module-path=/path/to/library.so&pin-source=file:/path/to/pin")
    return HardwareKey(
        module=resolve(_file(options["module-path"]), info),
        pin_source=resolve(_file(options["pin-source"]), info),
        token=_text(named, "token"),
        serial=_octets(named, "serial"),
        label=_text(named, "object"),
        identifier=_octets(named, "id"),
    )


KeyPlace = Annotated[Path | HardwareKey, PlainValidator(parse_key)]


def _attributes(text: str, separator: str, known: tuple[str, ...], elsewhere: tuple[str, ...]) -> dict[str, str]:
    """The attributes of one part of the URI, still escaped."""
    found: dict[str, str] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name in elsewhere:
            raise ValueError(f'{name} stands {"after" if name in _QUERY else "before"} the "?" of a pkcs11: URI')
        if name == "pin-value":
            raise ValueError("the PIN must not stand in the configuration; name a file: pin-source=file:/path/to/pin")
        if name not in known or not equals:
            raise ValueError(f'"{name}" is no attribute of a pkcs11: URI known here')
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = value
    return found


def _file(text: str) -> Path:
    return Path(unquote(text).removeprefix("file://").removeprefix("file:"))


def _text(named: dict[str, str], name: str) -> str | None:
    return unquote(named[name]) if name in named else None


def _octets(named: dict[str, str], name: str) -> bytes | None:
    return unquote_to_bytes(named[name]) if name in named else None

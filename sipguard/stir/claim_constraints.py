"""What a certificate lets its holder claim: JWTClaimConstraints (RFC 8226 §8) and the enhanced kind (RFC 9118 §3).

    EnhancedJWTClaimConstraints ::= SEQUENCE {
        mustInclude [0] SEQUENCE OF IA5String OPTIONAL,
        permittedValues [1] SEQUENCE OF SEQUENCE { claim IA5String, values SEQUENCE OF UTF8String } OPTIONAL,
        mustExclude [2] SEQUENCE OF IA5String OPTIONAL }

The older kind lacks ``mustExclude``. A certificate has one kind or the other (RFC 9118 §6). Signers keep to what theirs
says, and verifiers hold them to it: the signature of a token that breaks it is good all the same.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sipguard.errors import MalformedValue
from sipguard.stir.der import IA5_STRING, SEQUENCE, UTF8_STRING, elements, only, tlv

OID = "1.3.6.1.5.5.7.1.27"  # id-pe-JWTClaimConstraints
ENHANCED_OID = "1.3.6.1.5.5.7.1.33"  # id-pe-eJWTClaimConstraints

_MUST_INCLUDE, _PERMITTED_VALUES, _MUST_EXCLUDE = 0xA0, 0xA1, 0xA2
_BASE_CLAIMS = frozenset(("iat", "orig", "dest"))
_LONGEST_NAMED = 32  # characters of a claim's name that a result quotes


class ClaimConstraints(NamedTuple):
    """Claims that must be there, values that claims may have where they are there, claims that must not be there."""

    must_include: tuple[str, ...] = ()
    permitted_values: tuple[tuple[str, frozenset[str]], ...] = ()
    must_exclude: tuple[str, ...] = ()

    def violation(self, claims: Mapping[str, Any]) -> str | None:
        """In what the claims of a token break the constraints, in one printable ASCII sentence; None when they don't.

        ``claims`` are the members of the payload. A value that is not a string is compared in its canonical JSON form.
        """
        for name in self.must_include:
            if name not in claims:
                return f"the certificate demands the claim {_quoted(name)}"
        for name in self.must_exclude:
            if name in claims:
                return f"the certificate forbids the claim {_quoted(name)}"
        for name, permitted in self.permitted_values:
            if name in claims and _text(claims[name]) not in permitted:
                return f"the certificate does not permit this value of the claim {_quoted(name)}"
        return None


def decode(der: bytes, *, enhanced: bool) -> ClaimConstraints | None:
    """The constraints in an extension value of either kind; raises MalformedValue.

    None when the extension counts as absent because it forbids a base claim (RFC 9118 §3).
    """
    tag, content = only(der)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    permitted: tuple[tuple[str, frozenset[str]], ...] = ()
    last = 0
    for part, value in elements(content):
        if part <= last:
            raise MalformedValue("parts of the claim constraints are out of order")
        last = part
        inner, members = only(value)
        if inner != SEQUENCE or not members:
            raise MalformedValue("a part of the claim constraints is not a list")
        if part == _MUST_INCLUDE:
            include = _names(members)
        elif part == _PERMITTED_VALUES:
            permitted = tuple(_permitted(kind, entry) for kind, entry in elements(members))
        elif part == _MUST_EXCLUDE and enhanced:
            exclude = _names(members)
        else:
            raise MalformedValue("claim constraints have an unknown part")
    if tag != SEQUENCE or not last:
        raise MalformedValue("claim constraints are not a sequence of parts")
    if not _BASE_CLAIMS.isdisjoint(exclude):
        return None
    return ClaimConstraints(include, permitted, exclude)


def encode(constraints: ClaimConstraints) -> bytes:
    """The extension value, for certificates and requests we make; the enhanced kind when a claim is forbidden."""
    content = b""
    if constraints.must_include:
        content += _part(_MUST_INCLUDE, _encode_names(constraints.must_include))
    if constraints.permitted_values:
        lists = (
            tlv(SEQUENCE, tlv(IA5_STRING, name.encode("ascii")) + tlv(SEQUENCE, _encode_values(values)))
            for name, values in constraints.permitted_values
        )
        content += _part(_PERMITTED_VALUES, b"".join(lists))
    if constraints.must_exclude:
        content += _part(_MUST_EXCLUDE, _encode_names(constraints.must_exclude))
    return tlv(SEQUENCE, content)


def _part(tag: int, members: bytes) -> bytes:
    return tlv(tag, tlv(SEQUENCE, members))


def _encode_names(names: tuple[str, ...]) -> bytes:
    return b"".join(tlv(IA5_STRING, name.encode("ascii")) for name in names)


def _encode_values(values: frozenset[str]) -> bytes:
    return b"".join(tlv(UTF8_STRING, value.encode()) for value in sorted(values))


def _names(members: bytes) -> tuple[str, ...]:
    return tuple(_name(tag, value) for tag, value in elements(members))


def _name(tag: int, value: bytes) -> str:
    if tag != IA5_STRING or not value or not value.isascii():
        raise MalformedValue("a claim name is not IA5")
    return value.decode("ascii")


def _permitted(tag: int, entry: bytes) -> tuple[str, frozenset[str]]:
    parts = list(elements(entry))
    if tag != SEQUENCE or len(parts) != 2 or parts[1][0] != SEQUENCE or not parts[1][1]:
        raise MalformedValue("permitted values are not a claim and a list")
    values = set()
    for kind, value in elements(parts[1][1]):
        if kind != UTF8_STRING:
            raise MalformedValue("a permitted value is not UTF-8")
        try:
            values.add(value.decode())
        except UnicodeDecodeError:
            raise MalformedValue("a permitted value is not UTF-8") from None
    return _name(*parts[0]), frozenset(values)


def _text(value: object) -> str:
    if type(value) is str:
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _quoted(name: str) -> str:
    shown = name[:_LONGEST_NAMED]
    return f'"{shown}"' if shown.isprintable() else "with an unprintable name"

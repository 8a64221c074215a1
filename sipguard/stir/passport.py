"""The PASSporT: what a token must say before it is worth a signature check (RFC 8225, RFC 8588).

A token is three base64url segments. ``read_header`` and ``read_claims`` judge the first two; both raise ``Fault`` with
the reason. ES256 is settled here, before any key is touched: the token never chooses the algorithm. The types we
understand are a table from ``ppt`` to the reader of its own claims, so another type is one entry more.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.strict_json import parse_object
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

_TN = re.compile(r"[0-9*#]{1,32}\Z")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\Z")
_LARGEST_IAT = 1 << 40
_MOST_DESTINATIONS = 64


class Fault(MalformedValue):
    """A token that fails, and the reason that goes into its verdict."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ProtectedHeader(NamedTuple):
    """The JOSE header of a PASSporT; ``alg`` is ES256 and ``typ`` is passport by the time there is one."""

    ppt: str | None
    x5u: str


class ShakenClaims(NamedTuple):
    """The claims particular to ``shaken`` (RFC 8588 §4, §5)."""

    attest: str
    origid: str


class Claims(NamedTuple):
    """The base claims (RFC 8225 §5) and what the type adds."""

    orig_tn: TN | None
    orig_uri: str | None
    dest_tn: tuple[TN, ...]
    dest_uri: tuple[str, ...]
    iat: UnixTime
    shaken: ShakenClaims
    members: Mapping[str, Any]  # the payload as it is: what constraints of a certificate speak about


def read_header(segment: str) -> ProtectedHeader:
    """The protected header of a token; raises Fault."""
    try:
        members = parse_object(base64url.decode(segment))
    except MalformedValue as error:
        raise Fault(Reason.MALFORMED_TOKEN, f"protected header: {error}") from None
    if members.get("alg") != "ES256":
        raise Fault(Reason.ALGORITHM, "alg is not ES256")
    if members.get("typ") != "passport":
        raise Fault(Reason.MALFORMED_TOKEN, "typ is not passport")
    if "crit" in members:
        raise Fault(Reason.MALFORMED_TOKEN, "crit names an extension we don't know")
    x5u = members.get("x5u")
    if type(x5u) is not str:
        raise Fault(Reason.MALFORMED_TOKEN, "x5u is missing")
    ppt = members.get("ppt")
    if ppt is not None and type(ppt) is not str:
        raise Fault(Reason.MALFORMED_TOKEN, "ppt is not a string")
    return ProtectedHeader(ppt, x5u)


def read_claims(segment: str, ppt: str) -> Claims:
    """The claims of a token whose type is in ``TYPES``; raises Fault."""
    try:
        members = parse_object(base64url.decode(segment))
    except MalformedValue as error:
        raise Fault(Reason.MALFORMED_TOKEN, f"payload: {error}") from None
    iat = members.get("iat")
    if type(iat) is not int or not 0 < iat < _LARGEST_IAT:  # type(): a JSON true is a Python int
        raise Fault(Reason.CLAIMS, "iat is not a number of seconds")
    orig_tn, orig_uri = _read_orig(members.get("orig"))
    dest_tn, dest_uri = _read_dest(members.get("dest"))
    return Claims(orig_tn, orig_uri, dest_tn, dest_uri, UnixTime(iat), TYPES[ppt](members), members)


def _read_orig(orig: object) -> tuple[TN | None, str | None]:
    """Exactly one identity (RFC 8225 §5.2.1)."""
    if type(orig) is dict and len(orig) == 1:
        tn = orig.get("tn")
        if type(tn) is str and _TN.match(tn):
            return TN(tn), None
        uri = orig.get("uri")
        if type(uri) is str and uri:
            return None, uri
    raise Fault(Reason.CLAIMS, "orig is not exactly one identity")


def _read_dest(dest: object) -> tuple[tuple[TN, ...], tuple[str, ...]]:
    """At least one identity, each kind in an array (RFC 8225 §5.2.1)."""
    if type(dest) is dict:
        numbers, uris = dest.get("tn", ()), dest.get("uri", ())
        if (
            (numbers or uris)
            and ("tn" not in dest or (type(numbers) is list and 0 < len(numbers) <= _MOST_DESTINATIONS))
            and ("uri" not in dest or (type(uris) is list and 0 < len(uris) <= _MOST_DESTINATIONS))
            and all(type(tn) is str and _TN.match(tn) for tn in numbers)
            and all(type(uri) is str and uri for uri in uris)
        ):
            return tuple(numbers), tuple(uris)
    raise Fault(Reason.CLAIMS, "dest is not an array of identities")


def _read_shaken(members: dict[str, Any]) -> ShakenClaims:
    attest, origid = members.get("attest"), members.get("origid")
    if type(attest) is not str or attest not in ("A", "B", "C"):
        raise Fault(Reason.CLAIMS, "attest is not A, B or C")
    if type(origid) is not str or not _UUID.match(origid):
        raise Fault(Reason.CLAIMS, "origid is not a UUID")
    return ShakenClaims(attest, origid)


TYPES: Mapping[str, Callable[[dict[str, Any]], ShakenClaims]] = {"shaken": _read_shaken}

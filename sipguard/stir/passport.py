"""The PASSporT: what a token must say before it is worth a signature check (RFC 8225).

A token is three base64url segments. ``read_header`` and ``read_claims`` judge the first two; both raise ``Fault`` with
the reason. ES256 is settled here, before any key is touched: the token never chooses the algorithm. The types we
understand are a table from ``ppt`` to the reader of its own claims, so another type is one entry more. Claims that no
type of ours knows are accepted: extensions only add (RFC 8225 §8.3).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.claims import Claims, Diversion, PriorityClaims, RichCallData, ShakenClaims, TypeClaims
from sipguard.stir.fault import Fault
from sipguard.stir.media_key import read_media_keys
from sipguard.stir.rich_call_data import read_rich_call_data
from sipguard.stir.strict_json import parse_object
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

__all__ = ("TYPES", "Claims", "Fault", "ProtectedHeader", "read_claims", "read_header")

_TN = re.compile(r"[0-9*#]{1,32}\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}\Z")
_R_VALUE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")  # namespace "." priority (RFC 4412 §3.1)
_INDEX = re.compile(r"[0-9.]{1,64}\Z")
_CALLBACK = "psap-callback"
_EMERGENCY = "esnet."
_LARGEST_IAT = 1 << 40
_MOST_DESTINATIONS = 64
_MOST_PRIORITIES = 32


class ProtectedHeader(NamedTuple):
    """The JOSE header of a PASSporT; ``alg`` is ES256 and ``typ`` is passport by the time there is one."""

    ppt: str | None
    x5u: str


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


def read_claims(segment: str, ppt: str | None) -> Claims:
    """The claims of a token whose type is in ``TYPES``; raises Fault."""
    try:
        members = parse_object(base64url.decode(segment))
    except MalformedValue as error:
        raise Fault(Reason.MALFORMED_TOKEN, f"payload: {error}") from None
    iat = members.get("iat")
    if type(iat) is not int or not 0 < iat < _LARGEST_IAT:  # type(): a JSON true is a Python int
        raise Fault(Reason.CLAIMS, "iat is not a number of seconds")
    orig_tn, orig_uri = _read_identity(members.get("orig"), "orig is not exactly one identity")
    dest_tn, dest_uri = _read_dest(members.get("dest"))
    media_keys = None
    if "mky" in members:
        try:
            media_keys = read_media_keys(members["mky"])
        except MalformedValue as error:
            raise Fault(Reason.CLAIMS, str(error)) from None
    own = TYPES[ppt](members)
    return Claims(orig_tn, orig_uri, dest_tn, dest_uri, UnixTime(iat), media_keys, own, members)


def _read_identity(identity: object, otherwise: str, extra: int = 0) -> tuple[TN | None, str | None]:
    """Exactly one identity (RFC 8225 §5.2.1), with at most ``extra`` members beside it."""
    if type(identity) is dict and 0 < len(identity) <= 1 + extra and not ("tn" in identity and "uri" in identity):
        tn = identity.get("tn")
        if type(tn) is str and _TN.match(tn):
            return TN(tn), None
        uri = identity.get("uri")
        if type(uri) is str and _URI.match(uri):
            return None, uri
    raise Fault(Reason.CLAIMS, otherwise)


def _read_dest(dest: object) -> tuple[tuple[TN, ...], tuple[str, ...]]:
    """At least one identity, each kind in an array (RFC 8225 §5.2.1)."""
    if type(dest) is dict:
        numbers = _texts(dest["tn"], _TN) if "tn" in dest else ()
        uris = _texts(dest["uri"], _URI) if "uri" in dest else ()
        if numbers is not None and uris is not None and (numbers or uris):
            return cast("tuple[TN, ...]", numbers), uris
    raise Fault(Reason.CLAIMS, "dest is not an array of identities")


def _texts(array: object, form: re.Pattern[str]) -> tuple[str, ...] | None:
    """The texts of an array that all have this form; None when it is empty or something else."""
    if type(array) is not list or not 0 < len(array) <= _MOST_DESTINATIONS:
        return None
    for text in array:
        if type(text) is not str or not form.match(text):
            return None
    return tuple(array)


def _read_base(members: dict[str, Any]) -> None:
    """A PASSporT without a type adds nothing."""


def _read_shaken(members: dict[str, Any]) -> ShakenClaims:
    attest, origid = members.get("attest"), members.get("origid")
    if type(attest) is not str or attest not in ("A", "B", "C"):
        raise Fault(Reason.CLAIMS, "attest is not A, B or C")
    if type(origid) is not str or not _UUID.match(origid):
        raise Fault(Reason.CLAIMS, "origid is not a UUID")
    return ShakenClaims(attest, origid, _read_addition(members) if "rcd" in members else None)


def _read_addition(members: dict[str, Any]) -> RichCallData | None:
    """Rich call data in a token of another type: an extra claim that is dropped when wrong, the number stands."""
    try:
        return read_rich_call_data(members)
    except Fault:
        return None


def _read_diversion(members: dict[str, Any]) -> Diversion:
    if "opt" in members:
        raise Fault(Reason.CLAIMS, "a div PASSporT holds opt")
    return _diversion(members, None)


def _read_enclosing_diversion(members: dict[str, Any]) -> Diversion:
    opt = members.get("opt")
    if type(opt) is not str or opt.count(".") != 2 or opt[:1] == ".":
        raise Fault(Reason.CLAIMS, "opt is not a PASSporT in full form")
    return _diversion(members, opt)


def _diversion(members: dict[str, Any], opt: str | None) -> Diversion:
    div = members.get("div")
    tn, uri = _read_identity(div, "div is not exactly one identity", extra=8)
    history_index = div.get("hi") if type(div) is dict else None
    if history_index is not None and not (type(history_index) is str and _INDEX.match(history_index)):
        raise Fault(Reason.CLAIMS, "hi is not a History-Info index")
    return Diversion(tn or uri or "", history_index, opt)


def _read_priority(members: dict[str, Any]) -> PriorityClaims:
    rph = members.get("rph")
    auth = rph.get("auth") if type(rph) is dict else None
    if (
        type(auth) is not list
        or not 0 < len(auth) <= _MOST_PRIORITIES
        or not all(type(value) is str and "." in value and _R_VALUE.match(value) for value in auth)
    ):
        raise Fault(Reason.CLAIMS, "rph.auth is not an array of priorities")
    values = tuple(value.lower() for value in auth)
    if "sph" in members:
        if members["sph"] != _CALLBACK:
            raise Fault(Reason.CLAIMS, "sph is not psap-callback")
        if not any(value.startswith(_EMERGENCY) for value in values):
            raise Fault(Reason.CLAIMS, "sph without an emergency priority")
    return PriorityClaims(values, "sph" in members)


TYPES: Mapping[str | None, Callable[[dict[str, Any]], TypeClaims]] = {
    None: _read_base,
    "shaken": _read_shaken,
    "div": _read_diversion,
    "div-o": _read_enclosing_diversion,
    "rph": _read_priority,
    "rcd": read_rich_call_data,
}

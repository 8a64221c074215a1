"""Rich call data: the ``rcd``, ``rcdi`` and ``crn`` claims and their integrity digests (RFC 9795).

A digest is named by a JSON pointer into ``rcd`` and taken over canonical JSON: a string with its quotes, a jCard as
compact JSON. What a pointer reaches only through a URL (an icon, a linked jCard, a photo in a jCard) is not in the
token; its digest is handed on unchecked, because a proxy fetches nothing that a caller names (RCD-08).
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from sipguard.stir.canonical_form import canonical
from sipguard.stir.claims import RichCallData
from sipguard.stir.fault import Fault
from sipguard.stir.verdict import Reason

_ALGORITHMS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_LINKED = ("icn", "jcl")
_MOST_DIGESTS = 64
_LONGEST_REASON = 64  # characters of crn worth showing (RCD-04)
_TN = re.compile(r"[0-9*#]{1,32}\Z")
_DIGEST = re.compile(r"(sha256|sha384|sha512)-([A-Za-z0-9+/]{1,88}={0,2})\Z")
_ESCAPE = re.compile(r"~(?![01])")
_PROPERTY_VALUES = 3  # of a jCard property: name, parameters, type, then values (RFC 7095 §3.3)


def read_rich_call_data(members: Mapping[str, Any]) -> RichCallData:
    """The rich call data among the claims of a token, digests checked; raises Fault."""
    rcd = members.get("rcd")
    if type(rcd) is not dict:
        raise Fault(Reason.CLAIMS, "rcd is not an object")
    nam = rcd.get("nam")
    if type(nam) is not str:
        raise Fault(Reason.CLAIMS, "rcd holds no nam")
    if "jcd" in rcd and "jcl" in rcd:
        raise Fault(Reason.CLAIMS, "rcd holds both jcd and jcl")
    texts = {name: _text(rcd, name) for name in ("apn", "icn", "jcl")}
    if texts["apn"] is not None and not _TN.match(texts["apn"]):
        raise Fault(Reason.CLAIMS, "apn is not a number")
    jcd = rcd.get("jcd")
    if jcd is not None and not (type(jcd) is list and len(jcd) == 2 and jcd[0] == "vcard" and type(jcd[1]) is list):
        raise Fault(Reason.CLAIMS, "jcd is not a jCard")
    crn = _text(members, "crn")
    deferred = _check_digests(rcd, members["rcdi"]) if "rcdi" in members else ()
    return RichCallData(
        nam=nam,
        apn=texts["apn"],
        icn=texts["icn"],
        jcd=jcd,
        jcl=texts["jcl"],
        crn=None if crn is None else crn[:_LONGEST_REASON],
        deferred=deferred,
        third_party="iss" in members,
    )


def digests(rcd: Mapping[str, Any], linked: Mapping[str, bytes] | None = None) -> dict[str, str]:
    """The ``rcdi`` claim for ``rcd``: SHA-256 over its name and jCard, and over ``linked`` octets by JSON pointer."""
    inline = {f"/{name}": canonical(rcd[name]) for name in ("jcd", "nam") if name in rcd}
    return {
        pointer: "sha256-" + _base64(hashlib.sha256(octets).digest())
        for pointer, octets in sorted({**inline, **(linked or {})}.items())
    }


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and (type(value) is not str or not value):
        raise Fault(Reason.CLAIMS, f"{name} is not a text")
    return value


def _check_digests(rcd: dict[str, Any], rcdi: object) -> tuple[tuple[str, str], ...]:
    """Every digest over what the token holds; the others are returned. Raises Fault."""
    if type(rcdi) is not dict or not 0 < len(rcdi) <= _MOST_DIGESTS:
        raise Fault(Reason.CLAIMS, "rcdi is not an object of digests")
    deferred = []
    for pointer, stated in rcdi.items():
        match = _DIGEST.match(stated) if type(stated) is str else None
        if match is None:
            raise Fault(Reason.DIGEST, "rcdi holds a digest of an unknown kind")
        value, linked = _resolve(rcd, pointer)
        if linked:
            deferred.append((pointer, stated))
        elif _base64(_ALGORITHMS[match[1]](canonical(value)).digest()) != match[2].rstrip("="):
            raise Fault(Reason.DIGEST, "rcdi does not match what it is taken over")
    return tuple(deferred)


def _resolve(rcd: dict[str, Any], pointer: str) -> tuple[Any, bool]:
    """What a JSON pointer (RFC 6901) reaches, and whether the digest is over the content behind a URL there."""
    if pointer[:1] != "/" or _ESCAPE.search(pointer):
        raise Fault(Reason.DIGEST, "rcdi holds something else than a JSON pointer")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]
    if steps[0] in _LINKED and steps[0] in rcd:
        return None, True
    value: Any = rcd
    holder: Any = None
    for step in steps:
        holder = value
        if type(value) is dict and step in value:
            value = value[step]
        elif type(value) is list and step.isascii() and step.isdigit() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Fault(Reason.DIGEST, "rcdi points at nothing")
    return value, _is_uri_value(holder, steps[-1])


def _is_uri_value(holder: object, step: str) -> bool:
    """Whether a place in a jCard is the value of a property of type uri."""
    return (
        type(holder) is list
        and len(holder) > _PROPERTY_VALUES
        and holder[2] == "uri"
        and step.isdigit()
        and int(step) >= _PROPERTY_VALUES
    )


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode("ascii").rstrip("=")

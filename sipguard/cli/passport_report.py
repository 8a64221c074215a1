"""A token in words: its parts as they stand, and everything about it that a careful reader would stop at.

Nothing here decides whether to trust a token. The rules come from the code that does (``stir``); what they refuse is
named, and so is what they tolerate but most signers do not write.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sipguard.cli.token_input import loose_json
from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.identity_header import IdentityHeader, parse_identity
from sipguard.stir.passport import TYPES, read_claims, read_header
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.x5u import X5uRules, problem

_WINDOW = 60  # seconds a verifier usually allows (RFC 8224 §6.2)
_BASE_CLAIMS = frozenset(("dest", "iat", "mky", "orig"))
_KNOWN_CLAIMS = {
    "shaken": _BASE_CLAIMS | {"attest", "origid"},
    "div": _BASE_CLAIMS | {"div"},
    "div-o": _BASE_CLAIMS | {"div", "opt"},
    "rph": _BASE_CLAIMS | {"rph", "sph"},
    "rcd": _BASE_CLAIMS | {"rcd", "rcdi", "crn"},
}
_KNOWN_MEMBERS = frozenset(("alg", "ppt", "typ", "x5u"))
_ATTESTATIONS = {
    "A": "the signer knows the customer, and that the customer may use the number",
    "B": "the signer knows the customer, not the right to the number",
    "C": "the signer only knows where the call entered its network",
}


def describe(value: str, now: UnixTime) -> dict[str, Any]:
    """One Identity header field value as facts: parameters, header, claims, where the signer's certificate is."""
    try:
        identity: IdentityHeader | None = parse_identity(value)
    except MalformedValue:
        identity = None
    token = value.partition(";")[0].strip(" \t") if identity is None else identity.token
    segments = token.split(".")
    header = loose_json(segments[0])
    claims = loose_json(segments[1]) if len(segments) > 1 else None
    parameters = {} if identity is None else identity.parameters._asdict()
    return {
        "form": "compact" if token.startswith("..") else "full",
        "parameters": parameters,
        "header": header,
        "claims": claims,
        "signed_by": (header or {}).get("x5u", parameters.get("info")),
        "unusual": list(dict.fromkeys(_unusual(value, segments, header, claims, parameters, now))),
    }


def explain_claims(report: dict[str, Any], now: UnixTime) -> Iterator[str]:
    """What the parts mean, a line each."""
    claims = report["claims"] or {}
    if isinstance(claims.get("attest"), str) and claims["attest"] in _ATTESTATIONS:
        yield f"attest {claims['attest']}: {_ATTESTATIONS[claims['attest']]}"
    iat = claims.get("iat")
    if type(iat) is int and 0 < iat < 1 << 36:
        yield f"issued {datetime.fromtimestamp(iat, UTC):%Y-%m-%d %H:%M:%S} UTC, {_distance(now - iat)}"
    if report["signed_by"]:
        yield f"signed with the key of the certificate at {report['signed_by']}, if the signature holds: not checked"


def _distance(seconds: int) -> str:
    return f"{seconds} s ago" if seconds >= 0 else f"{-seconds} s in the future"


def _unusual(
    value: str, segments: list[str], header: dict[str, Any] | None, claims: dict[str, Any] | None,
    parameters: dict[str, Any], now: UnixTime,
) -> Iterator[str]:  # fmt: skip
    try:
        parse_identity(value)
    except MalformedValue as error:
        yield f"Identity: {error}"
    if segments[0] == "" and len(segments) == 3:
        yield "compact form: SHAKEN does not have it, and only the request can tell what was signed"
        return
    if len(segments) != 3:
        yield f"{len(segments)} segments instead of three"
        return
    yield from _unusual_header(segments[0], header or {}, parameters)
    yield from _unusual_claims(segments[1], (header or {}).get("ppt"), claims, now)
    try:
        length = len(base64url.decode(segments[2]))
        if length != 64:
            yield f"a signature of {length} octets; ES256 has 64"
    except MalformedValue as error:
        yield f"signature: {error}"


def _unusual_header(segment: str, header: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    try:
        read_header(segment)
    except MalformedValue as error:
        yield f"header: {error}"
    x5u = header.get("x5u")
    if isinstance(x5u, str):
        refusal = problem(x5u, X5uRules())
        if refusal is not None:
            yield f"x5u: {refusal}; a verifier does not fetch it"
        if parameters.get("info") != x5u:
            yield "info and x5u are not the same"
    if header.get("ppt") != parameters.get("ppt"):
        yield "ppt of header field and token are not the same"
    if header and not header.keys() <= _KNOWN_MEMBERS:
        yield f"header members beside the usual ones: {_names(header.keys() - _KNOWN_MEMBERS)}"
    yield from _canonical("header", segment, header)


def _unusual_claims(segment: str, ppt: object, claims: dict[str, Any] | None, now: UnixTime) -> Iterator[str]:
    if isinstance(ppt, str) and ppt in TYPES:
        try:
            read_claims(segment, ppt)
        except MalformedValue as error:
            yield f"claims: {error}"
    else:
        yield "no ppt: a base PASSporT" if ppt is None else "a ppt this program does not know"
    if claims is None:
        yield "the payload is not a JSON object"
        return
    iat = claims.get("iat")
    if type(iat) is int and abs(now - iat) > _WINDOW:
        yield f"iat is {_distance(now - iat)}: a verifier that allows {_WINDOW} s calls it stale"
    known = _KNOWN_CLAIMS.get(ppt, _BASE_CLAIMS) if isinstance(ppt, str) else _BASE_CLAIMS
    if not claims.keys() <= known:
        yield f"claims beside those of its type: {_names(claims.keys() - known)}"
    yield from _canonical("payload", segment, claims)


def _canonical(what: str, segment: str, members: dict[str, Any] | None) -> Iterator[str]:
    """A token need not be canonical to be verified, but a signer should write it so (RFC 8225 §9)."""
    if not members:
        return
    wanted = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")
    if base64url.encode(wanted) != segment:
        yield f"{what}: not canonical JSON (order of members, white space, or escapes)"


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names))

"""A header that passed every check of its own text: what is left needs the signalling, the time, or its certificate."""

from typing import NamedTuple

from sipguard.stir.claims import Claims, Diversion, ShakenClaims
from sipguard.stir.passport import ProtectedHeader
from sipguard.stir.verdict import HeaderResult, Reason


class Candidate(NamedTuple):
    """A well-formed PASSporT; ``enclosed`` is the original inside a ``div-o``."""

    protected: ProtectedHeader
    claims: Claims
    signing_input: bytes
    signature: bytes
    enclosed: "Candidate | None" = None


class Problem(NamedTuple):
    """Why a candidate is not good."""

    reason: Reason
    detail: str


def result_of(candidate: Candidate, reason: Reason | None, detail: str, spc: str | None = None) -> HeaderResult:
    """The result of a header that could be read."""
    (ppt, x5u), claims = candidate.protected, candidate.claims
    own, iat = claims.own, claims.iat
    if type(own) is ShakenClaims:
        attest, origid, rich = own
        return HeaderResult(ppt, reason, detail, attest, origid, spc, x5u, iat, rich, claims.orig_tn)
    extension = None if isinstance(own, ShakenClaims) else own
    return HeaderResult(ppt, reason, detail, None, None, spc, x5u, iat, extension, claims.orig_tn)


def enclosing_result(outer: Candidate, innermost: HeaderResult) -> HeaderResult:
    """The result of a ``div-o``: what the original in its middle says, under the enclosing type."""
    own = outer.claims.own
    return HeaderResult(
        outer.protected.ppt,
        innermost.reason,
        innermost.detail,
        innermost.attest,
        innermost.origid,
        innermost.spc,
        innermost.x5u,
        outer.claims.iat,
        own if isinstance(own, Diversion) else None,
        innermost.orig,
    )

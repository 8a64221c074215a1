"""The claims of a PASSporT against the request it came in, and against the clock (RFC 8224 §6.2 steps 2 and 4).

Cheap checks, so they come before anything that needs a certificate. Each returns what is wrong, or None. Where the
call was retargeted, ``diversion`` asks for the parts one by one; otherwise ``disagreement`` asks for all.
"""

from sipguard.stir.candidate import Candidate, Problem
from sipguard.stir.claims import Claims, PriorityClaims
from sipguard.stir.signalling import Signalling
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason


def disagreement(candidate: Candidate, signalling: Signalling, now: UnixTime, window: int) -> Problem | None:
    """In what a PASSporT that stands for itself differs from its call: time, caller, called number, extensions."""
    claims = candidate.claims
    if not -window <= now - claims.iat <= window:
        return staleness(claims, now, window)
    if claims.orig_tn is None or claims.orig_tn not in signalling.orig:
        return Problem(Reason.ORIG_MISMATCH, "orig is not the calling number")
    for number in signalling.dest:
        if number in claims.dest_tn:
            break
    else:
        if signalling.to_uri is None or signalling.to_uri not in claims.dest_uri:
            return Problem(Reason.DEST_MISMATCH, "dest does not hold the called number")
    if claims.media_keys is None and type(claims.own) is not PriorityClaims:
        return None
    return extras(claims, signalling)


def staleness(claims: Claims, now: UnixTime, window: int) -> Problem | None:
    """Whether iat lies outside the window, in the past or in the future (VS-10)."""
    age = now - claims.iat
    if -window <= age <= window:
        return None
    return Problem(Reason.STALE, f"iat is {abs(age)} s in the {'past' if age > 0 else 'future'}")


def caller(claims: Claims, signalling: Signalling) -> Problem | None:
    """Whether orig is not the calling number (VS-09)."""
    if claims.orig_tn is None or claims.orig_tn not in signalling.orig:
        return Problem(Reason.ORIG_MISMATCH, "orig is not the calling number")
    return None


def extras(claims: Claims, signalling: Signalling) -> Problem | None:
    """Media keys and priorities against the SDP and the priority header fields."""
    if claims.media_keys is not None and claims.media_keys != frozenset(signalling.media_keys):
        return Problem(Reason.MEDIA_KEY, "mky holds other fingerprints than the SDP")
    if type(claims.own) is PriorityClaims:
        return _priority(claims.own, signalling)
    return None


def _priority(own: PriorityClaims, signalling: Signalling) -> Problem | None:
    """Every value signed is one the request still carries (RFC 8443 §7.1), and sph is its Priority (RFC 9027 §4)."""
    if not signalling.resource_priority:
        return Problem(Reason.PRIORITY_MISMATCH, "the request has no Resource-Priority")
    if not set(own.auth) <= set(signalling.resource_priority):
        return Problem(Reason.PRIORITY_MISMATCH, "rph.auth holds another priority than Resource-Priority")
    if own.callback and not signalling.callback:
        return Problem(Reason.PRIORITY_MISMATCH, "sph is not the call's Priority")
    return None

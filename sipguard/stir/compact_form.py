"""The compact form: a signature alone, whose header and payload the request itself provides (RFC 8225 §7).

What was signed is written down again from ``info``, Date, the asserted identity, To and the SDP's fingerprints, in
canonical JSON. Only base PASSporTs have this form here: SHAKEN forbids it, and no other type defines how its claims
would be found in a request (VS-16, PPT-08).
"""

import json

from sipguard.stir import base64url
from sipguard.stir.candidate import Candidate
from sipguard.stir.canonical_form import base_payload, protected_header
from sipguard.stir.claims import Claims
from sipguard.stir.fault import Fault
from sipguard.stir.passport import ProtectedHeader
from sipguard.stir.signalling import Signalling
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason


def reconstruct(url: str, signature: bytes, signalling: Signalling) -> Candidate:
    """The PASSporT a compact form stands for; raises Fault when the request lacks a part of it."""
    if signalling.date is None:
        raise Fault(Reason.COMPACT_FORM, "compact form without a Date")
    if not signalling.orig:
        raise Fault(Reason.ORIG_MISMATCH, "orig is not the calling number")
    dest_uri = () if signalling.dest or signalling.to_uri is None else (signalling.to_uri,)
    if not signalling.dest and not dest_uri:
        raise Fault(Reason.DEST_MISMATCH, "no called identity")
    orig, keys = signalling.orig[0], signalling.media_keys
    payload = base_payload(orig, (*signalling.dest, *dest_uri), signalling.date, keys)
    claims = Claims(
        orig_tn=orig,
        orig_uri=None,
        dest_tn=signalling.dest,
        dest_uri=dest_uri,
        iat=UnixTime(signalling.date),
        media_keys=frozenset(keys) if keys else None,
        own=None,
        members=json.loads(payload),
    )
    signing_input = f"{base64url.encode(protected_header(url, None).encode())}.{base64url.encode(payload.encode())}"
    return Candidate(ProtectedHeader(None, url), claims, signing_input.encode("ascii"), signature)

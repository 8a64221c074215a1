"""The verification service (RFC 8224 §6.2): Identity header fields in, one verdict out.

Two passes. The first makes every check that needs no certificate, for every header: grammar, algorithm, type, URL,
claims, freshness, and the numbers against the signalling. Only headers that survive it are worth a certificate; the
second pass looks that up, checks its validity and scope, and spends one ECDSA operation. A certificate that is not in
the cache is reported as ``MissingCertificate``, and the caller asks again when it has it or knows that there
is none.

Headers are judged one by one and combined at the end: a bad one beside a good one changes nothing, and a good one for
other numbers is a bad one. Whatever the octets, the outcome is a value: nothing here raises for a token.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sipguard.errors import MalformedValue
from sipguard.stir import base64url
from sipguard.stir.certificate import TrustAnchors
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.identity_header import parse_identity
from sipguard.stir.passport import TYPES, Claims, Fault, ProtectedHeader, read_claims, read_header
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import HeaderResult, Reason, Verdict, combine
from sipguard.stir.x5u import X5uRules, problem

_ES256: Final = ec.ECDSA(hashes.SHA256())
_MOST_HEADERS = 16  # Identity fields judged per request: each may cost a fetch and a signature check
_MOST_KNOWN_HEADERS = 4096  # protected headers remembered; a signer uses the same one for every call
_LONGEST_KNOWN_HEADER = 2048
_LONGEST_TOKEN = 32768


class MissingCertificate(NamedTuple):
    """The verdict depends on this certificate, which is not in the cache."""

    url: str


@dataclass(frozen=True, slots=True)
class Signalling:
    """What the request itself says, in canonical numbers (RFC 8224 §8.3)."""

    orig: tuple[TN, ...]  # the asserted identities: P-Asserted-Identity when there is one, else From (AS-23)
    dest: tuple[TN, ...]  # To
    call_id: str
    request_tn: TN | None = None  # the request URI
    date: UnixTime | None = None


@dataclass(frozen=True, slots=True)
class VerificationSettings:
    """The configuration of a verification service."""

    window: int = 60  # seconds iat may lie in the past or in the future (VS-10)
    replay_capacity: int = 65536  # signatures remembered for their window; the oldest goes first
    x5u: X5uRules = field(default_factory=X5uRules)


class _Candidate(NamedTuple):
    """A header that passed every check that needs no certificate."""

    protected: ProtectedHeader
    claims: Claims
    signing_input: bytes
    signature: bytes
    remark: str  # what a good result says beside being good


class VerificationService:
    """Judges the Identity header fields of requests against a set of trust anchors."""

    def __init__(self, anchors: TrustAnchors, settings: VerificationSettings | None = None) -> None:
        """``anchors`` are what certificates in the cache must have been validated against."""
        self.anchors = anchors
        self.settings = settings or VerificationSettings()
        self._known_headers: dict[str, ProtectedHeader | HeaderResult] = {}
        self._replays = _ReplayCache(self.settings.replay_capacity)

    def verify(
        self,
        identities: Sequence[str],
        signalling: Signalling,
        cache: CertificateCache,
        now: UnixTime,
        unavailable: frozenset[str] = frozenset(),
    ) -> Verdict | MissingCertificate:
        """The verdict over a request's Identity header field values, or the certificate that is needed first.

        ``unavailable`` are URLs already tried in vain for this request. Only the first 16 fields are judged. Once one
        of them passes no certificate is asked for any more. Never raises.
        """
        results: list[HeaderResult] = []
        waiting: list[_Candidate] = []
        passed = False
        for value in identities[:_MOST_HEADERS]:
            outcome = self._examine(value, signalling, now)
            if isinstance(outcome, _Candidate):
                proved = self._prove(outcome, signalling, cache, now, unavailable)
                if proved is None:
                    waiting.append(outcome)
                    continue
                outcome = proved
            passed = passed or outcome.reason is None
            results.append(outcome)
        if waiting:
            if not passed:
                return MissingCertificate(waiting[0].protected.x5u)
            results.extend(_not_needed(candidate) for candidate in waiting)
        return combine(tuple(results))

    def _examine(self, value: str, signalling: Signalling, now: UnixTime) -> _Candidate | HeaderResult:
        """Every check of one header that needs no certificate (RFC 8224 §6.2 steps 1, 2 and 4)."""
        try:
            header = parse_identity(value)
        except MalformedValue as error:
            return HeaderResult(reason=Reason.MALFORMED_HEADER, detail=str(error))
        token, (info, alg, ppt) = header
        if ppt is not None and ppt not in TYPES:
            return HeaderResult(ppt[:32], Reason.UNSUPPORTED_PPT, "a PASSporT type we don't understand", x5u=info)
        if info is None:
            return HeaderResult(ppt, Reason.INFO_MISSING, "no info parameter")
        if header.compact:
            return HeaderResult(ppt, Reason.COMPACT_FORM, "SHAKEN has no compact form", x5u=info)
        if alg is not None and alg != "ES256":
            return HeaderResult(ppt, Reason.ALGORITHM, "the alg parameter is not ES256", x5u=info)
        segments = token.split(".")
        if len(segments) != 3 or len(token) > _LONGEST_TOKEN:
            return HeaderResult(ppt, Reason.MALFORMED_TOKEN, "not three segments", x5u=info)
        protected = self._protected_header(segments[0])
        if isinstance(protected, HeaderResult):
            return protected
        if protected.ppt is None or protected.ppt != ppt:
            return HeaderResult(ppt, Reason.PPT_MISMATCH, "ppt of header and token are not the same", x5u=info)
        if protected.x5u != info:
            return HeaderResult(ppt, Reason.INFO_MISMATCH, "info and x5u are not the same", x5u=info)
        try:
            signature = base64url.decode(segments[2])
            claims = read_claims(segments[1], protected.ppt)
        except Fault as fault:
            return HeaderResult(ppt, fault.reason, fault.detail, x5u=info)
        except MalformedValue as error:
            return HeaderResult(ppt, Reason.MALFORMED_TOKEN, f"signature: {error}", x5u=info)
        if len(signature) != 64:
            return HeaderResult(ppt, Reason.MALFORMED_TOKEN, "the signature is not 64 octets", x5u=info)
        reason, detail = self._compare(claims, signalling, now)
        if reason is not None:
            return _result(protected, claims, reason, detail)
        signing_input = token[: len(segments[0]) + len(segments[1]) + 1].encode("ascii")
        return _Candidate(protected, claims, signing_input, signature, detail)

    def _protected_header(self, segment: str) -> ProtectedHeader | HeaderResult:
        """The protected header of a token, with the rules on its URL applied; a signer's is read once."""
        known = self._known_headers.get(segment)
        if known is not None:
            return known
        try:
            known = read_header(segment)
            refusal = problem(known.x5u, self.settings.x5u)
            if refusal is not None:
                known = HeaderResult(known.ppt, Reason.X5U_REFUSED, refusal, x5u=known.x5u)
        except Fault as fault:
            known = HeaderResult(reason=fault.reason, detail=fault.detail)
        if len(segment) <= _LONGEST_KNOWN_HEADER:
            if len(self._known_headers) >= _MOST_KNOWN_HEADERS:
                self._known_headers.clear()  # cheaper than an order of use, and as bounded
            self._known_headers[segment] = known
        return known

    def _compare(self, claims: Claims, signalling: Signalling, now: UnixTime) -> tuple[Reason | None, str]:
        """Freshness, and the claims against the signalling, which a token never replaces (RFC 8224 §6.2.4)."""
        age = now - claims.iat
        window = self.settings.window
        if not -window <= age <= window:
            return Reason.STALE, f"iat is {abs(age)} s in the {'past' if age > 0 else 'future'}"
        if claims.orig_tn is None or claims.orig_tn not in signalling.orig:
            return Reason.ORIG_MISMATCH, "orig is not the calling number"
        for number in signalling.dest:
            if number in claims.dest_tn:
                break
        else:
            return Reason.DEST_MISMATCH, "dest does not hold the called number"
        if signalling.date is not None and abs(now - signalling.date) > window:
            return None, "Date is outside the window, iat was used"  # RFC 8224 §6.2 step 4
        return None, ""

    def _prove(
        self,
        candidate: _Candidate,
        signalling: Signalling,
        cache: CertificateCache,
        now: UnixTime,
        unavailable: frozenset[str],
    ) -> HeaderResult | None:
        """The checks of one header that need its certificate; None when that is neither known nor given up."""
        protected, claims, signing_input, signature, detail = candidate
        url = protected.x5u
        credential = cache.get(url, now)
        if credential is None:
            if url not in unavailable:
                return None
            return _result(protected, claims, Reason.CERTIFICATE_UNAVAILABLE, "the certificate could not be fetched")
        if isinstance(credential, CertificateFailure):
            return _result(protected, claims, credential.reason, credential.detail)
        spc = credential.spc
        if not (credential.valid_at(now) and credential.valid_at(claims.iat)):
            return _result(protected, claims, Reason.CERTIFICATE_EXPIRED, "not valid now and at iat", spc)
        if claims.orig_tn is None or not credential.covers(claims.orig_tn):
            return _result(protected, claims, Reason.CERTIFICATE_SCOPE, "the calling number is not covered", spc)
        if credential.constraints is not None:
            violation = credential.constraints.violation(claims.members)
            if violation is not None:
                return _result(protected, claims, Reason.CLAIMS_NOT_PERMITTED, violation, spc)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            credential.public_key.verify(encode_dss_signature(r, s), signing_input, _ES256)
        except InvalidSignature:
            return _result(protected, claims, Reason.SIGNATURE, "the signature is not that of the certificate", spc)
        if self._replays.replayed(r, signalling.call_id, now, UnixTime(claims.iat + self.settings.window)):
            return _result(protected, claims, Reason.REPLAYED, "the token was already used for another call", spc)
        return _result(protected, claims, None, detail, spc)


class _ReplayCache:
    """The signatures accepted within their window, each with the call it came with (RFC 8224 §12.1, VS-12).

    Keyed on r: a second valid signature is easily made from a first by negating s, but it keeps r.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[int, tuple[str, UnixTime]] = OrderedDict()

    def replayed(self, r: int, call_id: str, now: UnixTime, until: UnixTime) -> bool:
        """Whether this signature came with another call before; if not it is remembered for this one."""
        seen = self._seen
        known = seen.get(r)
        if known is not None and known[1] >= now:
            return known[0] != call_id
        seen[r] = (call_id, until)
        if len(seen) > self._capacity:
            seen.popitem(last=False)
        return False


def _result(
    protected: ProtectedHeader, claims: Claims, reason: Reason | None, detail: str, spc: str | None = None
) -> HeaderResult:
    attest, origid = claims.shaken
    return HeaderResult(protected.ppt, reason, detail, attest, origid, spc, protected.x5u, claims.iat)


def _not_needed(candidate: _Candidate) -> HeaderResult:
    """A header whose certificate is not fetched because another header has already passed."""
    detail = "not fetched: another header passed"
    return _result(candidate.protected, candidate.claims, Reason.CERTIFICATE_UNAVAILABLE, detail)

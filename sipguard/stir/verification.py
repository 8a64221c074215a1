"""The verification service (RFC 8224 §6.2): Identity header fields in, one verdict out.

Three steps. ``examination`` reads every header by itself; ``comparison`` holds it against the signalling and the clock
(``diversion`` where the call was retargeted). Only headers that survive both are worth a certificate: the last step
looks that up, checks its validity and scope, and spends one ECDSA operation. A certificate that is not in the cache is
reported as ``MissingCertificate``, and the caller asks again when it has it or knows that there is none.

Headers are judged one by one and combined at the end: a bad one beside a good one changes nothing, and a good one for
other numbers is a bad one. Whatever the octets, the outcome is a value: nothing here raises for a token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sipguard.stir.candidate import Candidate, Problem, result_of
from sipguard.stir.certificate import Credential, TrustAnchors
from sipguard.stir.certificate_cache import CertificateCache, CertificateFailure
from sipguard.stir.claims import Claims, Diversion, PriorityClaims
from sipguard.stir.comparison import disagreement
from sipguard.stir.diversion import Chains, MissingCertificate, Outcome, Windows
from sipguard.stir.examination import Examiner
from sipguard.stir.replay_cache import ReplayCache
from sipguard.stir.signalling import Signalling
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import HeaderResult, Reason, Verdict, combine
from sipguard.stir.x5u import X5uRules

__all__ = ("MissingCertificate", "Signalling", "VerificationService", "VerificationSettings")

_ES256: Final = ec.ECDSA(hashes.SHA256())
_MOST_HEADERS: Final = 16  # Identity fields judged per request: each may cost a fetch and a signature check
_LONGEST_ORIGINAL_WINDOW: Final = 3 * 3600  # RFC 8946 §4.2 step 4
_ALWAYS_ASKED: Final = frozenset(("rph", "rcd"))  # what they say is worth a fetch beside a number that is verified


@dataclass(frozen=True, slots=True)
class VerificationSettings:
    """The configuration of a verification service.

    ``priority_authorities`` says whose certificates (service provider codes) may authorise which Resource-Priority
    namespaces: no certificate tells, and not any provider may (RFC 8443 §3). Nobody may by default.
    """

    window: int = 60  # seconds iat may lie in the past or in the future (VS-10)
    original_window: int = 60  # the same for PASSporTs from before a diversion (calls transferred late)
    replay_capacity: int = 65536  # signatures remembered for their window; the oldest goes first
    x5u: X5uRules = field(default_factory=X5uRules)
    priority_authorities: Mapping[str, frozenset[str]] = field(default_factory=dict)


class VerificationService:
    """Judges the Identity header fields of requests against a set of trust anchors."""

    def __init__(self, anchors: TrustAnchors, settings: VerificationSettings | None = None) -> None:
        """``anchors`` are what certificates in the cache must have been validated against."""
        self.anchors = anchors
        self.settings = settings or VerificationSettings()
        original = min(max(self.settings.window, self.settings.original_window), _LONGEST_ORIGINAL_WINDOW)
        self._windows = Windows(self.settings.window, original)
        self._examiner = Examiner(self.settings.x5u)
        self._replays = ReplayCache(self.settings.replay_capacity)
        self._forwarded: VerificationService | None = None

    @property
    def forwarded(self) -> "VerificationService":
        """The same for calls that came back from whom they were delivered to: what they bring is from before.

        Its PASSporTs may be as old as ``original_window`` allows, and its memory of tokens is another one: a token was
        seen when the call first came, and may lead one further call away from there.
        """
        if self._forwarded is None:
            self._forwarded = VerificationService(self.anchors, replace(self.settings, window=self._windows.inner))
        return self._forwarded

    def claims(self, identities: Sequence[str], signalling: Signalling) -> tuple[Claims | None, ...]:
        """What each of the Identity header field values that ``verify`` judges says; None for one that is malformed."""
        examined = [self._examiner.examine(value, signalling) for value in identities[:_MOST_HEADERS]]
        return tuple(item.claims if isinstance(item, Candidate) else None for item in examined)

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
        of them passes, no certificate is asked for that could only pass it again. Never raises.
        """
        examine = self._examiner.examine
        examined: list[Candidate | HeaderResult] = []
        diverted = False
        for value in identities[:_MOST_HEADERS]:
            item = examine(value, signalling)
            if isinstance(item, Candidate) and type(item.claims.own) is Diversion:
                diverted = True
            examined.append(item)
        outcomes: list[Outcome]
        if diverted:
            prove = partial(self._prove, signalling, cache, now, unavailable)
            outcomes = Chains(examined, signalling, now, self._windows, prove).judge()
        else:
            outcomes = [
                item if isinstance(item, HeaderResult) else self._judge(item, signalling, cache, now, unavailable)
                for item in examined
            ]
        return _settle(examined, outcomes)

    def _judge(
        self,
        candidate: Candidate,
        signalling: Signalling,
        cache: CertificateCache,
        now: UnixTime,
        unavailable: frozenset[str],
    ) -> Outcome:
        """The outcome of a header that stands for itself, which a token never replaces (RFC 8224 §6.2.4)."""
        problem = disagreement(candidate, signalling, now, self.settings.window)
        if problem is not None:
            return result_of(candidate, problem.reason, problem.detail)
        return self._prove(signalling, cache, now, unavailable, candidate, True)

    def _prove(
        self,
        signalling: Signalling,
        cache: CertificateCache,
        now: UnixTime,
        unavailable: frozenset[str],
        candidate: Candidate,
        of_this_call: bool,
    ) -> Outcome:
        """The checks of one header that need its certificate."""
        (_, url), claims, signing_input, signature, _ = candidate
        credential = cache.get(url, now)
        if credential is None:
            if url not in unavailable:
                return MissingCertificate(url)
            return result_of(candidate, Reason.CERTIFICATE_UNAVAILABLE, "the certificate could not be fetched")
        if isinstance(credential, CertificateFailure):
            return result_of(candidate, credential.reason, credential.detail)
        spc = credential.spc
        problem = self._scope_problem(candidate, credential, now)
        if problem is not None:
            return result_of(candidate, problem.reason, problem.detail, spc)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            credential.public_key.verify(encode_dss_signature(r, s), signing_input, _ES256)
        except InvalidSignature:
            if url not in unavailable and cache.may_refetch(url, now):
                return MissingCertificate(url)  # the signer may have a new key at the same place
            return result_of(candidate, Reason.SIGNATURE, "the signature is not that of the certificate", spc)
        end = UnixTime(claims.iat + self._windows.inner)
        if self._replays.replayed(r, signalling.call_id, now, end) and of_this_call:
            return result_of(candidate, Reason.REPLAYED, "the token was already used for another call", spc)
        return result_of(candidate, None, _remark(signalling, now, self.settings.window), spc)

    def _scope_problem(self, candidate: Candidate, credential: Credential, now: UnixTime) -> Problem | None:
        """Why a certificate does not speak for what the token claims."""
        claims = candidate.claims
        if not (credential.valid_at(now) and credential.valid_at(claims.iat)):
            return Problem(Reason.CERTIFICATE_EXPIRED, "not valid now and at iat")
        own = claims.own
        if type(own) is PriorityClaims:
            problem = self._priority_problem(own, credential)
            if problem is not None:
                return problem
        elif type(own) is Diversion:
            if ":" in own.div or not credential.covers(TN(own.div)):
                return Problem(Reason.CERTIFICATE_SCOPE, "the diverting number is not covered")
        elif claims.orig_tn is None or not credential.covers(claims.orig_tn):
            return Problem(Reason.CERTIFICATE_SCOPE, "the calling number is not covered")
        if credential.constraints is not None:
            violation = credential.constraints.violation(claims.members)
            if violation is not None:
                return Problem(Reason.CLAIMS_NOT_PERMITTED, violation)
        return None

    def _priority_problem(self, own: PriorityClaims, credential: Credential) -> Problem | None:
        """Whether the signer is no authority for a namespace it authorises (RPH-03)."""
        codes = credential.tn_auth_list.service_provider_codes
        for value in own.auth:
            authorities = self.settings.priority_authorities.get(value.partition(".")[0], frozenset())
            if authorities.isdisjoint(codes):
                return Problem(Reason.CERTIFICATE_SCOPE, "the signer is no authority for this priority")
        return None


def _settle(examined: Sequence[Candidate | HeaderResult], outcomes: Sequence[Outcome]) -> Verdict | MissingCertificate:
    """The verdict, unless it waits for a certificate that could still change it."""
    if len(outcomes) == 1:
        return outcomes[0] if isinstance(outcomes[0], MissingCertificate) else combine((outcomes[0],))
    passed = any(type(outcome) is HeaderResult and outcome.reason is None and outcome.vouches for outcome in outcomes)
    results = []
    for item, outcome in zip(examined, outcomes, strict=True):
        if isinstance(outcome, MissingCertificate):
            if not passed or not isinstance(item, Candidate) or item.protected.ppt in _ALWAYS_ASKED:
                return outcome
            detail = "not fetched: another header passed"
            outcome = result_of(item, Reason.CERTIFICATE_UNAVAILABLE, detail)
        results.append(outcome)
    return combine(tuple(results))


def _remark(signalling: Signalling, now: UnixTime, window: int) -> str:
    """What a good result says beside being good (RFC 8224 §6.2 step 4)."""
    if signalling.date is not None and abs(now - signalling.date) > window:
        return "Date is outside the window, iat was used"
    return ""

"""What the verification service found out: a frozen value that carries its reasons (RFC 8224 §6.2).

A verdict says what is true, never what to do about it. Every Identity header field has its own result; the verdict on
the calling number is *passed* when one of them vouches for it and is good, *none* when nothing could be found out (no
usable header, or no certificate to be had), *failed* otherwise. ``Reason`` is the stable, documented list; each member
knows the SIP response code that a policy of refusal answers with (RFC 8224 §6.2.2).

Not every PASSporT vouches for the calling number. ``rph`` speaks of priority alone and is judged beside it (a call
whose priority is not authorised is an ordinary call, RFC 8443 §4.2); ``div`` only leads from one called number to the
next; rich call data of a third party is about that data.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sipguard.stir.claims import Diversion, PriorityClaims, RichCallData
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class Verstat(StrEnum):
    """The values of the tel URI parameter ``verstat`` (3GPP TS 24.229 §7.2A.20, VS-25)."""

    PASSED = "TN-Validation-Passed"
    FAILED = "TN-Validation-Failed"
    NONE = "No-TN-Validation"


class PriorityVerdict(StrEnum):
    """What verification says of the call's Resource-Priority (RPH-09)."""

    PASSED = "RPH-Validation-Passed"
    FAILED = "RPH-Validation-Failed"
    NONE = "No-RPH-Validation"


_PHRASES = {
    403: "Stale Date",
    428: "Use Identity Header",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
}


class Reason(StrEnum):
    """Why a header is not good, in the order in which a verdict prefers to tell: the later, the more telling."""

    code: int
    phrase: str

    MISSING = "missing", 428
    UNSUPPORTED_PPT = "unsupported-ppt", 428
    MALFORMED_HEADER = "malformed-header", 438
    INFO_MISSING = "info-missing", 438
    COMPACT_FORM = "compact-form", 438
    MALFORMED_TOKEN = "malformed-token", 438
    ALGORITHM = "algorithm", 438
    PPT_MISMATCH = "ppt-mismatch", 438
    INFO_MISMATCH = "info-mismatch", 438
    CLAIMS = "claims", 438
    X5U_REFUSED = "x5u-refused", 436
    STALE = "stale", 403
    ORIG_MISMATCH = "orig-mismatch", 438
    DEST_MISMATCH = "dest-mismatch", 438
    DIVERSION = "diversion", 438  # retargeted, and no chain of div PASSporTs leads here
    MEDIA_KEY = "media-key", 438  # mky holds other fingerprints than the SDP
    PRIORITY_MISMATCH = "priority-mismatch", 438
    DIGEST = "digest", 438  # rich call data is not what its digest was taken over
    CERTIFICATE_UNAVAILABLE = "certificate-unavailable", 436
    CERTIFICATE_MALFORMED = "certificate-malformed", 437
    CERTIFICATE_UNTRUSTED = "certificate-untrusted", 437
    CERTIFICATE_EXPIRED = "certificate-expired", 437
    CERTIFICATE_TN_LIST = "certificate-tn-list", 437  # the TNAuthList is absent or malformed
    CERTIFICATE_SCOPE = "certificate-scope", 437  # it lists numbers, and not the calling one
    CERTIFICATE_TN_REFERENCE = "certificate-tn-reference", 437  # the TNAuthList is by reference
    CERTIFICATE_STATUS = "certificate-status", 437  # whether it is revoked cannot be told, and must be
    CERTIFICATE_REVOKED = "certificate-revoked", 437
    SIGNATURE = "signature", 438
    CLAIMS_NOT_PERMITTED = "claims-not-permitted", 438  # the certificate does not let its holder claim this
    REPLAYED = "replayed", 438

    def __new__(cls, value: str, code: int) -> "Reason":
        """A member that is its text and carries its response code and phrase."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.code = code
        member.phrase = _PHRASES[code]
        return member


_RANK = {reason: rank for rank, reason in enumerate(Reason)}
_IGNORED = frozenset((Reason.MISSING, Reason.UNSUPPORTED_PPT))


class HeaderResult(NamedTuple):
    """What one Identity header field came to. ``reason`` None means good; the claims are what the token says.

    ``spc`` is the first service provider code of the signer's certificate and set only when that is trusted.
    ``detail`` is one printable ASCII line that never quotes more than a few characters of the token. ``extension`` is
    what the type adds to say: a diversion, authorised priorities, rich call data; ``orig`` is the
    calling number it is for.
    """

    ppt: str | None = None
    reason: Reason | None = None
    detail: str = ""
    attest: str | None = None
    origid: str | None = None
    spc: str | None = None
    x5u: str | None = None
    iat: UnixTime | None = None
    extension: Diversion | PriorityClaims | RichCallData | None = None
    orig: TN | None = None

    @property
    def vouches(self) -> bool:
        """Whether this header, when it is good, vouches for the calling number."""
        if self.ppt == "div" or self.ppt == "rph":
            return False
        return not (self.ppt == "rcd" and isinstance(self.extension, RichCallData) and self.extension.third_party)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined result of a request (RFC 8224 §6.2.1): one good header is enough, bad ones beside it don't count."""

    verstat: Verstat
    results: tuple[HeaderResult, ...]
    best: HeaderResult  # the good one, or the bad one that says most

    @property
    def reason(self) -> Reason | None:
        """Why the verdict is not *passed*; None when it is."""
        return self.best.reason

    @property
    def code(self) -> int | None:
        """The SIP response code a policy of refusal answers with; None when passed."""
        return None if self.best.reason is None else self.best.reason.code

    @property
    def attest(self) -> str | None:
        """The attestation level of the good header; None unless passed."""
        return self.best.attest if self.best.reason is None else None

    @property
    def priority(self) -> PriorityVerdict:
        """Whether an ``rph`` PASSporT authorises the call's priority; one good one is enough."""
        reasons = [result.reason for result in self.results if result.ppt == "rph"]
        if not reasons:
            return PriorityVerdict.NONE
        return PriorityVerdict.PASSED if None in reasons else PriorityVerdict.FAILED

    @property
    def priorities(self) -> frozenset[str]:
        """The Resource-Priority values that are authorised, in lower case."""
        return frozenset(
            value
            for result in self.results
            if result.reason is None and isinstance(result.extension, PriorityClaims)
            for value in result.extension.auth
        )

    @property
    def callback(self) -> bool:
        """Whether an authority says that an emergency centre calls back (RFC 9027 §4)."""
        return any(
            result.reason is None and isinstance(result.extension, PriorityClaims) and result.extension.callback
            for result in self.results
        )

    @property
    def rich(self) -> RichCallData | None:
        """Rich call data that was verified."""
        for result in self.results:
            if result.reason is None and isinstance(result.extension, RichCallData):
                return result.extension
        return None

    @property
    def diversions(self) -> tuple[tuple[str, Verstat], ...]:
        """Each diverting identity and whether its diversion holds (DIV-15)."""
        return tuple(
            (result.extension.div, Verstat.PASSED if result.reason is None else Verstat.FAILED)
            for result in self.results
            if isinstance(result.extension, Diversion)
        )


_MISSING = HeaderResult(reason=Reason.MISSING, detail="no Identity header field")


def combine(results: tuple[HeaderResult, ...]) -> Verdict:
    """The verdict over all Identity header fields of one request."""
    best: HeaderResult | None = None
    for result in results:
        if result.reason is None:
            if result.vouches:
                return Verdict(Verstat.PASSED, results, result)
        elif result.ppt != "rph" and (best is None or best.reason is None or _RANK[result.reason] > _RANK[best.reason]):
            best = result
    if best is None:
        return Verdict(Verstat.NONE, results, _MISSING)
    unknown = best.reason in _IGNORED or best.reason is Reason.CERTIFICATE_UNAVAILABLE
    return Verdict(Verstat.NONE if unknown else Verstat.FAILED, results, best)

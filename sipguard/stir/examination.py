"""One Identity header field by itself: from its octets to a well-formed PASSporT, or to what is wrong with it.

Nothing here knows the certificate, the time or the request, except for the compact form, which the request completes
(RFC 8224 §6.2 step 1). A signer writes the same protected header for every call, so headers are read once.
"""

from typing import Final

from sipguard.errors import MalformedValue
from sipguard.stir import base64url, compact_form
from sipguard.stir.candidate import Candidate
from sipguard.stir.claims import Diversion
from sipguard.stir.fault import Fault
from sipguard.stir.identity_header import parse_identity
from sipguard.stir.passport import TYPES, ProtectedHeader, read_claims, read_header
from sipguard.stir.signalling import Signalling
from sipguard.stir.verdict import HeaderResult, Reason
from sipguard.stir.x5u import X5uRules, problem

_MOST_KNOWN_HEADERS: Final = 4096
_LONGEST_KNOWN_HEADER: Final = 2048
_LONGEST_TOKEN: Final = 32768
_DEEPEST: Final = 4  # PASSporTs one inside the other
_ENCLOSABLE: Final = (None, "shaken", "rcd", "div-o")  # what a div-o may be about; a div would miss its original


class Examiner:
    """Reads header field values under one set of rules on URLs."""

    def __init__(self, rules: X5uRules) -> None:
        """``rules``: which certificate URLs are acceptable."""
        self._rules = rules
        self._known_headers: dict[str, ProtectedHeader | HeaderResult] = {}

    def examine(self, value: str, signalling: Signalling) -> Candidate | HeaderResult:
        """The PASSporT of a field value, or why there is none. Never raises."""
        try:
            header = parse_identity(value)
        except MalformedValue as error:
            return HeaderResult(reason=Reason.MALFORMED_HEADER, detail=str(error))
        token, (info, alg, ppt) = header
        if ppt not in TYPES:
            shown = None if ppt is None else ppt[:32]
            return HeaderResult(shown, Reason.UNSUPPORTED_PPT, "a PASSporT type we don't understand", x5u=info)
        if info is None:
            return HeaderResult(ppt, Reason.INFO_MISSING, "no info parameter")
        if alg is not None and alg != "ES256":
            return HeaderResult(ppt, Reason.ALGORITHM, "the alg parameter is not ES256", x5u=info)
        if header.compact:
            return self._complete(token, ppt, info, signalling)
        segments = token.split(".")
        if len(segments) != 3 or len(token) > _LONGEST_TOKEN:
            return HeaderResult(ppt, Reason.MALFORMED_TOKEN, "not three segments", x5u=info)
        protected = self._protected_header(segments[0])
        if isinstance(protected, HeaderResult):
            return protected if protected.ppt == ppt else _under(ppt, protected)
        if protected.ppt != ppt:
            return HeaderResult(ppt, Reason.PPT_MISMATCH, "ppt of header and token are not the same", x5u=info)
        if protected.x5u != info:
            return HeaderResult(ppt, Reason.INFO_MISMATCH, "info and x5u are not the same", x5u=info)
        return self._read(token, segments, protected, 1)

    def _read(
        self, token: str, segments: list[str], protected: ProtectedHeader, depth: int
    ) -> Candidate | HeaderResult:
        """The claims and the signature of a token, and of the one inside it."""
        ppt, x5u = protected
        try:
            signature = base64url.decode(segments[2])
            claims = read_claims(segments[1], ppt)
        except Fault as fault:
            return HeaderResult(ppt, fault.reason, fault.detail, x5u=x5u)
        except MalformedValue as error:
            return HeaderResult(ppt, Reason.MALFORMED_TOKEN, f"signature: {error}", x5u=x5u)
        if len(signature) != 64:
            return HeaderResult(ppt, Reason.MALFORMED_TOKEN, "the signature is not 64 octets", x5u=x5u)
        enclosed = None
        own = claims.own
        if type(own) is Diversion and own.opt is not None:
            inside = self._open(own.opt, depth)
            if isinstance(inside, HeaderResult):
                return HeaderResult(ppt, inside.reason, f"opt: {inside.detail}", x5u=x5u)
            enclosed = inside
        signing_input = token[: len(segments[0]) + len(segments[1]) + 1].encode("ascii")
        return Candidate(protected, claims, signing_input, signature, enclosed)

    def _open(self, token: str, depth: int) -> Candidate | HeaderResult:
        """The PASSporT enclosed in another (RFC 8946 §6); it has no parameters, so its own header says everything."""
        if depth >= _DEEPEST:
            return HeaderResult(None, Reason.MALFORMED_TOKEN, "enclosed too deeply")
        segments = token.split(".")
        protected = self._protected_header(segments[0])
        if isinstance(protected, HeaderResult):
            return protected
        if protected.ppt not in _ENCLOSABLE:
            return HeaderResult(None, Reason.UNSUPPORTED_PPT, "a PASSporT type we don't understand")
        return self._read(token, segments, protected, depth + 1)

    def _complete(self, token: str, ppt: str | None, info: str, signalling: Signalling) -> Candidate | HeaderResult:
        """The PASSporT that a compact form and the request make together."""
        if ppt is not None:
            return HeaderResult(ppt, Reason.COMPACT_FORM, "only a base PASSporT has a compact form", x5u=info)
        refusal = problem(info, self._rules)
        if refusal is not None:
            return HeaderResult(None, Reason.X5U_REFUSED, refusal, x5u=info)
        try:
            signature = base64url.decode(token[2:])
            if len(signature) != 64:
                raise Fault(Reason.MALFORMED_TOKEN, "the signature is not 64 octets")
            return compact_form.reconstruct(info, signature, signalling)
        except Fault as fault:
            return HeaderResult(None, fault.reason, fault.detail, x5u=info)
        except MalformedValue as error:
            return HeaderResult(None, Reason.MALFORMED_TOKEN, f"signature: {error}", x5u=info)

    def _protected_header(self, segment: str) -> ProtectedHeader | HeaderResult:
        """The protected header of a token, with the rules on its URL applied; a signer's is read once."""
        known = self._known_headers.get(segment)
        if known is not None:
            return known
        try:
            known = read_header(segment)
            refusal = problem(known.x5u, self._rules)
            if refusal is not None:
                known = HeaderResult(known.ppt, Reason.X5U_REFUSED, refusal, x5u=known.x5u)
        except Fault as fault:
            known = HeaderResult(reason=fault.reason, detail=fault.detail)
        if len(segment) <= _LONGEST_KNOWN_HEADER:
            if len(self._known_headers) >= _MOST_KNOWN_HEADERS:
                self._known_headers.clear()  # cheaper than an order of use, and as bounded
            self._known_headers[segment] = known
        return known


def _under(ppt: str | None, failed: HeaderResult) -> HeaderResult:
    """A failure of the protected header, told under the type that the field names: that decides what it counts for."""
    return HeaderResult(ppt, failed.reason, failed.detail, x5u=failed.x5u)

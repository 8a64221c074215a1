"""Validated credentials by x5u URL, and failures for a while: what makes a warm verification cost one ECDSA operation.

The cache does no fetching. Whoever fetched hands over the octets (``store``) or says that there are none
(``fail``); what is kept is the outcome of chain validation, good or bad, so a repeated call neither fetches nor
validates again. Bounded: the least recently used URL goes first. Nothing is kept past the end of its validity.
"""

from collections import OrderedDict
from typing import NamedTuple

from sipguard.stir.certificate import Credential, TrustAnchors, load_chain, validate
from sipguard.stir.passport import Fault
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

_REFUSED_FOR = 300  # seconds a chain that does not validate is remembered before it is fetched again


class CertificateFailure(NamedTuple):
    """Why there is no credential behind a URL."""

    reason: Reason
    detail: str


class CertificateCache:
    """Credentials and failures by URL."""

    def __init__(self, capacity: int = 10_000) -> None:
        """``capacity``: how many URLs are remembered."""
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[Credential | CertificateFailure, UnixTime]] = OrderedDict()

    def get(self, url: str, now: UnixTime) -> Credential | CertificateFailure | None:
        """What is known about a URL; None when nothing is, or no longer."""
        entry = self._entries.get(url)
        if entry is None:
            return None
        if entry[1] <= now:
            del self._entries[url]
            return None
        self._entries.move_to_end(url)
        return entry[0]

    def store(
        self, url: str, chain_octets: bytes, expires: UnixTime, now: UnixTime, anchors: TrustAnchors
    ) -> Credential | CertificateFailure:
        """Validate a fetched chain and remember the outcome until ``expires``, but never past its validity (VS-32).

        At least the second of ``now`` is kept: the calls that wait for the chain must find it.
        """
        expires = UnixTime(max(expires, now + 1))
        try:
            credential = validate(load_chain(chain_octets), anchors, now)
        except Fault as fault:
            return self._refuse(url, CertificateFailure(fault.reason, fault.detail), expires, now)
        if not credential.valid_at(now):
            failure = CertificateFailure(Reason.CERTIFICATE_EXPIRED, "a certificate of the chain is not valid now")
            return self._refuse(url, failure, expires, now)
        self._put(url, credential, UnixTime(min(expires, credential.not_after + 1)))
        return credential

    def fail(self, url: str, reason: str, until: UnixTime) -> None:
        """Remember until then that a URL could not be fetched, and why."""
        self._put(url, CertificateFailure(Reason.CERTIFICATE_UNAVAILABLE, reason), until)

    def __len__(self) -> int:
        """How many URLs are remembered."""
        return len(self._entries)

    def _refuse(self, url: str, failure: CertificateFailure, expires: UnixTime, now: UnixTime) -> CertificateFailure:
        self._put(url, failure, UnixTime(min(expires, now + _REFUSED_FOR)))
        return failure

    def _put(self, url: str, outcome: Credential | CertificateFailure, until: UnixTime) -> None:
        self._entries[url] = (outcome, until)
        self._entries.move_to_end(url)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

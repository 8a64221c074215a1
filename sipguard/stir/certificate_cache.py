"""Validated credentials by x5u URL, and failures for a while: what makes a warm verification cost one ECDSA operation.

The cache does no fetching. Whoever fetched hands over the octets (``store``) or says that there are none
(``fail``); what is kept is the outcome of chain validation, good or bad, so a repeated call neither fetches nor
validates again. Credentials and failures have a bounded place each, the least recently used URL goes first: however
many bad URLs strangers name, no credential is pushed out. Nothing is kept past the end of its validity.

A failure never replaces a credential that is still good: a repository may be down, or serve nonsense, while we know
its certificate. Revocation is judged when a credential is stored, and again when the register has learnt something.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from sipguard.stir.certificate import Credential, TrustAnchors, load_chain, validate
from sipguard.stir.passport import Fault
from sipguard.stir.revocation import RevocationRegister
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Reason

_REFUSED_FOR = 300  # seconds a chain that does not validate is remembered before it is fetched again
_SETTLED_AFTER = 60  # seconds until it is worth asking a repository again whether the certificate changed
_LAST_PART = 10  # a used entry is fetched again in the last tenth of its time
_MOST_LOOKED_AT = 10_000  # entries looked at for that at a time, the most recently used first


class CertificateFailure(NamedTuple):
    """Why there is no credential behind a URL."""

    reason: Reason
    detail: str


class _Entry:
    """A credential and what is known about it. ``outcome`` is what callers get: it, or that it was revoked."""

    __slots__ = ("credential", "expires", "generation", "judged_until", "outcome", "refetch_at", "stored", "used")

    def __init__(self, credential: Credential, now: UnixTime, expires: UnixTime) -> None:
        self.credential = credential
        self.outcome: Credential | CertificateFailure = credential
        self.stored = now
        self.expires = expires
        self.refetch_at = now + _SETTLED_AFTER
        self.generation = -1
        self.judged_until = now
        self.used = False


class CertificateCache:
    """Credentials and failures by URL."""

    def __init__(self, capacity: int = 10_000, revocations: RevocationRegister | None = None) -> None:
        """``capacity``: how many URLs are remembered, of each kind. ``revocations`` is consulted, not kept up."""
        self.revocations = revocations or RevocationRegister()
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._failures: OrderedDict[str, tuple[CertificateFailure, UnixTime]] = OrderedDict()

    def get(self, url: str, now: UnixTime) -> Credential | CertificateFailure | None:
        """What is known about a URL; None when nothing is, or no longer."""
        entry = self._entries.get(url)
        if entry is not None:
            if entry.expires > now:
                self._entries.move_to_end(url)
                entry.used = True
                if entry.generation != self.revocations.generation or entry.judged_until <= now:
                    self._judge(entry, now)
                return entry.outcome
            del self._entries[url]
        failure = self._failures.get(url)
        if failure is None:
            return None
        if failure[1] <= now:
            del self._failures[url]
            return None
        self._failures.move_to_end(url)
        return failure[0]

    def may_refetch(self, url: str, now: UnixTime) -> bool:
        """Whether a signature that does not match is a reason to ask the repository again (CRT-25).

        A signer may have changed its key under the same URL. Not within a minute of the last attempt, so that forged
        tokens cost no more than that.
        """
        entry = self._entries.get(url)
        return entry is not None and entry.refetch_at <= now

    def due(self, now: UnixTime) -> list[str]:
        """The URLs to fetch again before they expire: used since they were stored, in the last tenth of their time."""
        due = []
        for url in islice(reversed(self._entries), _MOST_LOOKED_AT):
            entry = self._entries[url]
            left = entry.expires - now
            if entry.used and entry.refetch_at <= now and left * _LAST_PART <= entry.expires - entry.stored:
                due.append(url)
        return due

    def credentials(self) -> Iterator[Credential]:
        """The credentials in the cache, revoked ones too."""
        return (entry.credential for entry in self._entries.values())

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
        entry = _Entry(credential, now, UnixTime(min(expires, credential.not_after + 1)))
        self._judge(entry, now)
        self._entries[url] = entry
        self._entries.move_to_end(url)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        self._failures.pop(url, None)
        return entry.outcome

    def fail(self, url: str, reason: str, until: UnixTime) -> None:
        """Remember until then that a URL could not be fetched, and why."""
        self._put_failure(url, CertificateFailure(Reason.CERTIFICATE_UNAVAILABLE, reason), until)

    def forget(self, url: str) -> None:
        """Know nothing about a URL any more."""
        self._entries.pop(url, None)
        self._failures.pop(url, None)

    def __len__(self) -> int:
        """How many URLs are remembered."""
        return len(self._entries.keys() | self._failures.keys())

    def _judge(self, entry: _Entry, now: UnixTime) -> None:
        reason, detail, entry.judged_until = self.revocations.judge(entry.credential.links, now)
        entry.generation = self.revocations.generation
        entry.outcome = entry.credential if reason is None else CertificateFailure(reason, detail)

    def _refuse(self, url: str, failure: CertificateFailure, expires: UnixTime, now: UnixTime) -> CertificateFailure:
        self._put_failure(url, failure, UnixTime(min(expires, now + _REFUSED_FOR)))
        return failure

    def _put_failure(self, url: str, failure: CertificateFailure, until: UnixTime) -> None:
        entry = self._entries.get(url)
        if entry is not None:
            entry.refetch_at = until
        self._failures[url] = (failure, until)
        self._failures.move_to_end(url)
        if len(self._failures) > self._capacity:
            self._failures.popitem(last=False)

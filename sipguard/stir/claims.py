"""What a PASSporT says, as values: the base claims and what each type adds to them (RFC 8225 §5, §8).

Identities are texts that cannot be confused: a canonical number holds digits, ``*`` and ``#``, a URI holds a colon.
"""

from typing import Any, NamedTuple

from sipguard.stir.media_key import Fingerprint
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class RichCallData(NamedTuple):
    """Who calls, for people: the ``rcd`` and ``crn`` claims (RFC 9795).

    ``nam`` is the caller's name, ``apn`` a number to show instead, ``icn`` the URL of an icon, ``jcd`` a jCard or
    ``jcl`` the URL of one, ``crn`` the reason for the call. What the token itself holds has the digests it claims;
    ``deferred`` are the (JSON pointer, digest) pairs over content elsewhere, for whoever fetches that to check.
    ``third_party``: signed by somebody who vouches for this data and not for the number.
    """

    nam: str
    apn: str | None
    icn: str | None
    jcd: Any
    jcl: str | None
    crn: str | None
    deferred: tuple[tuple[str, str], ...]
    third_party: bool


class ShakenClaims(NamedTuple):
    """``shaken``: attestation level and origination identifier (RFC 8588 §4, §5), and rich call data where added."""

    attest: str
    origid: str
    rich: RichCallData | None


class Diversion(NamedTuple):
    """``div`` and ``div-o``: where the call went before (RFC 8946).

    ``history_index`` is the History-Info index; ``opt`` the encoded original PASSporT, only in ``div-o``.
    """

    div: str
    history_index: str | None
    opt: str | None


class PriorityClaims(NamedTuple):
    """``rph``: authorised Resource-Priority values (RFC 8443), and whether the call is a PSAP call-back (RFC 9027)."""

    auth: tuple[str, ...]
    callback: bool


TypeClaims = ShakenClaims | Diversion | PriorityClaims | RichCallData | None


class Claims(NamedTuple):
    """The base claims, what the type adds (``own``), and every member as received for constraints on claims."""

    orig_tn: TN | None
    orig_uri: str | None
    dest_tn: tuple[TN, ...]
    dest_uri: tuple[str, ...]
    iat: UnixTime
    media_keys: frozenset[Fingerprint] | None
    own: TypeClaims
    members: dict[str, Any]

    @property
    def orig(self) -> str:
        """The calling identity, number or URI."""
        return self.orig_tn or self.orig_uri or ""

    @property
    def destinations(self) -> frozenset[str]:
        """The called identities, numbers and URIs."""
        return frozenset((*self.dest_tn, *self.dest_uri))

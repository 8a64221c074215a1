"""Do-not-call: what the lists say of a called number, and whose calls they are held against.

The national list is held against accounts that sell by telephone. A number that opted out of an account's calls is
called by that account no more, nor by those below it; others may call it. Who consented in writing (an opt-in) may be
called in spite of the national list; a later wish to be left alone needs no date to win: an opt-out overrides both.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from sipguard.stir.unix_time import UnixTime

EVERYBODY = ""  # in place of an account: the national list is nobody's


class CallList(StrEnum):
    """Which list an entry is on."""

    NATIONAL = "national"
    OPT_OUT = "opt-out"
    OPT_IN = "opt-in"


class DoNotCall(StrEnum):
    """Which lists an account's calls are held against: none, those it keeps itself, the national one too."""

    OFF = "off"
    INTERNAL = "internal"
    NATIONAL = "national"


class Listing(NamedTuple):
    """One entry of a list about a number or block. Numbers listed alike share one value."""

    on: CallList
    source: str = ""
    expires: UnixTime | None = None

    def in_force(self, now: UnixTime) -> bool:
        """Whether the entry has not expired."""
        return self.expires is None or self.expires > now


Listings = Mapping[str, tuple[Listing, ...]]  # by account, or EVERYBODY


class Objection(NamedTuple):
    """Why a number is not to be called: the entry, and the account whose list it is on."""

    listing: Listing
    account: str

    @property
    def words(self) -> str:
        """For whoever placed the call."""
        if self.listing.on is CallList.NATIONAL:
            return "is on the national do-not-call list"
        return f"opted out of calls from account {self.account}"


def listings_of(rows: Iterable[Iterable[Any]]) -> Listings:
    """Entries (account, list, source, expires) by account."""
    found: dict[str, tuple[Listing, ...]] = {}
    for account, on, source, expires in rows:
        found[account] = (*found.get(account, ()), Listing(CallList(on), source, expires))
    return found


def objection(found: Iterable[Listings], path: Iterable[str], *, national: bool, now: UnixTime) -> Objection | None:
    """Why an account at the end of this path is not to call a number that these entries are about."""
    consented = False
    for listings in found:
        for name in path:
            for listing in listings.get(name, ()):
                if listing.in_force(now):
                    if listing.on is CallList.OPT_OUT:
                        return Objection(listing, name)
                    consented = True
    if national and not consented:
        for listings in found:
            for listing in listings.get(EVERYBODY, ()):
                if listing.in_force(now):
                    return Objection(listing, EVERYBODY)
    return None

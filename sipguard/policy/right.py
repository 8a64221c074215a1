"""What the registry says of a number: who may present it, that it may call emergency services, that it never calls."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class RightKind(IntEnum):
    """How an account came to use a number; only the first and last support attestation A (ATIS-1000074 §5.2.3)."""

    OWNED = 1
    VERIFIED = 2
    DELEGATED = 3


class NumberRight(NamedTuple):
    """The right of one account to present a number, or a block of them. Numbers held alike share one value."""

    account: str
    kind: RightKind
    expires: UnixTime | None = None
    end_user: str | None = None
    trunk: str | None = None  # where calls to this number go; None: the account's first trunk with targets
    max_calls: int | None = None  # from this number at a time; 0: no limit; None: as for every number

    def in_force(self, now: UnixTime) -> bool:
        """Whether the right has not expired."""
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class EmergencyRegistration:
    """That a number is provisioned for emergency calling, and where the caller is."""

    tn: TN
    account: str
    country: str  # ISO 3166 alpha-2
    status: str  # pending | registered | failed
    paid: bool = False
    location: str | None = None  # dispatchable location, civic
    unit: str | None = None  # the rest of it: floor, suite, room
    callback: TN | None = None  # where an emergency centre calls back; None: at the number itself
    activated_at: UnixTime | None = None  # it counts from then on; None: since ever

    def in_force(self, now: UnixTime) -> bool:
        """Whether the number is provisioned: registered, paid for and activated."""
        active = self.activated_at is None or self.activated_at <= now
        return active and self.paid and self.status == "registered"


class ListEntry(NamedTuple):
    """One do-not-originate entry: the pattern that matched, and where it came from."""

    pattern: str
    source: str = ""
    expires: UnixTime | None = None

    def in_force(self, now: UnixTime) -> bool:
        """Whether the entry has not expired."""
        return self.expires is None or self.expires > now

"""Accounts: the customers, as the registry's tree has them."""

from dataclasses import dataclass
from enum import StrEnum

from sipguard.policy.call_lists import DoNotCall
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.traffic.limit import CallLimit


class AccountState(StrEnum):
    """The account state machine; each state also holds for everything below the account in the tree."""

    ACTIVE = "active"
    WARNED = "warned"
    RESTRICTED = "restricted"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Account:
    """A customer: reseller, account or end user; ``path`` runs from the top of the tree down to it."""

    name: str
    state: AccountState = AccountState.ACTIVE  # the strictest on the path
    path: tuple[str, ...] = ()
    attest_cap: str | None = None  # "B" or "C": never attest higher
    emergency_unprovisioned: Unprovisioned | None = None  # overrides the policy's setting
    certificate: str | None = None  # name of the signing certificate; None: the trunk's
    countries: tuple[str, ...] = ()  # it may call; none: as the policy says
    limits: tuple[tuple[str, CallLimit], ...] = ()  # by name: those of itself and of accounts above it that have one
    caller_name: str | None = None  # what called people may be shown beside its numbers, signed as rich call data
    do_not_call: DoNotCall = DoNotCall.INTERNAL  # the lists its calls are held against; NATIONAL: it sells by telephone

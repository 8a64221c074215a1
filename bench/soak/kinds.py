"""The kinds of calls: how both ends behave, how often, and what the attestation log must say about each.

A call's kind is the first word of its Call-ID, which the proxy passes unchanged: so the called side knows its part, and
the accounting what to expect.
"""

from dataclasses import dataclass
from typing import NamedTuple

ANSWERED, REFUSED = "answered", "refused"


class Outcome(NamedTuple):
    """What the log says: who ended it (for a refusal: the rule) and with which code."""

    how: str  # answered | failed | refused
    code: int
    by: str  # caller | called | network, or the rule


BY_CALLER, BY_CALLED = Outcome("answered", 200, "caller"), Outcome("answered", 200, "called")
GIVEN_UP = Outcome("failed", 487, "caller")


def _failed(code: int) -> Outcome:
    return Outcome("failed", code, "network")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``outcomes`` are those the log may show; more than one only where both ends race.

    ``first`` is what the first server answers (0: nothing), ``code`` what the one after it does; both the same when
    ``first`` is None. ``cancel`` is when the caller gives up: on ``trying``, ``ringing``, or late, when the answer is
    due (``answer``). ``rings`` seconds at most, None: for ever. ``releases`` and ``changes`` name the party that hangs
    up and that sends a re-INVITE.
    """

    name: str
    weight: float
    outcomes: tuple[Outcome, ...]
    code: int = 200
    first: int | None = None
    cancel: str = ""
    rings: float | None = 1.0
    releases: str = "caller"
    changes: str = ""
    forged: bool = False  # by a number that is not the customer's
    identity: str = ""  # good | tampered, of calls from the network
    unknown: bool = False  # to a number nobody has
    slow: bool = False  # takes minutes: only in long runs


OUTBOUND = (
    Kind("answered", 26, (BY_CALLER,)),
    Kind("released", 11, (BY_CALLED,), releases="called"),
    Kind("changed", 5, (BY_CALLER,), changes="caller"),
    Kind("led", 4, (BY_CALLED,), releases="called", changes="called"),
    Kind("busy", 8, (_failed(486),), code=486, rings=0.1),
    Kind("cancelled", 6, (GIVEN_UP,), cancel="ringing", rings=None),
    Kind("hasty", 2, (GIVEN_UP,), cancel="trying", rings=None),
    Kind("race", 2, (BY_CALLER, GIVEN_UP), cancel="answer", rings=0.3),
    Kind("unanswered", 4, (_failed(480),), code=480, rings=3.0),
    Kind("silent", 0.6, (_failed(408),), code=0),
    Kind("endless", 0.2, (_failed(408),), rings=None, slow=True),
    Kind("failover", 5, (BY_CALLER,), first=503),
    Kind("deaf", 0.6, (BY_CALLER,), first=0),
    Kind("forged", 5.6, (Outcome(REFUSED, 403, "caller-id.not-owned"),), forged=True),
)
INBOUND = (
    Kind("verified", 9, (BY_CALLER,), identity="good"),
    Kind("verified.released", 3, (BY_CALLED,), identity="good", releases="called"),
    Kind("verified.busy", 2, (_failed(486),), identity="good", code=486, rings=0.1),
    Kind("verified.cancelled", 2, (GIVEN_UP,), identity="good", cancel="ringing", rings=None),
    Kind("unsigned", 2, (BY_CALLER,)),
    Kind("tampered", 1, (Outcome(REFUSED, 438, "stir.signature"),), identity="tampered"),
    Kind("unknown", 1, (Outcome(REFUSED, 404, "destination.unknown"),), unknown=True),
)
KINDS = {kind.name: kind for kind in OUTBOUND + INBOUND}
INBOUND_SHARE = sum(kind.weight for kind in INBOUND) / sum(kind.weight for kind in OUTBOUND + INBOUND)


def kind_of(call_id: str) -> Kind | None:
    """The kind of a call, None for a Call-ID that is not of a soak."""
    return KINDS.get(call_id.partition("-")[0])

"""What a stage can say. Each finding is a frozen value; the chain puts it on the call and into the trail.

A stage returns one finding, a ``Need`` when a fact is missing, or None when it has nothing to say.
"""

from dataclasses import dataclass

from sipguard.policy.emergency_numbers import TESTS
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.heading import Heading
from sipguard.policy.right import EmergencyRegistration, RightKind
from sipguard.policy.trunk import TrafficClass, Trunk
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.stir.attestation import Attestation
from sipguard.stir.claims import Claims
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict

TrailEntry = tuple[str | int | float, ...]


@dataclass(frozen=True, slots=True)
class Emergency:
    """The call is an emergency call; later stages measure but no longer refuse (EMG-04)."""

    number: str  # as dialled, or the service URN
    registration: EmergencyRegistration | None
    handling: Unprovisioned = Unprovisioned.ROUTE  # of a call without a registration
    callback: TN | None = None  # where the emergency centre reaches the caller
    assigned: bool = False  # without a registration: whether that number is one the caller may present

    @property
    def test(self) -> bool:
        """Whether nobody is in need: the caller wants to hear which address is registered (933)."""
        return self.number in TESTS

    @property
    def expects_callback(self) -> bool:
        """Whether somebody who sends help hears the call, and may call back; never at a number of somebody else."""
        return not self.test and (
            self.registration is not None or (self.assigned and self.handling is not Unprovisioned.ANNOUNCE)
        )

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        found = ("registered",) if self.registration else ("unprovisioned", self.handling.value)
        return ("emergency-test" if self.test else "emergency", self.number, *found)


@dataclass(frozen=True, slots=True)
class Callback:
    """An emergency centre calls back: ``marked`` by a trusted trunk, ``expected`` since the number called help, or
    ``vouched`` for by an ``rph`` PASSporT.
    """

    why: str

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return ("callback", self.why)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What licenses a customer to present a caller that is not its own: the call was diverted from ``by``, a number of
    its account.

    ``evidence`` is one of ``Forwarding``, ``index`` that of its History-Info entry. ``received`` is what the PASSporTs
    say that were verified for it, if any were; ``restored`` those of them that the call no longer carries.
    """

    by: TN
    evidence: Forwarding
    index: str | None = None
    received: tuple[Claims, ...] = ()
    restored: tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether the caller's own provider vouches for it."""
        return bool(self.received)


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Who the caller is allowed to be.

    ``effective`` is the number everything later uses (signing, statistics, records); ``right`` is the account's right
    to it, None when it has none (attestation B at most). ``replaced`` is the number put in place of a refused one.
    ``mismatch`` names the rule that matched and was not applied (the trunk's ``on_mismatch``, or the rule's mode).
    ``forwarded`` is what licenses a number that is not the account's. ``max_calls`` is the number's own limit, if any.
    """

    effective: TN
    from_tn: TN | None
    asserted: tuple[TN, ...]
    right: RightKind | None
    end_user: str | None = None
    anonymous: bool = False
    replaced: TN | None = None
    mismatch: str = ""
    forwarded: Forwarded | None = None
    max_calls: int | None = None

    @property
    def matched(self) -> str:
        """The rule that matched and did not refuse the call."""
        return self.mismatch

    @property
    def shown(self) -> tuple[TN, ...]:
        """Every number the next hop may read, none twice; after a replacement only that one leaves."""
        alone = (self.effective,)
        if self.replaced is not None or (self.from_tn == self.effective and self.asserted in ((), alone)):
            return alone
        presented = self.asserted if self.from_tn is None else (self.from_tn, *self.asserted)
        return tuple(dict.fromkeys((self.effective, *presented)))

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        words: TrailEntry = ("pass", self.right.name.lower() if self.right else "no-right")
        if self.forwarded:
            words += ("forwarded-by", self.forwarded.by, self.forwarded.evidence.value)
        if self.replaced:
            words += ("replaced",)
        if self.mismatch:
            words += (self.mismatch,)
        return (*words, "anonymous") if self.anonymous else words


@dataclass(frozen=True, slots=True)
class Classified:
    """Which traffic class the call belongs to, fixed at INVITE, and the tags that led there.

    ``matched`` is the rule that holds calls of this class back, empty when none does.
    """

    traffic_class: TrafficClass
    tags: tuple[str, ...] = ()
    points: float = 0.0
    matched: str = ""

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return (self.traffic_class, self.points, *self.tags)


@dataclass(frozen=True, slots=True)
class Attested:
    """The attestation the call is given (ATIS-1000074 §5.2.3) and its origid; None: not to be signed."""

    level: Attestation | None
    origid: str = ""
    why: str = ""

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return (self.level or "none", self.why)


@dataclass(frozen=True, slots=True)
class Signed:
    """The Identity headers to add: ``identity`` with SHAKEN's PASSporT, and those of other types ``beside`` it.

    ``date`` is the Date header value to add, None when the request had one; ``priority`` the Resource-Priority value
    that a PASSporT beside authorises. ``remarks`` name the types beside, or say why one is missing.
    """

    identity: str
    x5u: str
    spc: str | None
    iat: UnixTime
    date: str | None
    beside: tuple[str, ...] = ()
    priority: str = ""
    remarks: tuple[str, ...] = ()

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return ("signed", *self.remarks)


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The call leaves without a signature of ours, and why; ``alarm`` when the operator must know."""

    why: str
    alarm: bool = False

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return ("unsigned", self.why)


@dataclass(frozen=True, slots=True)
class Verified:
    """What verification found; enforcement is another stage's business.

    ``caller`` is the number the call was verified for: the PASSporT's where it is good, else the first presented.
    ``presented`` are the numbers it was compared with.
    """

    verdict: Verdict
    caller: TN | None = None
    presented: tuple[TN, ...] = ()

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        reason = self.verdict.reason
        return (self.verdict.verstat.value, reason.value if reason else "")


@dataclass(frozen=True, slots=True)
class Routed:
    """The trunks that may carry the call, best first."""

    trunks: tuple[Trunk, ...]

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return tuple(trunk.name for trunk in self.trunks)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule matched. The chain looks up the rule's mode and answer; ``detail`` is for the customer's Warning header.

    ``alert`` marks refusals an operator must hear about at once (unprovisioned emergency calls). ``phrase`` is the
    reason phrase where the rule's own does not say enough. ``emergency`` is the emergency number that was dialled.
    """

    rule: str
    detail: str
    alert: bool = False
    phrase: str = ""
    emergency: str = ""

    def trail(self) -> TrailEntry:
        """What the trail shows after the stage name."""
        return ("refuse", self.rule)


Finding = (
    Emergency
    | Callback
    | CallerIdentity
    | Heading
    | Classified
    | Attested
    | Signed
    | Unsigned
    | Verified
    | Routed
    | Refusal
)

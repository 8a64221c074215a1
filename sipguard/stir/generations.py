"""The generations of one signing certificate: several with overlapping validity, so that a rollover loses no call.

At any moment the newest certificate whose time has come signs, and the older ones that are still valid stand behind
it: a key that cannot be reached costs its generation, not the signature (AS-05, AS-16, AS-28).
"""

from collections.abc import Iterable

from sipguard.stir.authentication import Signer
from sipguard.stir.unix_time import UnixTime

KEPT = 4  # generations of one name; the oldest beyond that go


class Generations:
    """The signers of one name, frozen; a rollover makes another of these."""

    __slots__ = ("_signers", "name")

    def __init__(self, name: str, signers: Iterable[Signer]) -> None:
        """``signers``: in any order; of two with the same certificate the first counts."""
        self.name = name
        distinct: dict[str, Signer] = {}
        for signer in signers:
            distinct.setdefault(signer.serial, signer)
        self._signers = tuple(sorted(distinct.values(), key=_age, reverse=True)[:KEPT])

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Newest first."""
        return self._signers

    @property
    def not_after(self) -> UnixTime:
        """When the last of them expires; 0 when there is none."""
        return max((signer.not_after for signer in self._signers), default=UnixTime(0))

    def usable(self, iat: UnixTime, now: UnixTime) -> list[Signer]:
        """Those valid both at the token's time and now, newest first."""
        return [signer for signer in self._signers if signer.valid_at(iat) and signer.valid_at(now)]

    def current(self, now: UnixTime) -> Signer | None:
        """The one that signs now."""
        usable = self.usable(now, now)
        return usable[0] if usable else None

    def after(self, previous: "Generations", now: UnixTime) -> "Generations":
        """These, with what the previous ones still have to give at ``now``: old keys sign until they expire."""
        kept = (signer for signer in previous.signers if signer.not_after >= now)
        return Generations(self.name, (*self._signers, *kept))


def _age(signer: Signer) -> tuple[UnixTime, UnixTime]:
    """The later the certificate itself begins, the newer it is; its authorities' may be as old as they like."""
    return signer.issued, signer.not_after

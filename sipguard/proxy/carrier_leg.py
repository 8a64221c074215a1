"""The side of a dialog that is towards a carrier which asks for credentials: how its numbers differ from the caller's.

A request that was challenged is sent again with a higher CSeq, so from then on everything the caller sends in this
dialog is some numbers ahead of what it wrote (RFC 3261 §22.2, §12.2.1.1). Numbers towards the carrier only rise, also
when several requests are under way and one of them is challenged. ACK and RAck name an INVITE by its number, so they
follow what became of that INVITE and not the numbers of today.
"""

_MOST_INVITES = 8  # re-INVITEs whose ACK may still come
_CAPACITY = 4096


class CarrierLeg:
    """One dialog towards the trunk called ``trunk``, of the party that has ``tag``.

    ``shift`` is how far requests are ahead, ``initial`` how far the INVITE that opened the dialog was. ``rows`` are the
    credentials of the last INVITE, which its ACK repeats (RFC 3261 §22.1): pairs of header field and value.
    """

    __slots__ = ("_highest", "_invites", "initial", "rows", "shift", "tag", "trunk")

    def __init__(self, trunk: str, tag: str, shift: int) -> None:
        self.trunk = trunk
        self.tag = tag
        self.shift = self.initial = shift
        self.rows: tuple[tuple[str, str], ...] = ()
        self._highest = 0
        self._invites: dict[int, int] = {}

    def number(self, number: int, shift: int) -> int:
        """What a new request goes on with; ``shift`` is how far the dialog was ahead when it began."""
        return number + max(shift, self.shift)

    def number_of_invite(self, number: int, shift: int) -> int:
        """What the INVITE that the caller gave this number went on with."""
        return self._invites.get(number, number + shift)

    def sent(self, number: int, sent: int, invite: bool) -> None:
        """A request went on with the number ``sent``."""
        self._highest = max(self._highest, sent)
        if invite:
            if number not in self._invites and len(self._invites) >= _MOST_INVITES:
                del self._invites[next(iter(self._invites))]
            self._invites[number] = sent

    def again(self, number: int, sent: int) -> int:
        """The number for sending once more what went on with ``sent``; later requests are as far ahead at least."""
        following = max(self._highest, sent) + 1
        self.shift = max(self.shift, following - number)
        return following


class CarrierLegs:
    """Those of dialogs from before a restart, for which there is no call to keep them; the oldest go first."""

    __slots__ = ("_legs",)

    def __init__(self) -> None:
        self._legs: dict[tuple[str, str], CarrierLeg] = {}

    def find(self, call_id: str, tag: str) -> CarrierLeg | None:
        """The leg of a dialog by Call-ID and the tag of its party."""
        return self._legs.get((call_id, tag))

    def keep(self, call_id: str, leg: CarrierLeg) -> None:
        """Remember a leg."""
        if len(self._legs) >= _CAPACITY:
            del self._legs[next(iter(self._legs))]
        self._legs[call_id, leg.tag] = leg

"""Calls that are up: what in-dialog requests are matched against, and where durations come from.

A dialog is known by its Call-ID and both parties' tags. A token in our Record-Route URI (keyed digest over record
identifier and Call-ID) says which call, lets a dialog that outlived a restart through, and nothing that was invented
(PRX-24). Where the numbers of the caller's requests are shifted (``carrier_leg``) the token says by how much, and its
digest also covers the caller's tag, so it tells whose request it came with.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sipguard.policy.directory import Trunk
from sipguard.proxy.carrier_leg import CarrierLeg
from sipguard.sip.address import Address
from sipguard.stir.telephone_number import TN
from sipguard.traffic.usage import Hold
from sipguard.transaction.timers import Timer

if TYPE_CHECKING:
    from sipguard.proxy.kept_dialogs import KeptDialogs

_SHIFTED = "~"  # in a token, between the record's identifier and the shift


class CallKeeper(Protocol):
    """Whoever closes a call that never said goodbye."""

    def expired(self, call: "ActiveCall", now: float) -> None:
        """The call is longer up than any call may be; its BYE was lost."""


class Redeemed(NamedTuple):
    """What a token says: the record, how far the caller's numbers are ahead, and whether it came from the caller.

    ``from_caller`` is None where nothing is shifted: then the token does not know.
    """

    identifier: str
    shift: int = 0
    from_caller: bool | None = None


class Party(NamedTuple):
    """One side of a dialog: its trunk, its address as itself writes it, and as the other side was shown it.

    The two are the same object unless we wrote another form.
    """

    trunk: Trunk
    own: Address
    shown: Address


class ActiveCall:
    """One screened INVITE and its dialogs: a forked one may have several, early and up.

    Times are monotonic seconds; ``answered_at`` is None until the first 2xx. ``abandoned`` is whether the caller said
    BYE before that. ``leg`` is there when its carrier asks for credentials, ``hold`` is its place among the calls up,
    ``kept`` what it takes to end it, where policy may. ``callback`` is where an emergency centre calls back.
    ``ended`` are the tags of those dialogs of an answered call that had their BYE.
    """

    __slots__ = (
        "abandoned", "account", "answered_at", "call_id", "callback", "called", "caller", "caller_tag", "ended",
        "hold", "identifier", "keeper", "kept", "leg", "tags", "timer", "up",
    )  # fmt: skip

    def __init__(self, keeper: CallKeeper, identifier: str, call_id: str, caller_tag: str, account: str | None) -> None:
        self.keeper = keeper
        self.identifier = identifier
        self.call_id = call_id
        self.caller_tag = caller_tag
        self.account = account
        self.caller: Party | None = None  # both are known once the call has left
        self.called: Party | None = None
        self.tags = [caller_tag]
        self.up: list[str] = []
        self.ended: tuple[str, ...] = ()
        self.answered_at: float | None = None
        self.abandoned = False
        self.timer: Timer | None = None
        self.leg: CarrierLeg | None = None
        self.hold: Hold | None = None
        self.kept: KeptDialogs | None = None
        self.callback: TN | None = None

    def is_between(self, own_tag: str, peer_tag: str) -> bool:
        """Whether these are the tags of two parties of the call, one of them the caller: a dialog has both ends."""
        if own_tag not in self.tags or peer_tag not in self.tags:
            return False
        return (own_tag == self.caller_tag) is not (peer_tag == self.caller_tag)

    def answered_by(self, tag: str) -> None:
        """A 2xx from the callee with this tag: another dialog is up (RFC 3261 §13.2.2.4), unless its BYE was faster."""
        if tag not in self.up and tag not in self.ended:
            self.up.append(tag)

    def hung_up(self, own_tag: str, peer_tag: str) -> bool:
        """A BYE from the party with the first tag to the other; whether no dialog of the call is up after it.

        A BYE may end one early dialog, which the final response to the INVITE will say (RFC 3261 §15), or one of
        several that were answered.
        """
        tag = peer_tag if own_tag == self.caller_tag else own_tag
        if self.answered_at is None:
            self.abandoned = self.abandoned or own_tag == self.caller_tag
            return False
        if tag in self.up:
            self.up.remove(tag)
        if tag not in self.ended:
            self.ended += (tag,)
        return not self.up

    def fire(self, _kind: int, now: float) -> None:
        """The longest a call may last is over."""
        self.keeper.expired(self, now)


class ActiveCalls:
    """The calls that are up, by Call-ID and tag."""

    def __init__(self, secret: bytes) -> None:
        """``secret`` keys the tokens. Raises ValueError when it is empty: anybody could write such tokens."""
        if not secret:
            raise ValueError("the secret for Record-Route tokens is empty")
        self._keyed = hashlib.blake2b(key=secret, digest_size=8)
        self._by_tag: dict[tuple[str, str], ActiveCall] = {}
        self._by_record: dict[str, ActiveCall] = {}

    def __len__(self) -> int:
        return len(self._by_record)

    def __iter__(self) -> Iterator[ActiveCall]:
        return iter(self._by_record.values())

    def add(self, call: ActiveCall) -> None:
        """A screened INVITE starts."""
        self._by_tag[call.call_id, call.caller_tag] = call
        self._by_record[call.identifier] = call

    def learn(self, call: ActiveCall, tag: str) -> None:
        """A response brought a callee's tag; for a call that is over it comes too late."""
        if tag not in call.tags and call.identifier in self._by_record:
            call.tags.append(tag)
            self._by_tag[call.call_id, tag] = call

    def find(self, call_id: str, tag: str | None) -> ActiveCall | None:
        """The call one party of which has this tag."""
        return self._by_tag.get((call_id, tag or ""))

    def named(self, identifier: str) -> ActiveCall | None:
        """The call with this record. A call that comes through here twice has two, with the same Call-ID and tags."""
        return self._by_record.get(identifier)

    def remove(self, call: ActiveCall) -> None:
        """The call is over."""
        if call.timer is not None:
            call.timer.cancel()
        if call.hold is not None:
            call.hold.release()
        self._by_record.pop(call.identifier, None)
        for tag in call.tags:
            if self._by_tag.get((call.call_id, tag)) is call:  # another INVITE may have taken it over
                del self._by_tag[call.call_id, tag]

    def token(self, identifier: str, call_id: str) -> str:
        """The Record-Route parameter value that names a record and proves we wrote it."""
        return f"{identifier}.{self._digest(identifier, call_id)}"

    def shifted_token(self, identifier: str, call_id: str, shift: int, caller_tag: str) -> str:
        """The same for a dialog in which the caller's numbers are so far ahead."""
        return self.token(f"{identifier}{_SHIFTED}{shift}", f"{call_id}\n{caller_tag}")

    def redeem(self, token: str, call_id: str, own_tag: str = "", peer_tag: str = "") -> Redeemed | None:
        """What a token of ours for this Call-ID says, None when it is not ours.

        ``own_tag`` is the tag of who sent it (From), ``peer_tag`` that of the other party (To).
        """
        identifier, _, digest = token.rpartition(".")
        if _SHIFTED not in identifier:
            return Redeemed(identifier) if self._is_ours(identifier, call_id, digest) else None
        for tag, from_caller in ((own_tag, True), (peer_tag, False)):
            if self._is_ours(identifier, f"{call_id}\n{tag}", digest):
                record, _, shift = identifier.partition(_SHIFTED)
                return Redeemed(record, int(shift), from_caller)
        return None

    def _is_ours(self, identifier: str, call_id: str, digest: str) -> bool:
        return hmac.compare_digest(digest.encode("latin-1"), self._digest(identifier, call_id).encode("ascii"))

    def _digest(self, identifier: str, call_id: str) -> str:
        digest = self._keyed.copy()
        digest.update(f"{identifier}\n{call_id}".encode("latin-1"))
        return digest.hexdigest()

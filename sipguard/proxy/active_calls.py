"""Calls that are up: what in-dialog requests are matched against, and where durations come from.

A dialog is known by its Call-ID and both parties' tags. A token in our Record-Route URI says which call, since when,
and how far the numbers of the caller's requests are ahead where they are shifted (``carrier_leg``); a keyed digest over
that, Call-ID and the caller's tag keeps it from being invented (PRX-24). The caller is given another one than the
callee, so that nobody can show the other's.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from sipguard.policy.trunk import Trunk
from sipguard.proxy.carrier_leg import CarrierLeg
from sipguard.proxy.dialog import Dialog, State
from sipguard.sip.address import Address
from sipguard.stir.telephone_number import TN
from sipguard.traffic.usage import Hold
from sipguard.transaction.timers import Timer

_BETWEEN = "~"  # in a token, between the record's identifier, the time and the shift
_MOST_DIALOGS = 32  # of one call: whoever is called could send a response with another To tag again and again
_PROOF = 16  # hexadecimal digits for one side, half of a digest of as many octets
_CALLER, _CALLED = "1", "2"  # whom a token was given to


class CallKeeper(Protocol):
    """Whoever closes a call that never said goodbye."""

    def expired(self, call: "ActiveCall", now: float) -> None:
        """The call is longer up than any call may be; its BYE was lost."""


class Redeemed(NamedTuple):
    """What a token says: the record, when it was issued, how far the caller's numbers are ahead, and of whom.

    ``issued`` is wall-clock seconds. ``from_caller`` is whether the request that brought it has the caller's tag in
    From, ``callers_own`` whether it is the one the caller was given.
    """

    identifier: str
    issued: int
    shift: int
    from_caller: bool
    callers_own: bool


class Tokens(NamedTuple):
    """What our Record-Route says of a call to either side."""

    called: str
    caller: str


NO_TOKENS = Tokens("", "")


class Party(NamedTuple):
    """One side of a dialog: its trunk, its address as itself writes it, and as the other side was shown it.

    The two are the same object unless we wrote another form.
    """

    trunk: Trunk
    own: Address
    shown: Address


class ActiveCall:
    """One screened INVITE and its dialogs: a forked one may have several, early and up.

    Times are monotonic seconds; ``answered_at`` is None until the first 2xx, ``seen_at`` is the last sign of life after
    it. ``abandoned`` is whether the caller said BYE before. ``reached`` is the Request-URI it left with, ``tokens`` are
    what our Record-Route says to the callee and to the caller. ``leg`` is there when its carrier asks for credentials,
    ``hold`` is its place among the calls up, ``numbers`` the highest CSeq by tag, kept where policy may end it.
    ``callback`` is where an emergency centre calls back. ``complaints`` counts the requests inside it that were refused
    and are on record. ``bounded`` is the called number when calls there may last only so long. ``end_user`` is whose
    number it shows, where that is not the account's own, and ``number`` the one it is screened and signed under.
    """

    __slots__ = (
        "abandoned", "account", "answered_at", "bounded", "call_id", "callback", "called", "caller", "caller_tag",
        "complaints", "dialogs", "end_user", "hold", "identifier", "keeper", "leg", "number", "numbers", "reached",
        "seen_at", "timer", "tokens",
    )  # fmt: skip

    def __init__(self, keeper: CallKeeper, identifier: str, call_id: str, caller_tag: str, account: str | None) -> None:
        self.keeper = keeper
        self.identifier = identifier
        self.call_id = call_id
        self.caller_tag = caller_tag
        self.account = account
        self.end_user: str | None = None
        self.number: TN | None = None
        self.caller: Party | None = None  # both are known once the call has left
        self.called: Party | None = None
        self.reached = ""
        self.tokens = NO_TOKENS
        self.dialogs: list[Dialog] = []
        self.answered_at: float | None = None
        self.seen_at = 0.0
        self.abandoned = False
        self.complaints = 0
        self.timer: Timer | None = None
        self.leg: CarrierLeg | None = None
        self.hold: Hold | None = None
        self.numbers: dict[str, int] | None = None
        self.callback: TN | None = None
        self.bounded: TN | None = None

    @property
    def is_up(self) -> bool:
        """Whether any of its dialogs is."""
        return any(dialog.state is State.UP for dialog in self.dialogs)

    @property
    def is_for_help(self) -> bool:
        """Whether it is an emergency call, in which nothing is refused."""
        return self.callback is not None or (self.called is not None and self.called.trunk.helps)

    def dialog_with(self, tag: str | None) -> Dialog | None:
        """The dialog with the callee that has this tag."""
        for dialog in self.dialogs:
            if dialog.tag == tag:
                return dialog
        return None

    def dialog_between(self, own_tag: str, peer_tag: str) -> Dialog | None:
        """The dialog whose two ends have these tags, one of them the caller."""
        if own_tag == self.caller_tag:
            return self.dialog_with(peer_tag)
        return self.dialog_with(own_tag) if peer_tag == self.caller_tag else None

    def hung_up(self, dialog: Dialog, *, by_caller: bool) -> bool:
        """A BYE has ended this dialog; whether no dialog of the call is up after it.

        A BYE may end one early dialog, which the final response to the INVITE will say (RFC 3261 §15), or one of
        several that were answered.
        """
        if self.answered_at is None:
            self.abandoned = self.abandoned or by_caller
            return False
        dialog.state = State.OVER
        return not self.is_up

    def fire(self, _kind: int, now: float) -> None:
        """The longest a call may last is over."""
        self.keeper.expired(self, now)


class ActiveCalls:
    """The calls that are up, by Call-ID and tag."""

    def __init__(self, secret: bytes) -> None:
        """``secret`` keys the tokens. Raises ValueError when it is empty: anybody could write such tokens."""
        if not secret:
            raise ValueError("the secret for Record-Route tokens is empty")
        self._keyed = hashlib.blake2b(key=secret, digest_size=_PROOF)
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

    def learn(self, call: ActiveCall, dialog: Dialog) -> None:
        """A response opened a dialog; for a call that is over it comes too late to be found.

        Where there are too many the oldest early one goes: a telephone that rang before this one.
        """
        if len(call.dialogs) >= _MOST_DIALOGS:
            early = next((other for other in call.dialogs if other.state is State.EARLY), None)
            if early is None:
                return
            call.dialogs.remove(early)
            self._forget_tag(call, early.tag)
        call.dialogs.append(dialog)
        if call.identifier in self._by_record:
            self._by_tag[call.call_id, dialog.tag] = call

    def find(self, call_id: str, tag: str | None) -> ActiveCall | None:
        """The call one party of which has this tag."""
        return self._by_tag.get((call_id, tag or ""))

    def named(self, identifier: str) -> ActiveCall | None:
        """The call with this record. A call that comes through here twice has two, with the same Call-ID and tags."""
        return self._by_record.get(identifier)

    def claimed(self, token: str | None, call_id: str, tag: str) -> ActiveCall | None:
        """The call that a request with this token says it is of; without a token the one a party of which has this tag.

        Whether it is, its tags must say: a token of a call that is up proves no more than they do.
        """
        if token is not None:
            call = self._by_record.get(token.partition(_BETWEEN)[0])
            if call is not None and call.call_id == call_id:
                return call
        return self.find(call_id, tag)

    def remove(self, call: ActiveCall) -> None:
        """The call is over."""
        if call.timer is not None:
            call.timer.cancel()
        if call.hold is not None:
            call.hold.release()
        self._by_record.pop(call.identifier, None)
        for tag in (call.caller_tag, *(dialog.tag for dialog in call.dialogs)):
            self._forget_tag(call, tag)

    def _forget_tag(self, call: ActiveCall, tag: str) -> None:
        if self._by_tag.get((call.call_id, tag)) is call:  # another INVITE may have taken it over
            del self._by_tag[call.call_id, tag]

    def tokens(self, identifier: str, call_id: str, caller_tag: str, issued: int, shift: int = 0) -> Tokens:
        """The Record-Route parameter values that name a record and prove we wrote them.

        ``issued`` is wall-clock seconds now, ``shift`` how far the caller's numbers are ahead.
        """
        said = f"{identifier}{_BETWEEN}{issued:x}{_BETWEEN}{shift}" if shift else f"{identifier}{_BETWEEN}{issued:x}"
        digest = self._digest(said, call_id, caller_tag)  # half of it for each: neither tells the other
        return Tokens(f"{said}.{_CALLED}{digest[:_PROOF]}", f"{said}.{_CALLER}{digest[_PROOF:]}")

    def redeem(self, token: str, call_id: str, own_tag: str, peer_tag: str) -> Redeemed | None:
        """What a token of ours for this Call-ID and these tags says, None when it is not ours.

        ``own_tag`` is the tag of who sent it (From), ``peer_tag`` that of the other party (To).
        """
        said, _, proof = token.rpartition(".")
        side = proof[:1]
        if side not in (_CALLER, _CALLED):
            return None
        for tag, from_caller in ((own_tag, True), (peer_tag, False)):
            digest = self._digest(said, call_id, tag)
            mine = digest[_PROOF:] if side == _CALLER else digest[:_PROOF]
            if hmac.compare_digest(proof[1:].encode("latin-1"), mine.encode("ascii")):
                identifier, issued, *shift = said.split(_BETWEEN)
                return Redeemed(
                    identifier, int(issued, 16), int(shift[0]) if shift else 0, from_caller, side == _CALLER
                )
        return None

    def _digest(self, said: str, call_id: str, caller_tag: str) -> str:
        digest = self._keyed.copy()
        digest.update(f"{said}\n{call_id}\n{caller_tag}".encode("latin-1"))
        return digest.hexdigest()

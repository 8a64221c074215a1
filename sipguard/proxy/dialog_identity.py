"""Who speaks inside a dialog: the From of an in-dialog request is the one that was screened, or one the sender may use.

RFC 4916 lets either party change its From with a re-INVITE or UPDATE, and RFC 3325 lets any request carry asserted
identities. A customer that was screened once could so call as itself and speak as somebody else. Here a From that is
the dialog's own passes on one comparison (in the form the other party was shown, where that is another one). Another
From passes when the account has a right to its number and calls may show it, when it is anonymous, or a mere name. Any
other is refused in a re-INVITE or UPDATE; requests that must not fail (ACK, BYE, a dialog from before a restart, an
emergency call) go on under the identity that was screened.
"""

from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.finding import Refusal
from sipguard.policy.presented import ASSERTED, PREFERRED, REMOTE_PARTY, Presented, from_identity, number_of
from sipguard.policy.rules import Mode
from sipguard.policy.trunk import OnMismatch, Side, Trunk
from sipguard.policy.view import View
from sipguard.policy.weighing import mode_at
from sipguard.proxy import plain_form, presentation
from sipguard.proxy.active_calls import ActiveCall, Party
from sipguard.proxy.plain_form import ANONYMOUS_URI, UNAVAILABLE_URI, Checked
from sipguard.sip.address import Address, format_address, parse_address
from sipguard.sip.message import Request
from sipguard.stir.telephone_number import TN, DialPlan
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verstat

RULE = "caller-id.changed"

_MAY_BE_REFUSED = frozenset(("INVITE", "UPDATE"))  # they may change who speaks (RFC 4916 §4)
_FIELDS = frozenset((ASSERTED, PREFERRED, REMOTE_PARTY))
_AS_WRITTEN = DialPlan("", "", "", "", ())  # a number inside a dialog is read without any plan


class Judgement(NamedTuple):
    """What became of a From that was neither the dialog's nor the sender's own."""

    refusal: Refusal
    applied: bool  # False: the rule only reports, or another From was put in place


def settle(
    fork: Request, call: ActiveCall | None, trunk: Trunk | None, view: View, host: str, wall: UnixTime
) -> Judgement | None:
    """Make From and To of an in-dialog request what they may be.

    ``call`` is None when it is not known any more. ``trunk`` is who sent the request, as far as its flow says; a
    customer that writes the tag of the other party speaks as itself all the same. Raises MalformedValue.
    """
    speaker = peer = None
    if call is not None and call.caller is not None:
        by_caller = fork.from_.tag == call.caller_tag
        speaker, peer = (call.caller, call.called) if by_caller else (call.called, call.caller)
    if speaker is not None and trunk is not None and _speaks_for_another(trunk, speaker):
        speaker = peer = None
    if speaker is not None:
        trunk = speaker.trunk
    if trunk is None or trunk.side is Side.CUSTOMER:
        presentation.strip_untrusted(fork)
    if fork.has_any(_FIELDS):
        _settle_asserted(fork, trunk, view, host, wall)
    if peer is not None and peer.own is not peer.shown and fork.to.uri == peer.shown.uri:
        _write(fork, "to", peer.own)
    address = fork.from_
    if speaker is not None and address.uri == speaker.own.uri and address.display == speaker.own.display:
        if speaker.own is not speaker.shown or plain_form.plain_parameters(address) is not address.parameters:
            _write(fork, "from", speaker.shown)
        return None
    if trunk is not None and trunk.side is Side.NETWORK:
        _settle_stranger(fork, trunk, call, host)
        return None
    return _settle_customer(fork, trunk, speaker, peer, view, host, wall)


def _speaks_for_another(trunk: Trunk, speaker: Party) -> bool:
    return trunk.side is Side.CUSTOMER and trunk.account != speaker.trunk.account


def _settle_customer(
    fork: Request, trunk: Trunk | None, speaker: Party | None, peer: Party | None, view: View, host: str, wall: UnixTime
) -> Judgement | None:
    """A customer changed its From: to one of its own, or the rule decides."""
    plan = trunk.dial_plan if trunk is not None else _AS_WRITTEN
    presented = from_identity(fork, plan)
    account = view.directory.account(trunk.account) if trunk is not None and trunk.account is not None else None
    mode = mode_at(RULE, presented.tn, trunk, account, view.policy)
    if _may_use(presented, trunk, view, wall) or mode is Mode.OFF:
        _settle_plain(fork, presented, None, host)
        return None
    refusal = Refusal(RULE, f"From inside the dialog is not assigned to {_account(trunk)}")
    choice = OnMismatch.REJECT if trunk is None else trunk.on_mismatch
    if mode is not Mode.BLOCK or choice in (OnMismatch.DOWNGRADE, OnMismatch.REPORT):
        _settle_plain(fork, presented, None, host)
        return Judgement(refusal, applied=False)
    emergency = peer is not None and peer.trunk.helps
    if fork.method in _MAY_BE_REFUSED and speaker is not None and choice is OnMismatch.REJECT and not emergency:
        return Judgement(refusal, applied=True)
    _write(fork, "from", speaker.shown if speaker is not None else Address(None, UNAVAILABLE_URI, {}))
    return Judgement(refusal, applied=False)


def _settle_stranger(fork: Request, trunk: Trunk, call: ActiveCall | None, host: str) -> None:
    """The network changed its From: nobody verified that number, and the customer of a call is told so.

    A subscription has no verdict, as the request that opened it had none: neither says anything of a number.
    """
    of_a_call = call is not None or fork.method in _MAY_BE_REFUSED
    _settle_plain(fork, from_identity(fork, trunk.dial_plan), Verstat.NONE.value if of_a_call else None, host)


def _settle_plain(fork: Request, presented: Presented, verstat: str | None, host: str) -> None:
    nobody = ANONYMOUS_URI if presented.anonymous else UNAVAILABLE_URI
    plain_form.settle(fork, "from", Checked(presented.tn, (), _AS_WRITTEN, host, nobody))
    presentation.mark_from(fork, verstat)


def _settle_asserted(fork: Request, trunk: Trunk | None, view: View, host: str, wall: UnixTime) -> None:
    """What is left of asserted identities between trusted neighbours: numbers of the sender's own, without verdicts."""
    fork.remove(PREFERRED)
    fork.remove(REMOTE_PARTY)
    if not fork.has(ASSERTED):
        return
    try:
        values = fork.listed(ASSERTED)
        told = [] if trunk is None else _told(fork, trunk, view, host, wall)
    except MalformedValue:
        told, values = [], [""]
    if not told:
        fork.remove(ASSERTED)
    elif told != values:
        fork.set(ASSERTED, ", ".join(told))


def _told(fork: Request, trunk: Trunk, view: View, host: str, wall: UnixTime) -> list[str]:
    """The asserted identities in plain form; none when a customer names one that it may not use."""
    told = []
    for value in fork.listed(ASSERTED):
        address = parse_address(value)
        tn = number_of(address, trunk.dial_plan)
        if tn is None:
            continue
        if trunk.side is Side.CUSTOMER and not _may_use(Presented(tn), trunk, view, wall):
            return []
        plain = plain_form.plainly(address, Checked(tn, (), _AS_WRITTEN, host))
        bare = presentation.without_verstat(plain.uri)
        told.append(value if plain is address and bare == plain.uri else format_address(plain._replace(uri=bare)))
    return told


def _may_use(presented: Presented, trunk: Trunk | None, view: View, wall: UnixTime) -> bool:
    """Whether a customer may present this: a number it has a right to, or nobody's."""
    if presented.tn is None:
        return presented.anonymous or not presented.numeric
    if trunk is None or trunk.account is None:
        return False
    if trunk.gateway:
        return True
    has_right = view.directory.right(presented.tn, trunk.account, wall) is not None
    return has_right and not _is_never_shown(presented.tn, trunk, view, wall)


def _is_never_shown(tn: TN, trunk: Trunk, view: View, wall: UnixTime) -> bool:
    """Whether a call from this number would have been refused whoever has a right to it."""
    fault = view.policy.caller_numbers.fault(tn, trunk.dial_plan)
    if not fault and view.directory.do_not_originate(tn, wall) is not None:
        fault = "do-not-originate"
    account = view.directory.account(trunk.account or "")
    return fault != "" and mode_at(f"caller-id.{fault}", tn, trunk, account, view.policy) is Mode.BLOCK


def _write(fork: Request, field: str, shown: Address) -> None:
    """Put another address in, under the tag that is there."""
    there = fork.from_ if field == "from" else fork.to
    tag = {} if there.tag is None else {"tag": there.tag}
    fork.set(field, format_address(Address(shown.display, shown.uri, tag)))


def _account(trunk: Trunk | None) -> str:
    return "no account" if trunk is None or trunk.account is None else f"account {trunk.account}"

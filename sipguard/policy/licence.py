"""The licence to forward: what lets a customer present a number that is not its own, because that caller called it.

A PBX that forwards a call sends it back with the caller's number. It may where its trunk says so (``forwarding``), and
Diversion or History-Info names a number of the account that the call was diverted from: one that calls arrive at, so
owned or delegated; a right to *present* a number makes nobody its recipient. With ``passport`` the caller's provider
must have said who called whom: in the call that this node delivered lately, whether the PBX kept its Identity header
fields or not; else they verify now, as they were when the call came to that number (RFC 8946 §4.2), and a token leads
one call away. With ``delivered`` it is enough that this node delivered such a call, with ``trust`` that the header
field says so. Emergency calls have no licence: the rules about them come first.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.delivered_calls import DeliveredCall
from sipguard.policy.diverted_from import FIELDS, DivertedFrom, diverted_from
from sipguard.policy.finding import Forwarded
from sipguard.policy.forwarding import Forwarding
from sipguard.policy.judging import judge, signalling_of
from sipguard.policy.need import CertificateNeed
from sipguard.policy.resource_priority import is_callback, resource_priorities
from sipguard.policy.right import RightKind
from sipguard.policy.view import View
from sipguard.sip.date import parse_date
from sipguard.stir.claims import Claims
from sipguard.stir.media_key import fingerprints
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict, Verstat
from sipguard.stir.verification import Signalling

_MOST_KEPT = 4096  # octets of Identity of one call: a chain of five diversions
_ARRIVES = (RightKind.OWNED, RightKind.DELEGATED)


def licence(caller: TN, call: Call, view: View) -> Forwarded | CertificateNeed | str:
    """What licenses a call of ``caller``, the certificate that depends on, or in words why nothing does."""
    request, trunk, account = call.request, call.trunk, call.account
    asked = trunk.forwarding is not Forwarding.REFUSE and request.has_any(FIELDS)
    if not asked or account is None or call.emergency is not None or request.method != "INVITE":
        return ""
    try:
        target = call.request_tn
        before = diverted_from(request, trunk.dial_plan, target)
    except MalformedValue as error:
        return f"not forwarded, because of Diversion or History-Info: {error}"
    if before is None or before.tn is None:
        return "not forwarded: nothing names the number it was diverted from"
    right = view.directory.right(before.tn, account.name, call.received_at)
    if right is None or right.kind not in _ARRIVES:
        return f"not forwarded: calls to +{before.tn} are not for account {account.name}"
    if target is None or target == before.tn:
        return f"not forwarded: it is not diverted from +{before.tn} to another number"
    return _evidence(caller, before, before.tn, target, call, view)


def _evidence(
    caller: TN, before: DivertedFrom, by: TN, target: TN, call: Call, view: View
) -> Forwarded | CertificateNeed | str:
    """What shows that ``caller`` called ``by``."""
    identities = call.request.values("identity")
    mode = call.trunk.forwarding
    delivered = view.delivered.find((caller, by), call.arrived)
    if delivered is not None and delivered.forwards < 1:
        if mode is Forwarding.TRUST:
            return Forwarded(by, mode, before.entry)
        return f"not forwarded: its call to +{by} was forwarded as often as it may be"
    if delivered is not None and _came_with(delivered, identities, call):
        delivered.forwards -= 1
        restored = () if identities else delivered.identities
        return Forwarded(by, Forwarding.PASSPORT, before.entry, delivered.claims, restored)
    reason = "missing"
    if identities:
        service = view.verification.forwarded
        signalling = _as_it_came(caller, by, target, call)
        verdict = judge(service, identities, signalling, call, view)
        if isinstance(verdict, CertificateNeed):
            return verdict
        if verdict.verstat is Verstat.PASSED:
            received = _good(service.claims(identities, signalling), verdict)
            return Forwarded(by, Forwarding.PASSPORT, before.entry, received)
        reason = verdict.reason.value if verdict.reason is not None else reason
    if delivered is not None and mode is not Forwarding.PASSPORT:
        delivered.forwards -= 1
        return Forwarded(by, Forwarding.DELIVERED, before.entry)
    if mode is Forwarding.TRUST:
        return Forwarded(by, mode, before.entry)
    return f"not forwarded: no Identity shows that it called +{by} ({reason})"


def _came_with(delivered: DeliveredCall, identities: list[str], call: Call) -> bool:
    """Whether the call is one that came signed, and carries what it came with, or nothing, with the media it had."""
    if not delivered.claims or (identities and not set(delivered.identities) <= set(identities)):
        return False
    keys = frozenset(fingerprints(call.request.body))
    return all(said.media_keys is None or said.media_keys == keys for said in delivered.claims)


def remember(call: Call, view: View) -> None:
    """Remember a call from the network, if it goes to a customer that may forward it."""
    routed, verified = call.routed, call.verified
    if routed is None or not routed.trunks or routed.trunks[0].forwarding is Forwarding.REFUSE:  # nearly always
        return
    called = call.request_tn
    if verified is None or verified.caller is None or called is None or call.request.method != "INVITE":
        return
    settings = view.policy.forwarding
    identities, claims = _voucher(call, verified.verdict, called, view)
    found = DeliveredCall(call.arrived + settings.window, settings.forwards, identities, claims)
    view.delivered.add((verified.caller, called), found, call.arrived)


def _voucher(call: Call, verdict: Verdict, called: TN, view: View) -> tuple[tuple[str, ...], tuple[Claims, ...]]:
    """The Identity header fields that say who called this number, and what they say; none where To was another one,
    or they are too large to keep.
    """
    if verdict.verstat is not Verstat.PASSED:
        return (), ()
    identities, said = [], []
    values = call.request.values("identity")
    claims = view.verification.claims(values, signalling_of(call))
    for value, members, result in zip(values, claims, verdict.results, strict=False):
        if members is not None and result.reason is None and (result.vouches or result.ppt == "div"):
            identities.append(value)
            said.append(members._replace(members={}))  # of what was signed, no more than a div needs
    if sum(map(len, identities)) > _MOST_KEPT or not any(called in members.destinations for members in said):
        return (), ()
    return tuple(identities), tuple(said)


def _as_it_came(caller: TN, by: TN, target: TN, call: Call) -> Signalling:
    """The call as the diverting number received it. A token is good for one call from there to one target."""
    request = call.request
    stated = request.value("date")
    date = None if stated is None else parse_date(stated)
    return Signalling(
        orig=(caller,),
        dest=(by,),
        call_id=f"{request.call_id} {request.from_.tag} {target}",
        request_tn=by,
        date=None if date is None else UnixTime(date),
        media_keys=fingerprints(request.body),
        resource_priority=resource_priorities(request),
        callback=is_callback(request),
    )


def _good(claims: tuple[Claims | None, ...], verdict: Verdict) -> tuple[Claims, ...]:
    """What the PASSporTs say that were found good."""
    results = zip(claims, verdict.results, strict=True)
    return tuple(said for said, result in results if said is not None and result.reason is None)

"""What the next hop may read about the caller: the trust boundary, applied to a fork by splicing.

Screening happened on canonical numbers; the identity headers that leave are re-emitted in canonical form, so what the
next hop reads is what was checked. Nothing a stranger wrote about trust (asserted identities, verstat, attestation)
crosses; Identity headers always do (RFC 8224 §11, 47 CFR 64.6302).
"""

import re

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.diverted_from import DIVERSION, FIELDS
from sipguard.policy.presented import number_of
from sipguard.policy.privacy import hides_identity, levels
from sipguard.policy.trunk import Trunk
from sipguard.proxy import plain_form, privacy_service, unverified
from sipguard.proxy.plain_form import ANONYMOUS_URI, UNAVAILABLE_URI, Checked, number_text
from sipguard.sip.address import Address, format_address, parse_address
from sipguard.sip.message import Message, Request
from sipguard.sip.uri import SipUri, TelUri, parse_uri
from sipguard.stir.telephone_number import TN
from sipguard.stir.verdict import Reason

ASSERTED = "p-asserted-identity"
# Believed only inside the trust domain, and never from a customer (RFC 3325 §5, RFC 7315, 3GPP TS 24.229 §7.2.18).
TRUSTED_ONLY = frozenset((
    "p-preferred-identity",
    "remote-party-id",
    "p-served-user",
    "p-associated-uri",
    "p-asserted-service",
    "p-charging-function-addresses",
    "p-private-network-indication",
    "additional-identity",
    "cellular-network-info",
    "attestation-info",
    "origination-id",
    "p-charge-info",
    "p-charging-vector",
    "p-access-network-info",
    "p-visited-network-id",
))  # fmt: skip
_AT_THE_BOUNDARY = TRUSTED_ONLY | unverified.CONCERNED | privacy_service.PAST | {ASSERTED}
_ATTESTATION = ("attestation-info", "origination-id")
_LEVEL, _ORIGID = re.compile("[ABC]"), re.compile("[0-9A-Fa-f-]{36}")
_VERSTAT = re.compile(r";verstat(?:=[^;@>?]*+)?(?=[;@>?]|$)", re.IGNORECASE)


def originate(fork: Request, call: Call, egress: Trunk, host: str) -> None:
    """Present a customer's call to the network: the screened identity, our signature, nothing else."""
    strip_untrusted(fork)
    if fork.unusual:
        plain_form.unfold_rows(fork)
    unverified.strip_from_customer(fork, call.trunk.trusted)
    _settle_from(fork, call, egress, host)
    _settle_to(fork, call, egress, host)
    mark_from(fork, None)
    _present_asserted(fork, call, egress, host)
    if fork.has_any(FIELDS):
        _settle_diversion(fork, call, egress, host)
    if not egress.trusted and call.emergency is None:
        privacy_service.serve(fork)
    if call.signed is not None:
        for value in (call.signed.identity, *call.signed.beside):
            fork.append_row("identity", f"Identity: {value}")
        if call.signed.priority:
            fork.append("resource-priority", call.signed.priority)
        if call.signed.date is not None:
            fork.set("date", call.signed.date)
    if egress.trusted and call.attested is not None and call.attested.level is not None:
        _convey(fork, call.attested.level.value, call.attested.origid)


def _present_asserted(fork: Request, call: Call, egress: Trunk, host: str) -> None:
    """The one asserted identity of a customer's call, where it may be shown."""
    identity = call.identity
    shown = egress.trusted or egress.helps or not hides_identity(fork)
    if identity is None:
        if call.emergency is None:
            fork.remove(ASSERTED)  # an emergency service keeps whatever number it may call back (EMG-12)
    elif identity.replaced is not None:
        if not identity.anonymous:
            _replace_from(fork, identity.replaced, host)
        fork.remove(ASSERTED)
        if shown:
            fork.append(ASSERTED, f"<sip:+{identity.replaced}@{host};user=phone>")
    elif identity.asserted and shown:
        _assert(fork, Checked(identity.effective, identity.asserted, egress.dial_plan, host))
    else:
        fork.remove(ASSERTED)


def _settle_diversion(fork: Request, call: Call, egress: Trunk, host: str) -> None:
    """Where the call was before, as far as it was checked: the topmost Diversion in plain form, nothing unreadable."""
    plan = call.trunk.dial_plan
    for field in FIELDS:
        try:
            values = fork.listed(field)
            addresses = [parse_address(value) for value in values]
            if field == DIVERSION and values:
                tn = number_of(addresses[0], plan)
                plain = plain_form.plainly(addresses[0], Checked(tn, (), egress.dial_plan, host))
                if plain is not addresses[0]:
                    fork.set(field, ", ".join((format_address(plain), *values[1:])))
        except MalformedValue:
            fork.remove(field)


def terminate(fork: Request, call: Call, egress: Trunk, host: str) -> None:
    """Present a call from the network to a customer: our verdict in place of anybody else's (VS-25..28)."""
    if fork.unusual:
        plain_form.unfold_rows(fork)
    if not (call.trunk.trusted and egress.trusted):
        strip_untrusted(fork)  # neither believed from outside the trust domain nor shown to it
    if not call.trunk.trusted:
        fork.remove(ASSERTED)
    unverified.strip_from_network(fork, call)
    fork.remove("p-preferred-identity")  # for the first proxy only (RFC 3325 §9.2)
    fork.remove("remote-party-id")  # nothing was verified for it
    if not egress.trusted and hides_identity(fork):
        fork.remove(ASSERTED)
    _convey_verdict(fork, call, egress)
    verstat = call.verified.verdict.verstat.value if call.verified is not None else None
    _settle_from(fork, call, egress, host)
    _settle_to(fork, call, egress, host)
    asserted = _annotated(fork, call, verstat, egress, host)
    if asserted:
        fork.set(ASSERTED, ", ".join(asserted))
        mark_from(fork, None)
    else:
        fork.remove(ASSERTED)
        mark_from(fork, verstat)
    if not egress.trusted:
        if call.trunk.trusted:
            privacy_service.serve(fork)
        else:
            privacy_service.conceal_past(fork, levels(fork))


def is_concerned(message: Message) -> bool:
    """Whether ``cross`` could have anything to do: seldom, so that who trusts whom need not be asked."""
    return message.unusual or message.has_any(_AT_THE_BOUNDARY)


def cross(message: Message, from_trusted: bool, to_trusted: bool) -> None:
    """What the trust boundary takes off a response or an in-dialog request (RFC 3325 §5, RFC 5876)."""
    if message.unusual:
        plain_form.unfold_rows(message)
    if not (from_trusted and to_trusted):
        strip_untrusted(message)
    if not to_trusted:
        privacy_service.conceal_past(message, levels(message))
    if not from_trusted:
        unverified.strip_in_dialog(message)
        message.remove(ASSERTED)
    elif not to_trusted and hides_identity(message):
        message.remove(ASSERTED)


def strip_untrusted(message: Message) -> None:
    """Drop every header that is believed only inside the trust domain; P-Asserted-Identity is the caller's business."""
    if message.has_any(TRUSTED_ONLY):
        for name in TRUSTED_ONLY:
            message.remove(name)


def without_verstat(uri: str) -> str:
    """A URI text without any verstat parameter."""
    return _VERSTAT.sub("", uri) if "verstat" in uri.lower() else uri


def with_verstat(uri: str, verstat: str | None) -> str:
    """A URI text that carries this verstat and no other: in the user part of a sip URI, with user=phone (VS-26)."""
    bare = without_verstat(uri)
    if verstat is None:
        return bare
    parsed = parse_uri(bare)
    if isinstance(parsed, TelUri):
        return f"{bare};verstat={verstat}"
    if not isinstance(parsed, SipUri) or not _looks_dialled(parsed.user_number):
        return bare
    scheme, _, rest = bare.partition(":")
    user, _, host = rest.rpartition("@")
    phone = "" if "user" in parsed.parameters else ";user=phone"
    return f"{scheme}:{user};verstat={verstat}@{host}{phone}"


def _convey_verdict(fork: Request, call: Call, egress: Trunk) -> None:
    """What the signer attested, to those who may read it: ours when verified; a peer's word when nothing was signed."""
    verdict = call.verified.verdict if call.verified is not None else None
    if egress.trusted and (verdict is None or verdict.reason is Reason.MISSING):
        return
    for name in _ATTESTATION:
        fork.remove(name)
    if egress.trusted and verdict is not None and verdict.attest is not None:
        _convey(fork, verdict.attest, verdict.best.origid or "")


def _convey(fork: Request, level: str, origid: str) -> None:
    """Attestation-Info and Origination-ID (3GPP TS 24.229 §7.2.18, AS-30, VS-29)."""
    for name, value, form in zip(_ATTESTATION, (level, origid), (_LEVEL, _ORIGID), strict=True):
        if form.fullmatch(value):  # a caller wrote what a PASSporT claims
            fork.set(name, value)


def _looks_dialled(user: str) -> bool:
    digits = user.removeprefix("+")
    return digits[:1].isascii() and digits[:1].isdigit()


def _annotated(fork: Request, call: Call, verstat: str | None, egress: Trunk, host: str) -> list[str]:
    """The asserted identities with our verdict; none when they cannot be read.

    Only one number was verified, so no other is shown; there is one value of each scheme at most (RFC 3325 §9.1).
    """
    try:
        addresses = [parse_address(value) for value in fork.listed(ASSERTED)]
        numbers = [number_of(address, call.trunk.dial_plan) for address in addresses]
        caller = call.verified.caller if call.verified is not None else next(filter(None, numbers), None)
        kept: dict[bool, str] = {}
        for address, tn in zip(addresses, numbers, strict=True):
            if tn in (None, caller):
                plain = plain_form.plainly(address, Checked(tn, (), egress.dial_plan, host))
                if plain.uri != UNAVAILABLE_URI:
                    value = format_address(plain._replace(uri=with_verstat(plain.uri, verstat)))
                    kept.setdefault(plain.uri.startswith("tel:"), value)
        return list(kept.values())
    except MalformedValue:
        return []


def _assert(fork: Request, checked: Checked) -> None:
    """One asserted identity in canonical form; a header that already is that form stays as it was written."""
    if fork.names.count(ASSERTED) == 1:
        try:
            address = parse_address(fork.required(ASSERTED))
            bare = address.uri[:4] != "tel:" and without_verstat(address.uri) == address.uri
            if bare and plain_form.plainly(address, checked) is address:
                return
        except MalformedValue:
            pass  # two values in one row, of which one is left
    fork.set(ASSERTED, f"<sip:+{checked.tn}@{checked.host};user=phone>")


def _settle_from(fork: Request, call: Call, egress: Trunk, host: str) -> None:
    """From as everybody reads it; an emergency caller we could not place stays as it was written (EMG-12)."""
    identity, plan = call.identity, egress.dial_plan
    if identity is None:
        if call.emergency is None:
            nobody = ANONYMOUS_URI if "anonymous" in fork.from_.uri.lower() else UNAVAILABLE_URI
            plain_form.settle(fork, "from", Checked(call.from_tn, (), plan, host, nobody))
    elif identity.anonymous:
        plain_form.settle(fork, "from", Checked(identity.from_tn, (), plan, host, ANONYMOUS_URI))
    else:
        nobody = f"sip:{number_text(identity.effective)}@{host};user=phone"
        plain_form.settle(fork, "from", Checked(identity.from_tn, identity.asserted, plan, host, nobody))


def _settle_to(fork: Request, call: Call, egress: Trunk, host: str) -> None:
    """To as everybody reads it: its own number, else that of the Request-URI."""
    tn = call.to_tn
    try:
        called = call.request_tn
    except MalformedValue:
        called = None
    if tn is None and called is None:
        return
    nobody = UNAVAILABLE_URI if called is None else f"sip:{number_text(called)}@{host};user=phone"
    others = () if called is None else (called,)
    plain_form.settle(fork, "to", Checked(tn, others, egress.dial_plan, host, nobody))


def mark_from(fork: Request, verstat: str | None) -> None:
    """Give the From URI this verstat, or none; a From that says so already stays as it was written."""
    address = fork.from_
    uri = with_verstat(address.uri, verstat)
    if uri != address.uri:
        fork.set("from", format_address(address._replace(uri=uri)))


def _replace_from(fork: Request, tn: TN, host: str) -> None:
    """Put the trunk's own number in place of the refused one, display name included (on_mismatch = "replace")."""
    address = fork.from_
    fork.set("from", format_address(Address(None, f"sip:+{tn}@{host};user=phone", address.parameters)))

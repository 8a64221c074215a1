"""What a call claims beside its number, and what is left of that when nobody vouches for it: priority, rich call data.

A Resource-Priority of a namespace that has an authority leaves only with that authority's ``rph`` PASSporT, or from a
trunk that is trusted and whose own PASSporT did not fail; without it the call is an ordinary call (RFC 8443 §4.2). The
emergency services' namespace never enters from a subscriber (RFC 7135). Namespaces we don't know pass unchanged (RFC
4412 §4.6). Pictures and cards in Call-Info, and a name beside the number, are what a verified ``rcd`` says, or what a
trusted trunk says (RFC 9796).
"""

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.policy.resource_priority import RESOURCE_PRIORITY, namespace_of
from sipguard.sip.address import format_address, parse_address
from sipguard.sip.message import Message
from sipguard.stir.verdict import PriorityVerdict

_AUTHORISED = frozenset(("dsn", "drsn", "q735", "ets", "wps", "esnet"))  # RFC 4412 §10, RFC 7135
_EMERGENCY = frozenset(("esnet",))
_CALL_INFO = "call-info"
_RICH = frozenset(("card", "icon", "jcard", "rcd-card", "rcd-icon", "rcd-jcard"))
CONCERNED = frozenset((RESOURCE_PRIORITY, _CALL_INFO))
_CALLER = ("from", "p-asserted-identity")
_NOBODY: frozenset[str] = frozenset()


def strip_from_customer(message: Message, trusted: bool) -> None:
    """Take off what a customer claims and may not: no subscriber may claim an emergency service's priority."""
    if not message.has_any(CONCERNED):
        return
    _strip_priorities(message, trusted, _NOBODY, _EMERGENCY)
    if not trusted:
        _strip_call_info(message, _NOBODY)


def strip_from_network(message: Message, call: Call) -> None:
    """Take off what a call from the network claims and neither its trunk nor its PASSporTs vouch for."""
    verdict = None if call.verified is None else call.verified.verdict
    rich = None if verdict is None else verdict.rich
    if rich is not None:
        _strip_other_names(message, rich.nam)
    if not message.has_any(CONCERNED):
        return
    trusted = call.trunk.trusted
    if verdict is None:
        _strip_priorities(message, trusted, _NOBODY, _NOBODY)
    else:
        believed = trusted and verdict.priority is not PriorityVerdict.FAILED
        _strip_priorities(message, believed, verdict.priorities, _NOBODY)
    if not trusted:
        _strip_call_info(message, _NOBODY if rich is None else frozenset(filter(None, (rich.icn, rich.jcl))))


def strip_in_dialog(message: Message) -> None:
    """Take off what an in-dialog request from outside the trust domain claims: it carries no PASSporT."""
    if message.has_any(CONCERNED):
        _strip_priorities(message, False, _NOBODY, _NOBODY)
        _strip_call_info(message, _NOBODY)


def _strip_priorities(message: Message, trusted: bool, authorised: frozenset[str], never: frozenset[str]) -> None:
    """Leave the values of unknown namespaces, the authorised ones, and a trusted sender's unless ``never``."""
    try:
        values = message.listed(RESOURCE_PRIORITY)
    except MalformedValue:
        message.remove(RESOURCE_PRIORITY)
        return
    kept = []
    for value in values:
        namespace = namespace_of(value)
        if namespace not in _AUTHORISED or value.lower() in authorised or (trusted and namespace not in never):
            kept.append(value)
    _replace(message, RESOURCE_PRIORITY, values, kept)


def _strip_call_info(message: Message, vouched: frozenset[str]) -> None:
    """Leave what is no picture and no card, and those at URLs that rich call data vouches for (RCD-07)."""
    try:
        values = message.listed(_CALL_INFO)
        kept = [value for value in values if not _is_rich(value) or parse_address(value).uri in vouched]
    except MalformedValue:
        message.remove(_CALL_INFO)
        return
    _replace(message, _CALL_INFO, values, kept)


def _is_rich(value: str) -> bool:
    return (parse_address(value).parameters.get("purpose") or "").lower() in _RICH


def _strip_other_names(message: Message, name: str) -> None:
    """Take off a display name that is not the verified one (RCD-06)."""
    for field in _CALLER:
        try:
            addresses = [parse_address(value) for value in message.listed(field)]
        except MalformedValue:
            continue
        told = [item if _shown(item.display) in ("", name) else item._replace(display=None) for item in addresses]
        if told != addresses:
            message.set(field, ", ".join(map(format_address, told)))


def _shown(display: str | None) -> str:
    """A display name as its sender meant it: UTF-8, which a head holds octet by octet."""
    return (display or "").encode("latin-1", "replace").decode("utf-8", "replace").strip(" \t")


def _replace(message: Message, name: str, before: list[str], after: list[str]) -> None:
    if len(after) < len(before):
        if after:
            message.set(name, ", ".join(after))
        else:
            message.remove(name)

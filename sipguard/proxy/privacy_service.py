"""What a privacy service does to a message that leaves the trust domain (RFC 3323 §5, RFC 7044 §10.1.2, RFC 5806).

``user``: From becomes anonymous and what the user agent says of itself is taken off. ``history``: past targets become
anonymous, all of them or the ones marked so; so do Diversion values that ask for it. What was done is taken off
Privacy, and with its last level the field goes, and ``privacy`` from Proxy-Require. ``id`` stays: the next trust domain
keeps it too. ``none`` forbids all of it, and is left alone.
"""

from sipguard.errors import MalformedValue
from sipguard.policy.privacy import levels
from sipguard.proxy.plain_form import ANONYMOUS_URI
from sipguard.sip.address import Address, format_address, parse_address
from sipguard.sip.message import Message, Request
from sipguard.sip.uri import unescape

_HISTORY, _DIVERSION = "history-info", "diversion"
PAST = frozenset((_HISTORY, _DIVERSION))
_OF_THE_USER = ("subject", "call-info", "organization", "user-agent", "reply-to", "in-reply-to")  # RFC 3323 §5.3
_WHOLE_HISTORY = frozenset(("history", "header", "session"))  # RFC 7044 §10.1.2


def serve(fork: Request) -> None:
    """Give a screened request that leaves the trust domain the privacy it asks for."""
    wanted = levels(fork) if fork.has("privacy") else []
    conceal_past(fork, wanted)
    if not wanted or "none" in wanted:
        return
    done = {"history"}
    if "user" in wanted:
        _conceal_user(fork)
        done.add("user")
    if not done.isdisjoint(wanted):
        _take_off(fork, [level for level in wanted if level not in done])


def conceal_past(message: Message, wanted: list[str]) -> None:
    """Make the entries of History-Info and Diversion anonymous that ask for it; without an end they go altogether."""
    if not message.has_any(PAST):
        return
    whole = "none" not in wanted and not _WHOLE_HISTORY.isdisjoint(wanted)
    for field in (_HISTORY, _DIVERSION):
        try:
            values = message.listed(field)
            told = [_entry(value, whole) if field == _HISTORY else _diversion(value) for value in values]
        except MalformedValue:
            message.remove(field)
            continue
        if told != values:
            message.set(field, ", ".join(told))


def _entry(value: str, whole: bool) -> str:
    """One hi-entry: its index and what else is said of it stay (RFC 7044 §10.1.2). Raises MalformedValue."""
    if not whole and "rivacy" not in unescape(value.lower()):
        return value
    address = parse_address(value)
    if not whole and not _marked(address.uri.partition("?")[2]):
        return value
    return format_address(Address(None, ANONYMOUS_URI, address.parameters))


def _marked(headers: str) -> bool:
    """Whether the header part of a hi-targeted-to-uri says Privacy=history."""
    for pair in headers.split("&"):
        name, _, value = pair.partition("=")
        if unescape(name).lower() == "privacy" and "history" in unescape(value).lower():
            return True
    return False


def _diversion(value: str) -> str:
    """One Diversion value: ``full`` hides name and URI, ``name`` and ``uri`` one of them. Raises MalformedValue."""
    if "rivacy" not in value.lower():
        return value
    address = parse_address(value)
    asked = (address.parameters.get("privacy") or "").lower()
    if asked in ("", "off"):
        return value
    display = address.display if asked == "uri" else None
    return format_address(Address(display, address.uri if asked == "name" else ANONYMOUS_URI, address.parameters))


def _conceal_user(fork: Request) -> None:
    for name in _OF_THE_USER:
        fork.remove(name)
    if fork.from_.uri != ANONYMOUS_URI:
        fork.set("from", format_address(Address("Anonymous", ANONYMOUS_URI, fork.from_.parameters)))


def _take_off(fork: Request, left: list[str]) -> None:
    """What is still to be done stays in Privacy."""
    if left and left != ["critical"]:
        fork.set("privacy", ";".join(left))
        return
    fork.remove("privacy")
    if fork.has("proxy-require"):
        required = [tag for tag in fork.listed("proxy-require") if tag.lower() != "privacy"]
        fork.remove("proxy-require")
        if required:
            fork.append("proxy-require", ", ".join(required))

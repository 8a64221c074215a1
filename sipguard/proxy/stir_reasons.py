"""``Reason: STIR``: what a verification service tells the signer about a call that goes on all the same (RFC 9410).

Towards the network trunk a call came from, every response says which of its Identity header fields did not hold, and
why; several of them are several values (RFC 9366). A field is named by the compact form of its PASSporT, which is short
and nobody else's: ``ppi="..signature"``. Nothing of what the caller wrote is repeated but base64url characters.

In the other direction such a reason is for us, the signer: it is counted, and goes no further than the trust domain
(VS-24), because it is about the call's way through the network and not a failure of the call.
"""

import re

from sipguard.errors import MalformedValue
from sipguard.policy.call import Call
from sipguard.sip.header import split_list
from sipguard.sip.message import Message
from sipguard.stir.verdict import Reason

_MOST = 4  # values of one response
_SIGNATURE = re.compile(r"\.([A-Za-z0-9_-]{20,200})(?:$|[;\s])", re.ASCII)
_OURS = re.compile(r"STIR[ \t]*(?:;|$)", re.IGNORECASE)
_CAUSE = re.compile(r";[ \t]*cause[ \t]*=[ \t]*([0-9]{3})(?![0-9])", re.IGNORECASE)
_CAUSES = frozenset(("403", "428", "436", "437", "438"))
_SILENT = frozenset((Reason.MISSING, Reason.UNSUPPORTED_PPT))  # nothing failed: there was nothing for us to verify


def report(response: Message, call: Call | None) -> None:
    """Tell the trunk a call came from which of its Identity header fields failed; nothing when the call is verified."""
    if call is None or call.verified is None or call.verified.verdict.reason is None:
        return
    results = call.verified.verdict.results
    identities = call.request.values("identity")
    named = len(results) == len(identities)
    values: list[str] = []
    for position, result in enumerate(results):
        if result.reason is None or result.reason in _SILENT:
            continue
        value = f'STIR;cause={result.reason.code};text="{result.reason.phrase}"'
        if named:
            value += _identifier(identities[position])
        values.append(value)
    for value in values[:_MOST]:
        response.append("reason", value)


def consume(response: Message) -> list[str]:
    """Take every STIR reason off a response; their causes, ``other`` where it is none of RFC 8224's."""
    if not response.has("reason"):
        return []
    causes, kept = [], []
    for row in response.values("reason"):
        for value in _values(row):
            if _OURS.match(value):
                cause = _CAUSE.search(value)
                causes.append(cause.group(1) if cause and cause.group(1) in _CAUSES else "other")
            else:
                kept.append(value)
    if causes:
        response.remove("reason")
        for value in kept:
            response.append("reason", value)
    return causes


def _values(row: str) -> list[str]:
    """The values of a row; one that leaves a quote open has a single one."""
    try:
        return split_list(row)
    except MalformedValue:
        return [row]


def _identifier(identity: str) -> str:
    """The ``ppi`` parameter that names a PASSporT by its signature; nothing when it has none to speak of."""
    signature = _SIGNATURE.search(identity.partition(";")[0].rstrip(" \t") + ";")
    return f';ppi="..{signature.group(1)}"' if signature else ""

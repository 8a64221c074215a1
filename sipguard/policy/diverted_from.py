"""Where a call was before, as its Diversion (RFC 5806) and History-Info (RFC 7044) say.

The topmost Diversion value is the latest. In History-Info the last entry is where the call goes now; it leads back by
its ``mp``, or, where its URI has a ``cause`` (RFC 4458), by its ``rc`` or to the entry above it. An entry with ``rc``
or ``np`` alone is the same user elsewhere, and no diversion.
"""

import re
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.presented import number_of
from sipguard.sip.address import Address, parse_address
from sipguard.sip.message import Request
from sipguard.sip.uri import OtherUri, parse_uri
from sipguard.stir.telephone_number import TN, DialPlan

DIVERSION, HISTORY = "diversion", "history-info"
FIELDS = frozenset((DIVERSION, HISTORY))

_INDEX = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*")


class DivertedFrom(NamedTuple):
    """A number (None: what is named has none), and the index of its History-Info entry where there is one."""

    tn: TN | None
    entry: str | None = None


def by_diversion(request: Request, plan: DialPlan) -> DivertedFrom | None:
    """What the topmost Diversion value names; None when there is none. Raises MalformedValue."""
    values = request.listed(DIVERSION)
    if not values:
        return None
    addresses = [parse_address(value) for value in values]
    return DivertedFrom(number_of(addresses[0], plan))


def by_history(request: Request, plan: DialPlan, target: TN | None) -> DivertedFrom | None:
    """What History-Info says the call was diverted from; None when it says nothing of a diversion to ``target``.

    Raises MalformedValue.
    """
    values = request.listed(HISTORY)
    if not values:
        return None
    entries = [parse_address(value) for value in values]
    places = {_index(entry): entry for entry in entries}
    if len(places) < len(entries):
        raise MalformedValue("an index of History-Info is there twice")
    last = entries[-1]
    if target is None or number_of(last, plan) != target:
        return None
    before = _before(last)
    if before is None:
        return None
    if before not in places:
        raise MalformedValue("History-Info leads back to an entry that is not there")
    return DivertedFrom(number_of(places[before], plan), before)


def diverted_from(request: Request, plan: DialPlan, target: TN | None) -> DivertedFrom | None:
    """What both fields agree on. Raises MalformedValue when one cannot be read, or they disagree."""
    said, recorded = by_diversion(request, plan), by_history(request, plan, target)
    if said is None or recorded is None:
        return said or recorded
    if said.tn != recorded.tn:
        raise MalformedValue("Diversion and History-Info disagree")
    return recorded


def _index(entry: Address) -> str:
    index = entry.parameters.get("index") or ""
    if not _INDEX.fullmatch(index):
        raise MalformedValue("a History-Info entry has no index")
    return index


def _before(entry: Address) -> str | None:
    """The index of the entry this one was diverted from."""
    if "mp" in entry.parameters:
        return entry.parameters["mp"] or ""
    uri = parse_uri(entry.uri)
    if isinstance(uri, OtherUri) or "cause" not in uri.parameters:
        return None
    return entry.parameters.get("rc") or _index(entry).rpartition(".")[0]

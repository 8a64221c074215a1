"""Byte for byte: what one side of a call wrote is held against what the other side read, message by message.

A proxy has to change a few rows (RFC 3261 §16.6, §16.7); those are listed here and held to what they must become.
Every other row has to arrive as it was written, in its place, and so has the body. Nothing may arrive that nobody
wrote, and nothing may be missing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scenarios.trace import Traced

HOP = frozenset(("via", "v", "max-forwards", "record-route", "route"))  # every proxy's business, in requests
SIGNED = frozenset(("p-asserted-identity", "identity", "date", "attestation-info", "origination-id"))  # by us, outbound
MARKED = SIGNED | {"from", "f"}  # inbound the verstat may be in From
_ROWS = re.compile(r"\r\n(?![ \t])")
_PLAIN_LENGTH = re.compile("^Content-Length *: *")
_FILLED_IN = re.compile(r";(?:received|rport)=[^;]*|;rport(?=;|$)")


class Key(NamedTuple):
    """Which message this is: the same at both ends."""

    method: str
    code: int | None
    cseq: str
    tag: str  # of To: which of several dialogs


class Way(NamedTuple):
    """What is between the two sides: so many proxies, ours among them.

    ``screened``: the rows that screening may change in a request outside a dialog. ``streams``: where Content-Length
    is framing, and therefore spelled plainly. ``forked``: one side is one of several, who does not get everything.
    """

    hops: int
    screened: frozenset[str]
    streams: bool = False
    forked: bool = False


def complaints(writer: Sequence[Traced], reader: Sequence[Traced], way: Way) -> list[str]:
    """Every difference that may not be, between what one side wrote and the other read."""
    wrote, read = _end_to_end(writer, True), _end_to_end(reader, False)
    keys = wrote.keys() & read.keys() if way.forked else wrote.keys() | read.keys()
    found = [f"{key} was written {len(wrote[key])} times, read {len(read[key])}" for key in keys
             if len(wrote[key]) != len(read[key])]  # fmt: skip
    requested = {m.header("CSeq"): m for m in reader if m.sent and m.code is None and m.method != "ACK"}
    contacts = [m.header("Contact") or "" for m in reader if m.sent]
    for key in keys:
        for before, after in zip(wrote[key], read[key], strict=False):
            if after.code is None:
                found += _request(before, after, way, contacts)
            else:
                found += _response(before, after, way, requested.get(after.header("CSeq")))
    return found


def _end_to_end(messages: Iterable[Traced], sent: bool) -> dict[Key, list[Traced]]:
    """The messages that cross every proxy, each once however often it was repeated."""
    messages = list(messages)
    refused = {_number(m) for m in messages if m.sent is not sent and m.method == "INVITE" and (m.code or 0) >= 300}
    found: dict[Key, list[Traced]] = defaultdict(list)
    for message in messages:
        key = Key(
            message.method,
            message.code,
            message.header("CSeq") or "",
            (message.header("To") or "").partition(";tag=")[2],
        )
        made_by_the_hop = message.method == "CANCEL" or message.code == 100
        if message.sent is not sent or made_by_the_hop or (message.method == "ACK" and _number(message) in refused):
            continue
        if not any(_same(message, known) for known in found[key]):
            found[key].append(message)
    return found


def _number(message: Traced) -> str:
    return (message.header("CSeq") or "").split(" ")[0]


def _same(one: Traced, other: Traced) -> bool:
    """Whether one repeats the other; an ACK that is repeated gets a new branch from a proxy."""
    return [r for r in rows(one) if _name(r) != "via"] == [r for r in rows(other) if _name(r) != "via"]


def _request(before: Traced, after: Traced, way: Way, contacts: list[str]) -> list[str]:
    in_dialog = ";tag=" in (before.header("To") or "")
    may_change = HOP if in_dialog else HOP | way.screened
    found = _kept(before, after, may_change, way)
    passed = values(after, "Via")
    if [_FILLED_IN.sub("", via) for via in passed[way.hops :]] != [
        _FILLED_IN.sub("", v) for v in values(before, "Via")
    ]:
        found.append(f"Via of {before.start_line}: {values(before, 'Via')} became {passed}")
    if int(after.header("Max-Forwards") or 0) != int(before.header("Max-Forwards") or 0) - way.hops:
        found.append(f"Max-Forwards {before.header('Max-Forwards')} became {after.header('Max-Forwards')}")
    if values(after, "Route"):
        found.append(f"a Route is left: {values(after, 'Route')}")
    recorded = len(values(after, "Record-Route"))
    if in_dialog and recorded:
        found.append(f"{before.start_line} got {recorded} Record-Route")
    uri = after.start_line.split(" ")[1]
    if in_dialog and not any(f"<{uri}>" in contact for contact in contacts):
        found.append(f"Request-URI {uri} is no Contact of the reader")
    return found


def _response(before: Traced, after: Traced, way: Way, request: Traced | None) -> list[str]:
    if before.start_line != after.start_line:
        return [f"{before.start_line} became {after.start_line}"]
    found = _kept(before, after, frozenset(("via", "from")), way)
    if values(after, "Via") != values(before, "Via")[way.hops :]:
        found.append(f"Via of {before.start_line}: {values(before, 'Via')} became {values(after, 'Via')}")
    if request is None or after.header("From") != request.header("From"):
        found.append(f"the From of {after.start_line} is not that of its request")
    return found


def _kept(before: Traced, after: Traced, may_change: frozenset[str], way: Way) -> list[str]:
    """The rows and the body that had to stay as they were."""
    wrote, read = ([row for row in rows(m)[1:] if _name(row) not in may_change] for m in (before, after))
    if way.streams:
        wrote = [_PLAIN_LENGTH.sub("Content-Length: ", row) for row in wrote]
        read = [_PLAIN_LENGTH.sub("Content-Length: ", row) for row in read]
    found = [] if wrote == read else [f"{before.start_line}:\n  wrote {wrote}\n  read  {read}"]
    if body(before) != body(after):
        found.append(f"body of {before.start_line}:\n  wrote {body(before)!r}\n  read  {body(after)!r}")
    return found


def rows(message: Traced) -> list[str]:
    """The start line and every header row with its continuation lines, octet by octet."""
    return _ROWS.split(message.text.partition("\r\n\r\n")[0])


def body(message: Traced) -> str:
    """What follows the head."""
    return message.text.partition("\r\n\r\n")[2]


def values(message: Traced, name: str) -> list[str]:
    """The values of a header field that is a list, one by one."""
    return [value.strip() for row in message.headers(name) for value in row.split(",")]


def _name(row: str) -> str:
    return row.partition(":")[0].strip(" \t").lower()

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

HOP = frozenset(
    ("via", "v", "max-forwards", "max-breadth", "record-route", "route")
)  # every proxy's business, in requests
SIGNED = frozenset(("p-asserted-identity", "identity", "date", "attestation-info", "origination-id"))  # by us, outbound
MARKED = SIGNED | {"from", "f"}  # inbound the verstat may be in From
_ROWS = re.compile(r"\r\n(?![ \t])")
PARTIES = frozenset(("from", "to", "f", "t"))  # checked against what each side knows
_UNPROVED = re.compile(";verstat=No-TN-Validation|;user=phone")
_PLAIN_LENGTH = re.compile("^Content-Length *: *")
_PROOF = re.compile(r"(;dialog=[0-9a-f~-]+\.)[12][0-9a-f]{16}")  # the caller's in a response, the callee's in a request
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
    for key in keys:
        for before, after in zip(wrote[key], read[key], strict=False):
            if after.code is None:
                found += _request(before, after, way)
                found += _inside(before, after, [m for m in reader if m.call_id == after.call_id])
            else:
                found += _response(before, after, way, requested.get(after.header("CSeq")))
    return found


def _end_to_end(messages: Iterable[Traced], sent: bool) -> dict[Key, list[Traced]]:
    """The messages that cross every proxy, each once however often it was repeated."""
    messages = list(messages)
    refused = {_number(m) for m in messages if m.sent is not sent and m.method == "INVITE" and (m.code or 0) >= 300}
    found: dict[Key, list[Traced]] = defaultdict(list)
    for message in messages:
        key = Key(message.method, message.code, message.header("CSeq") or "", _tag(message, "To"))
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


def _request(before: Traced, after: Traced, way: Way) -> list[str]:
    found = _kept(before, after, HOP | (PARTIES if _tag(before, "To") else way.screened), way)
    passed = values(after, "Via")
    own = [_FILLED_IN.sub("", via) for via in values(before, "Via")]
    if [_FILLED_IN.sub("", via) for via in passed[way.hops :]] != own:
        found.append(f"Via of {before.start_line}: {values(before, 'Via')} became {passed}")
    if int(after.header("Max-Forwards") or 0) != int(before.header("Max-Forwards") or 0) - way.hops:
        found.append(f"Max-Forwards {before.header('Max-Forwards')} became {after.header('Max-Forwards')}")
    if values(after, "Route"):
        found.append(f"a Route is left: {values(after, 'Route')}")
    return found


def _inside(before: Traced, after: Traced, call: list[Traced]) -> list[str]:
    """What a request inside a dialog has to be for its reader, ``call`` being all that one has written and read."""
    if not _tag(before, "To"):
        return []
    found = []
    if values(after, "Record-Route"):
        found.append(f"{before.start_line} got Record-Route")
    uri = after.start_line.split(" ")[1]
    if not any(m.sent and f"<{uri}>" in (m.header("Contact") or "") for m in call):
        found.append(f"Request-URI {uri} is no Contact of the reader")
    if [_tag(before, name) for name in ("From", "To")] != [_tag(after, name) for name in ("From", "To")]:
        found.append(f"the tags of {before.start_line} changed")
    # Each side knows the two parties as they were in the first request that it wrote or read.
    first = next(m for m in call if m.code is None)
    parties = [_address(first, name) for name in (("To", "From") if first.sent else ("From", "To"))]
    told = [_address(after, name) for name in ("From", "To")]
    ended = after.method == "NOTIFY" and any(m.method == "BYE" for m in call)
    if ended or first.method != "INVITE":  # nobody is remembered who was screened: what the network says has no verdict
        parties, told = ([_UNPROVED.sub("", text) for text in pair] for pair in (parties, told))
    if told != parties:
        found.append(f"the parties of {before.start_line} are not {parties}: {rows(after)}")
    return found


def _address(message: Traced, name: str) -> str:
    return (message.header(name) or "").partition(";tag=")[0]


def _tag(message: Traced, name: str) -> str:
    return (message.header(name) or "").partition(";tag=")[2]


def _response(before: Traced, after: Traced, way: Way, request: Traced | None) -> list[str]:
    if before.start_line != after.start_line:
        return [f"{before.start_line} became {after.start_line}"]
    found = _kept(before, after, PARTIES | {"via"}, way)
    if values(after, "Via") != values(before, "Via")[way.hops :]:
        found.append(f"Via of {before.start_line}: {values(before, 'Via')} became {values(after, 'Via')}")
    if request is None or after.header("From") != request.header("From"):
        found.append(f"the From of {after.start_line} is not that of its request")
    if request is None or _address(after, "To") != _address(request, "To") or _tag(after, "To") != _tag(before, "To"):
        found.append(f"the To of {after.start_line} is not that of its request, with its tag")
    return found


def _kept(before: Traced, after: Traced, may_change: frozenset[str], way: Way) -> list[str]:
    """The rows and the body that had to stay as they were."""
    wrote, read = ([row for row in rows(m)[1:] if _name(row) not in may_change] for m in (before, after))
    wrote, read = ([_PROOF.sub(r"\1", row) for row in there] for there in (wrote, read))
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

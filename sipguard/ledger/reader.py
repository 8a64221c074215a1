"""Reading the attestation log: by call, by its end, and against tampering.

A reader takes no lock: it may run beside the writer, and ignores a last line whose line feed is not there yet. A call
is several records of one ``id``: the decision, then ``answer`` and ``end`` events; ``Call`` puts them together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sipguard.errors import LedgerError
from sipguard.ledger.chain import link
from sipguard.ledger.segment import Segment, segments

Record = dict[str, Any]


@dataclass(slots=True)
class Call:
    """Everything the log holds about one call: its decision and what followed, in order."""

    decision: Record
    events: list[Record] = field(default_factory=list)

    @property
    def identifier(self) -> str:
        """The record identifier that is also in the refusal's Warning and in the logs."""
        return str(self.decision.get("id", ""))

    def as_json(self) -> Record:
        """One object: the decision with its follow-up records under ``events``."""
        return {**self.decision, "events": self.events}


class Broken(NamedTuple):
    """The first record that does not fit: where it stands and why it does not."""

    segment: str
    line: int  # from 1
    identifier: str
    reason: str


class Verification(NamedTuple):
    """What a verification found; ``broken`` is None when every record fits."""

    segments: int
    records: int
    broken: Broken | None


class LogReader:
    """Reads the log in one directory. Every method raises LedgerError when the directory cannot be read."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def records(self) -> Iterator[Record]:
        """Every record that decodes, oldest first."""
        for _, _, line in self._lines():
            record = _decode(line)
            if record is not None:
                yield record

    def tail(self, count: int) -> list[Call]:
        """The last ``count`` calls decided, oldest first, each with what followed."""
        events: dict[str, list[Record]] = {}
        calls: list[Call] = []
        for record in self.backwards():
            if len(calls) == count:
                break
            identifier = str(record.get("id", ""))
            if record.get("event") == "decision":
                calls.append(Call(record, events.pop(identifier, [])[::-1]))
            else:
                events.setdefault(identifier, []).append(record)
        return calls[::-1]

    def find(self, identifier: str) -> Call | None:
        """The call of a record identifier, None when the log does not hold it."""
        needle = identifier.encode()
        call = None
        for _, _, line in self._lines():
            record = _decode(line) if needle in line else None
            if record is None or record.get("id") != identifier:
                continue
            if record.get("event") == "decision":
                call = Call(record)
            elif call is not None:
                call.events.append(record)
        return call

    def search(self, calling: str | None = None, called: str | None = None, account: str | None = None) -> list[Call]:
        """The calls that match every criterion given, oldest first.

        Numbers match by their digits and may be partial (``4155550`` finds +14155550100); accounts match by name.
        """
        found: dict[str, Call] = {}
        for record in self.records():
            identifier = str(record.get("id", ""))
            if record.get("event") != "decision":
                if identifier in found:
                    found[identifier].events.append(record)
            elif (
                (account is None or record.get("account") == account)
                and _has_number(record.get("calling"), calling)
                and _has_number(record.get("called"), called)
            ):
                found[identifier] = Call(record)
        return list(found.values())

    def verify(self) -> Verification:
        """Check the chain from the oldest record kept to the newest; stops at the first that does not fit."""
        known = self._segments()
        expected: bytes | None = None
        count = 0
        for segment, number, line in self._lines():
            members = link(line)
            if members is None:
                reason = "carries no chain members"
            elif not members.intact:
                reason = "its hash is not that of its octets"
            elif expected is not None and members.previous != expected:
                reason = "does not follow the record before it"
            else:
                expected = members.hash
                count += 1
                continue
            identifier = str((_decode(line) or {}).get("id", ""))
            return Verification(len(known), count, Broken(segment.path.name, number, identifier, reason))
        return Verification(len(known), count, None)

    def _segments(self) -> list[Segment]:
        try:
            return segments(self.directory)
        except OSError as error:
            raise LedgerError(f"attestation log {self.directory}: {error.strerror or error}") from error

    def _lines(self) -> Iterator[tuple[Segment, int, bytes]]:
        """Every whole line with its segment and its number in it, oldest first."""
        for segment in self._segments():
            try:
                with open(segment.path, "rb") as file:
                    for number, line in enumerate(file, 1):
                        if line.endswith(b"\n"):
                            yield segment, number, line[:-1]
            except OSError as error:
                raise LedgerError(f"attestation log {segment.path}: {error.strerror or error}") from error

    def backwards(self) -> Iterator[Record]:
        """Every record that decodes, newest first; one segment is in memory at a time."""
        for segment in reversed(self._segments()):
            try:
                octets = segment.path.read_bytes()
            except OSError as error:
                raise LedgerError(f"attestation log {segment.path}: {error.strerror or error}") from error
            for line in reversed(octets[: octets.rfind(b"\n") + 1].split(b"\n")):
                record = _decode(line)
                if record is not None:
                    yield record


def _decode(line: bytes) -> Record | None:
    try:
        record = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return record if isinstance(record, dict) else None


def _digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def _has_number(numbers: object, wanted: str | None) -> bool:
    """Whether one of the numbers of a record's ``calling`` or ``called`` member holds the wanted digits."""
    if wanted is None:
        return True
    if not isinstance(numbers, Mapping):
        return False
    needle = _digits(wanted)
    for name, value in numbers.items():
        if name.startswith("raw_"):  # header text: its tags and addresses hold digits too
            continue
        for number in value if isinstance(value, list) else (value,):
            if isinstance(number, str) and needle and needle in _digits(number):
                return True
    return False

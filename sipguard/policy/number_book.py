"""What the registry says of every number: a compiled block, and over it what changed since.

The block may be shared with other processes and hold millions of numbers; the changes are few, plain, and this book's
own. A book never changes: ``with_changes`` makes the next one. Single numbers come before blocks, and blocks with a
longer prefix before those with a shorter one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sipguard.policy.call_lists import Listings
from sipguard.policy.compiled import Compiled, Rights
from sipguard.policy.pattern import Form, block_pattern, forms_of, split_block
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


@dataclass(frozen=True, slots=True)
class NumberChanges:
    """What is said anew of numbers and blocks, by pattern (``14155550100``, ``1415555XXXX``).

    No rights left is an empty mapping, and so is nothing left on the do-not-call lists (``called``); a registration or
    a do-not-originate entry (``listed``) that is gone is None.
    """

    rights: Mapping[str, Rights] = field(default_factory=dict)
    emergency: Mapping[TN, EmergencyRegistration | None] = field(default_factory=dict)
    listed: Mapping[str, ListEntry | None] = field(default_factory=dict)
    called: Mapping[str, Listings] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rights) + len(self.emergency) + len(self.listed) + len(self.called)


class NumberBook:
    """Looks numbers up. ``changes`` lie over ``base``; ``has_call_lists`` is False while nobody is on any."""

    __slots__ = (
        "_called", "_called_forms", "_emergency", "_listed", "_listed_forms", "_number_forms", "_rights", "base",
        "changes", "has_call_lists",
    )  # fmt: skip

    def __init__(self, base: Compiled | None = None, changes: NumberChanges | None = None) -> None:
        self.base = base
        self.changes = changes or NumberChanges()
        self._rights = self.changes.rights
        self._emergency = self.changes.emergency
        self._listed = self.changes.listed
        self._number_forms = _forms(self._rights, base.number_forms if base is not None else [])
        self._listed_forms = _forms(self._listed, base.listed_forms if base is not None else [])
        self._called = self.changes.called
        self._called_forms = _forms(self._called, base.called_forms if base is not None else [])
        compiled = base.counts if base is not None else {}
        self.has_call_lists = bool(self._called or compiled.get("called") or compiled.get("called_blocks"))

    @classmethod
    def of(
        cls,
        rights: Iterable[tuple[str, NumberRight]] = (),
        emergency: Iterable[EmergencyRegistration] = (),
        listed: Iterable[ListEntry] = (),
        called: Mapping[str, Listings] | None = None,
    ) -> "NumberBook":
        """A book of these alone; rights are given with the number or block they are for."""
        by_pattern: dict[str, dict[str, NumberRight]] = {}
        for pattern, right in rights:
            by_pattern.setdefault(pattern, {})[right.account] = right
        registrations = {registration.tn: registration for registration in emergency}
        entries = {entry.pattern: entry for entry in listed}
        return cls(None, NumberChanges(by_pattern, registrations, entries, called or {}))

    def with_changes(self, later: NumberChanges) -> "NumberBook":
        """The book with these changes on top."""
        earlier = self.changes
        return NumberBook(
            self.base,
            NumberChanges(
                {**earlier.rights, **later.rights},
                {**earlier.emergency, **later.emergency},
                {**earlier.listed, **later.listed},
                {**earlier.called, **later.called},
            ),
        )

    def rights(self, tn: TN) -> Rights | None:
        """Who may use this very number; None or nobody."""
        rights = self._rights.get(tn) if self._rights else None
        return self.base.rights(tn) if rights is None and self.base is not None else rights

    def block_rights(self, tn: TN) -> list[Rights]:
        """Who may use the blocks a number is in."""
        found = []
        for prefix_length, length in self._number_forms:
            if length == len(tn):
                prefix = tn[:prefix_length]
                rights = self._rights.get(block_pattern(prefix, length))
                if rights is None and self.base is not None:
                    rights = self.base.block_rights(prefix, length)
                if rights:
                    found.append(rights)
        return found

    def emergency(self, tn: TN) -> EmergencyRegistration | None:
        """The emergency registration of a number."""
        if tn in self._emergency:
            return self._emergency[tn]
        return None if self.base is None else self.base.emergency(tn)

    def listed(self, tn: TN, now: UnixTime) -> ListEntry | None:
        """The unexpired do-not-originate entry that matches, the longest pattern first."""
        base = self.base
        entry = self._listed.get(tn)
        if entry is None and base is not None and tn not in self._listed:
            entry = base.listed(tn)
        if entry is not None and entry.in_force(now):
            return entry
        for prefix_length, length in self._listed_forms:
            if length == len(tn):
                entry = self._listed_block(tn[:prefix_length], length)
                if entry is not None and entry.in_force(now):
                    return entry
        return None

    def called(self, tn: TN) -> list[Listings]:
        """What the do-not-call lists say of calls to a number, alone and by the blocks it is in."""
        base = self.base
        found = []
        listings = self._called.get(tn) if self._called else None
        if listings is None and base is not None:
            listings = base.called(tn)
        if listings:
            found.append(listings)
        for prefix_length, length in self._called_forms:
            if length == len(tn):
                prefix = tn[:prefix_length]
                listings = self._called.get(block_pattern(prefix, length))
                if listings is None and base is not None:
                    listings = base.called_block(prefix, length)
                if listings:
                    found.append(listings)
        return found

    def _listed_block(self, prefix: str, length: int) -> ListEntry | None:
        pattern = block_pattern(prefix, length)
        if pattern in self._listed or self.base is None:
            return self._listed.get(pattern)
        return self.base.listed_block(prefix, length)


def _forms(changed: Iterable[str], compiled: list[Form]) -> list[Form]:
    blocks = [block for block in map(split_block, changed) if block is not None]
    return sorted({*forms_of(blocks), *compiled}, reverse=True) if blocks else compiled

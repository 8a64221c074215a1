"""The lists of the registry by the names ``sipguard list`` has for them: do-not-originate and do-not-call alike."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from sipguard.policy.call_lists import EVERYBODY, CallList
from sipguard.registry import Registry
from sipguard.registry.call_list_format import CallListFormat, columns_of
from sipguard.registry.call_lists import CallListEntry
from sipguard.registry.csv_file import Columns
from sipguard.registry.formats import DoNotOriginateFormat
from sipguard.registry.import_plan import Format
from sipguard.registry.lists import PatternEntry
from sipguard.registry.values import shown_number, shown_time
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime


class ListName(StrEnum):
    """What a list is called."""

    DO_NOT_ORIGINATE = "do-not-originate"
    NATIONAL = CallList.NATIONAL.value
    OPT_OUT = CallList.OPT_OUT.value
    OPT_IN = CallList.OPT_IN.value


_MEANING = {
    ListName.DO_NOT_ORIGINATE: "must not originate calls",
    ListName.NATIONAL: "is on the national do-not-call list",
    ListName.OPT_OUT: "is not called by",
    ListName.OPT_IN: "may be called by",
}


class NamedList:
    """One list; those that callees' wishes are on are kept for each account."""

    def __init__(self, name: ListName, account: str | None, *, keeper_needed: bool = False) -> None:
        """Raises ValueError when an account is named and the list is nobody's, or not named and is needed."""
        kept = name in (ListName.OPT_OUT, ListName.OPT_IN)
        if account is not None and not kept:
            raise ValueError(f"--account is for opt-out and opt-in; the {name} list is nobody's")
        if kept and keeper_needed and account is None:
            raise ValueError(f"the {name} list is kept for each account; name one with --account")
        self._on_list = None if name is ListName.DO_NOT_ORIGINATE else CallList(name.value)
        self._account = account
        self.meaning = f"{_MEANING[name]} account {account}" if account is not None else _MEANING[name]

    @property
    def columns(self) -> Columns:
        """What a CSV file of the list has."""
        return DoNotOriginateFormat.columns if self._on_list is None else columns_of(self._on_list)

    def form(self, country: str, *, replace: bool) -> Format[Any]:
        """The format of such a file. Raises ValueError."""
        if self._on_list is None:
            return DoNotOriginateFormat(country, replace=replace)
        return CallListFormat(self._on_list, self._account or EVERYBODY, country, replace=replace)

    def add(self, registry: Registry, pattern: str, source: str, expires: UnixTime | None) -> dict[str, object]:
        """Add an entry; returns it as it is shown."""
        if self._on_list is None:
            entry = PatternEntry(pattern, source=source, expires=expires)
            registry.lists.add(entry)
            return _originating(entry)
        wish = CallListEntry(pattern, self._account or EVERYBODY, self._on_list, source, expires)
        registry.call_lists.add(wish)
        return _called(wish)

    def remove(self, registry: Registry, pattern: str) -> None:
        """Remove an entry."""
        if self._on_list is None:
            registry.lists.remove(pattern)
        else:
            registry.call_lists.remove(pattern, self._account or EVERYBODY, self._on_list)

    def clear(self, registry: Registry) -> int:
        """Remove every entry; returns how many there were."""
        if self._on_list is None:
            return registry.lists.clear()
        return registry.call_lists.clear(self._on_list, self._account or EVERYBODY)

    def records(self, registry: Registry, limit: int) -> Sequence[dict[str, object]]:
        """The entries as they are shown, at most so many."""
        if self._on_list is None:
            return [_originating(entry) for entry in registry.lists.list(limit)]
        return [_called(entry) for entry in registry.call_lists.list(self._on_list, self._account, limit)]

    def count(self, registry: Registry) -> int:
        """How many there are."""
        if self._on_list is None:
            return registry.lists.count()
        return registry.call_lists.count(self._on_list, self._account)

    def exported(self, registry: Registry) -> Iterator[dict[str, object]]:
        """All entries, with the plus sign that keeps an importer from taking a number for a national one."""
        if self._on_list is None:
            for entry in registry.lists.export():
                yield _originating(entry) | {"pattern": f"+{entry.pattern}"}
        else:
            for wish in registry.call_lists.export(self._on_list, self._account):
                yield _called(wish) | {"pattern": f"+{wish.pattern}"}


def listed_about(registry: Registry, tn: TN) -> list[dict[str, object]]:
    """What every list says of a number."""
    wishes = registry.call_lists.matching(tn)
    found: list[dict[str, object]] = [
        {"list": ListName.DO_NOT_ORIGINATE, "account": EVERYBODY, **_about(entry)}
        for entry in registry.lists.matching(tn)
    ]
    return found + [{"list": wish.on_list, "account": wish.account, **_about(wish)} for wish in wishes]


def _about(entry: PatternEntry | CallListEntry) -> dict[str, object]:
    expires = shown_time(entry.expires)
    return {"pattern": shown_number(entry.pattern), "source": entry.source, "expires": expires}


def _originating(entry: PatternEntry) -> dict[str, object]:
    return entry._asdict() | {"expires": shown_time(entry.expires)}


def _called(entry: CallListEntry) -> dict[str, object]:
    record = entry._asdict() | {"expires": shown_time(entry.expires)}
    return {"list": record.pop("on_list"), **record}

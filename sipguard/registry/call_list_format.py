"""CSV files of do-not-call lists: ``pattern,source,expires``, and ``account`` for lists that accounts keep."""

from collections.abc import Iterator, Sequence
from sys import intern  # of words that stand in a million rows one is kept

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from sipguard.config.dial_plan import dial_plan
from sipguard.policy.call_lists import EVERYBODY, CallList
from sipguard.registry.accounts import read_accounts
from sipguard.registry.call_lists import CallListEntry, keeper_problem, write_call_lists
from sipguard.registry.csv_file import Columns, RowProblem
from sipguard.registry.import_plan import Format, Numbered
from sipguard.registry.imports import repeated
from sipguard.registry.schema import CallListRow
from sipguard.registry.values import canonical_pattern, expiry, list_source, shown_number

_NATIONAL = Columns(("pattern",), ("source", "expires"))
_KEPT = Columns(("pattern",), ("account", "source", "expires"))


def columns_of(on_list: CallList) -> Columns:
    """What a file of this list has."""
    return _NATIONAL if on_list is CallList.NATIONAL else _KEPT


class CallListFormat(Format[CallListEntry]):
    """Entries of one list; a row that names no account is of ``account``.

    ``replace``: the file is the whole list, of that account if it is one that accounts keep.
    """

    noun = "call-list"
    table = CallListRow
    fields = CallListEntry._fields
    make = CallListEntry._make

    def __init__(
        self, on_list: CallList, account: str = EVERYBODY, country: str = "US", *, replace: bool = False
    ) -> None:
        """Raises ValueError for a country there is none of, and when it is not said whose list is replaced."""
        if replace and on_list is not CallList.NATIONAL and account == EVERYBODY:
            raise ValueError(f"say whose {on_list} list the file replaces")
        self.columns = columns_of(on_list)
        self._on_list = on_list
        self._account = account
        self._plan = dial_plan(country)
        self._replace = replace

    def entry(self, values: dict[str, str]) -> CallListEntry:
        """The entry of one row. Raises ValueError."""
        account = values.get("account") or self._account
        if self._replace and account != self._account:
            raise ValueError(f'is of account "{account}", the file replaces the list of "{self._account}"')
        return CallListEntry(
            canonical_pattern(values["pattern"], self._plan),
            intern(account),
            self._on_list,
            intern(list_source(values["source"])),
            expiry(values["expires"]),
        )

    def problems(self, session: Session, entries: Sequence[Numbered[CallListEntry]]) -> Iterator[RowProblem]:
        """Accounts that are not there or not named, and entries that repeat."""
        accounts = {account.name for account in read_accounts(session)}
        for line, entry in entries:
            problem = keeper_problem(entry, accounts)
            if problem is not None:
                yield RowProblem(line, problem)
        keys = ((line, (entry.pattern, entry.account)) for line, entry in entries)
        yield from repeated(keys, lambda key: shown_number(key[0]) if isinstance(key, tuple) else str(key))

    def replaced(self) -> ColumnElement[bool] | None:
        """The list that the file is the whole of."""
        if not self._replace:
            return None
        return and_(CallListRow.on_list == self._on_list.value, CallListRow.account == self._account)

    def store(self, session: Session, entries: Sequence[CallListEntry], imported: int | None) -> None:
        """Add or replace entries."""
        write_call_lists(session, entries, imported)

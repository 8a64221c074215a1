"""What an import changes: nothing that the file does not speak of, and every change can be found again."""

from pathlib import Path
from typing import Any

import pytest

from sipguard.policy.account import AccountState
from sipguard.policy.call_lists import EVERYBODY, CallList
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.audit_trail import AuditEntry
from sipguard.registry.call_list_format import CallListFormat
from sipguard.registry.call_lists import CallListEntry
from sipguard.registry.emergency import EmergencyEntry
from sipguard.registry.formats import AccountsFormat, DoNotOriginateFormat, EmergencyFormat, NumbersFormat
from sipguard.registry.imports import Import
from sipguard.registry.lists import PatternEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.schema import AccountKind
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from tests.registry.kit import acme, empty

pytestmark = [pytest.mark.usefixtures("store"), pytest.mark.clause("issue 5")]

NUMBER, OTHER = TN("14155550100"), TN("14155550123")
MOMENT = UnixTime(2_000_000_000)


def load(registry: Registry, form: Any, text: str, directory: Path, name: str = "file.csv") -> None:
    """Import a text as a file, which must be good."""
    path = directory / name
    path.write_text(text)
    report = Import(registry, form).run(path)
    assert (report.problems, report.stored) == ((), True)


def story(entries: list[AuditEntry]) -> list[tuple[object, ...]]:
    """Entries as what, whom it was of, and whom it is of: the account before and after."""

    def of(values: Any) -> object:
        return values.get("account") if isinstance(values, dict) else None

    return [(entry.what, of(entry.detail["before"]), of(entry.detail["after"])) for entry in entries]


@pytest.mark.parametrize("text", ["name,caller_name\nacme,Acme\n", "name,kind,state,caller_name\nacme,,,Acme\n"])
def test_an_import_without_states_activates_nobody(tmp_path: Path, text: str) -> None:
    """Without the column, or with nothing in it, an account stays suspended, in its place, and all the rest."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", state="suspended", attest_cap="B", countries="US CA")
    before = {entry.name: entry for entry in registry.accounts.list()}
    load(registry, AccountsFormat(), text, tmp_path)
    after = {entry.name: entry for entry in registry.accounts.list()}
    assert after == before | {"acme": before["acme"]._replace(caller_name="Acme")}
    assert after["acme"].state is AccountState.SUSPENDED


def test_a_new_account_is_active_and_what_is_terminated_stays_so(tmp_path: Path) -> None:
    """What is not there yet begins as always; a termination is neither taken back nor a problem."""
    registry = acme(tmp_path)
    registry.accounts.put_into("acme", AccountState.TERMINATED)
    load(registry, AccountsFormat(), "name,parent\nacme,reseller\nwest,reseller\n", tmp_path)
    states = {entry.name: (entry.kind, entry.state) for entry in registry.accounts.list()}
    assert states["acme"] == (AccountKind.ACCOUNT, AccountState.TERMINATED)
    assert states["west"] == (AccountKind.ACCOUNT, AccountState.ACTIVE)


def test_a_column_that_is_there_and_empty_clears(tmp_path: Path) -> None:
    """What the file does say holds: an empty cell takes the value away."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", caller_name="Acme", attest_cap="B")
    load(registry, AccountsFormat(), "name,caller_name\nacme,\n", tmp_path)
    (entry,) = [entry for entry in registry.accounts.list() if entry.name == "acme"]
    assert (entry.caller_name, entry.attest_cap, entry.parent) == (None, "B", "reseller")


def test_columns_of_numbers_that_are_not_there(tmp_path: Path) -> None:
    """End user, trunk and expiry stay; the kind, which the file says, is the new one."""
    registry = acme(tmp_path)
    held = NumberEntry(NUMBER, "acme", "owned", MOMENT, "acme/sales", "pbx")
    registry.numbers.add(held)
    load(registry, NumbersFormat(), f"number,account,kind\n+{NUMBER},acme,verified\n+{OTHER},acme,owned\n", tmp_path)
    assert registry.numbers.list() == [held._replace(kind="verified"), NumberEntry(OTHER, "acme", "owned")]


def test_columns_of_registrations_and_lists_that_are_not_there(tmp_path: Path) -> None:
    """A registration keeps its address and stays paid for, an entry of a list its source."""
    registry = acme(tmp_path)
    held = EmergencyEntry(NUMBER, "acme", location="1 Main St", unit="Floor 2", callback=OTHER, activated_at=MOMENT)
    registry.emergency.add(held)
    registry.lists.add(PatternEntry("1999XXXXXXX", source="irs", expires=MOMENT))
    wish = CallListEntry(OTHER, "acme", CallList.OPT_OUT, "letter", MOMENT)
    registry.call_lists.add(wish)
    load(registry, EmergencyFormat(), f"number,account,country,status\n+{NUMBER},acme,US,failed\n", tmp_path)
    load(registry, DoNotOriginateFormat(), "pattern,expires\n+1999XXXXXXX,\n", tmp_path)
    load(registry, CallListFormat(CallList.OPT_OUT, "acme"), f"pattern\n+{OTHER}\n", tmp_path)
    assert registry.emergency.list() == [held._replace(status="failed")]
    assert registry.lists.list() == [PatternEntry("1999XXXXXXX", source="irs")]
    assert registry.call_lists.list(CallList.OPT_OUT) == [wish]


def test_each_row_that_changed_is_in_the_audit(tmp_path: Path) -> None:
    """With what stood there and what stands there now, and who did it; a row that stays as it was is not."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", state="suspended")
    load(registry, AccountsFormat(), "name,state\nacme,active\nacme/sales,active\nwest,active\n", tmp_path)
    entries = registry.audit(what="account.import")
    assert {entry.who for entry in entries} == {"tester"}
    found = {entry.subject: entry.detail for entry in entries}
    assert found["acme"] == {
        "before": {"name": "acme", "state": "suspended"},
        "after": {"name": "acme", "state": "active"},
    }
    assert found["west"]["before"] is None
    assert found["west"]["after"]["name"] == "west"  # type: ignore[index]
    counts = found["file.csv"]["after"]
    assert isinstance(counts, dict)
    assert [counts[name] for name in ("rows", "new", "changed", "removed")] == [3, 1, 1, 0]
    assert len(str(counts["sha256"])) == 64
    assert found.keys() == {"acme", "west", "file.csv"}


def test_who_gave_this_number_to_whom(tmp_path: Path) -> None:
    """The whole life of a number: imported, given to another by hand, imported again."""
    registry = acme(tmp_path)
    registry.accounts.add(AccountEntry("west"))
    load(registry, NumbersFormat(), f"number,account,kind\n+{OTHER},acme,owned\n", tmp_path, "first.csv")
    (given, *_) = registry.history(OTHER)
    assert (given.who, given.what, given.subject, given.detail["before"]) == ("tester", "number.import", OTHER, None)
    after = given.detail["after"]
    assert isinstance(after, dict)
    assert (after["account"], after["kind"], after["file"]) == ("acme", "owned", "first.csv")
    registry.numbers.remove(OTHER)
    registry.numbers.add(NumberEntry(OTHER, "west"))
    text = f"number,account,kind\n+{OTHER},west,verified\n+{OTHER},acme,owned\n"
    load(registry, NumbersFormat(), text, tmp_path, "second.csv")
    load(registry, NumbersFormat(), text, tmp_path, "second.csv")
    registry.numbers.add(NumberEntry(OTHER, "acme", "verified"))
    assert story(registry.history(OTHER)) == [
        ("number.add", "acme", "acme"),
        ("number.import", "west", "west"),
        ("number.import", None, "acme"),
        ("number.add", None, "west"),
        ("number.remove", None, None),
        ("number.import", None, "acme"),
    ]
    removed = registry.history(OTHER)[-2].detail["before"]
    assert isinstance(removed, dict)
    assert removed["rights"][0]["account"] == "acme"


def test_the_blocks_a_number_is_in_belong_to_its_history(tmp_path: Path) -> None:
    """Who was given the block was given the number; other numbers and blocks are none of its business."""
    registry = acme(tmp_path)
    text = "number,account,kind\n+1415777XXXX,acme,owned\n+1415778XXXX,acme,owned\n+14157770001,acme,verified\n"
    load(registry, NumbersFormat(), text, tmp_path)
    registry.lists.add(PatternEntry("1415777XXXX"))
    history = registry.history("14157770000")
    assert [(entry.what, entry.subject) for entry in history] == [
        ("list.add", "1415777XXXX"), ("number.import", "1415777XXXX"),
    ]  # fmt: skip
    assert [entry.subject for entry in registry.history("1415778XXXX")] == ["1415778XXXX"]


def test_what_a_file_that_is_the_whole_list_takes_off(tmp_path: Path) -> None:
    """Each entry that is gone is in the audit with what stood there; entries of other lists stay, and the same ones."""
    registry = acme(tmp_path)
    national = CallListFormat(CallList.NATIONAL)
    load(registry, national, "pattern,source\n+14155550001,a\n+14155550002,a\n", tmp_path)
    registry.call_lists.add(CallListEntry(TN("14155550001"), "acme", CallList.OPT_OUT))
    load(registry, DoNotOriginateFormat(), "pattern\n+14155550001\n+14155550003\n", tmp_path)
    whole = CallListFormat(CallList.NATIONAL, EVERYBODY, replace=True)
    load(registry, whole, "pattern,source\n+14155550002,a\n+14155550009,b\n", tmp_path, "whole.csv")
    load(registry, DoNotOriginateFormat(replace=True), "pattern\n+14155550003\n", tmp_path)
    assert [entry.pattern for entry in registry.call_lists.list(CallList.NATIONAL)] == ["14155550002", "14155550009"]
    assert [entry.pattern for entry in registry.call_lists.list(CallList.OPT_OUT)] == ["14155550001"]
    assert [entry.pattern for entry in registry.lists.list()] == ["14155550003"]
    told = [(entry.what, entry.detail["after"] is None) for entry in registry.history("14155550001")]
    assert told == [
        ("list.import", True),
        ("call-list.import", True),
        ("list.import", False),
        ("call-list.add", False),
        ("call-list.import", False),
    ]
    assert [entry.what for entry in registry.history("14155550002")] == ["call-list.import"]


def test_a_suspension_by_a_file_holds_for_everybody_below(tmp_path: Path) -> None:
    """The next directory has it, of the accounts in the file and of those below them, without a reload."""
    registry = acme(tmp_path)
    directory = registry.directory()
    load(registry, AccountsFormat(), "name,state\nreseller,suspended\n", tmp_path)
    touched = registry.changes(directory)
    assert not touched.wholesale
    after = registry.follow(directory, touched).accounts
    assert {account.state for account in after.values()} == {AccountState.SUSPENDED}
    assert after == registry.directory().accounts


def test_an_import_of_many_accounts_compiles_no_numbers(tmp_path: Path) -> None:
    """A change for each of its rows is not more changes than can be followed: an import is an import."""
    registry = empty(tmp_path)
    directory = registry.directory()
    rows = "".join(f"a{number}\n" for number in range(20_100))
    load(registry, AccountsFormat(), f"name\n{rows}", tmp_path)
    touched = registry.changes(directory)
    assert (touched.wholesale, touched.of("account")) == (False, {""})
    assert len(registry.follow(directory, touched).accounts) == 20_100

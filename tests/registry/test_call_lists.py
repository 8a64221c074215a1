"""Do-not-call lists in the registry: kept, changed, imported, compiled and followed, on both stores."""

from pathlib import Path

import pytest

from sipguard.errors import RegistryError
from sipguard.policy.call_lists import EVERYBODY, CallList, DoNotCall, objection
from sipguard.policy.directory import Directory
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.call_list_format import CallListFormat
from sipguard.registry.call_lists import CallListEntry
from sipguard.registry.imports import Import, ImportReport
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from tests.registry.kit import acme, empty

pytestmark = pytest.mark.usefixtures("store")

NOW = UnixTime(1_800_000_000)
NUMBER, IN_BLOCK = TN("14155550150"), TN("14155561234")
NATIONAL = CallListEntry(NUMBER, EVERYBODY, CallList.NATIONAL, "ftc")
OPT_OUT = CallListEntry(NUMBER, "acme", CallList.OPT_OUT, "letter", UnixTime(NOW + 10))
OPT_IN = CallListEntry("1415556XXXX", "acme", CallList.OPT_IN)


def filled(directory: Path) -> Registry:
    """A registry with an entry on each list."""
    registry = acme(directory)
    for entry in (NATIONAL, OPT_OUT, OPT_IN):
        registry.call_lists.add(entry)
    return registry


def objects(directory: Directory, tn: TN, now: UnixTime = NOW) -> CallList | None:
    """Which list forbids a call of acme, which sells, to a number."""
    why = objection(directory.numbers.called(tn), ("reseller", "acme"), national=True, now=now)
    return None if why is None else why.listing.on


@pytest.mark.clause("policy: destinations")
def test_entries_are_kept_shown_and_removed(tmp_path: Path) -> None:
    """Each list has its own entries about the same number; what is removed is gone, and was there."""
    registry = filled(tmp_path)
    lists = registry.call_lists
    assert lists.list(CallList.OPT_OUT) == lists.list(CallList.OPT_OUT, "acme", 1) == [OPT_OUT]
    assert lists.list(CallList.OPT_OUT, "reseller") == []
    assert list(lists.export(CallList.NATIONAL)) == [NATIONAL]
    assert (lists.count(CallList.OPT_IN), lists.count(CallList.OPT_IN, "other")) == (1, 0)
    assert lists.matching(NUMBER) == [NATIONAL, OPT_OUT]
    assert lists.matching(IN_BLOCK) == [OPT_IN]
    lists.remove(NUMBER, "acme", CallList.OPT_OUT)
    assert lists.matching(NUMBER) == [NATIONAL]
    with pytest.raises(RegistryError, match=r"\+14155550150 is not on the opt-out list of account acme"):
        lists.remove(NUMBER, "acme", CallList.OPT_OUT)
    with pytest.raises(RegistryError, match=r"is not on the national list$"):
        lists.remove("14155550151", EVERYBODY, CallList.NATIONAL)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (OPT_OUT._replace(account="nobody"), 'no account is called "nobody"'),
        (OPT_OUT._replace(account=EVERYBODY), "the opt-out list is kept for each account; name one"),
        (NATIONAL._replace(account="acme"), "the national list is nobody's"),
    ],
)
def test_a_list_is_kept_by_an_account_there_is(tmp_path: Path, entry: CallListEntry, problem: str) -> None:
    """Opt-outs and opt-ins need an account, the national list has none."""
    with pytest.raises(RegistryError, match=problem):
        acme(tmp_path).call_lists.add(entry)


def test_every_change_is_audited(tmp_path: Path) -> None:
    """Who put whom on which list, and what stood there before."""
    registry = filled(tmp_path)
    registry.call_lists.add(OPT_OUT._replace(source="telephone"))
    registry.call_lists.remove(NUMBER, "acme", CallList.OPT_OUT)
    removed, changed, *_ = registry.audit(what="call-list", subject=NUMBER)
    assert (removed.what, removed.who) == ("call-list.remove", "tester")
    before = {**OPT_OUT._asdict(), "source": "telephone"}
    assert removed.detail == {"before": before, "after": None}
    assert changed.detail == {"before": OPT_OUT._asdict(), "after": before}


@pytest.mark.clause("policy: destinations")
def test_the_directory_finds_what_was_compiled_and_what_changed(tmp_path: Path) -> None:
    """Compiled and laid over alike: the national list, an opt-out until it expires, consent to a block."""
    registry = filled(tmp_path)
    directory = registry.directory()
    assert directory.numbers.has_call_lists
    assert objects(directory, NUMBER) is CallList.OPT_OUT
    assert objects(directory, NUMBER, UnixTime(NOW + 10)) is CallList.NATIONAL
    assert objects(directory, IN_BLOCK) is None
    registry.call_lists.add(CallListEntry(IN_BLOCK, EVERYBODY, CallList.NATIONAL))
    registry.call_lists.remove(NUMBER, "acme", CallList.OPT_OUT)
    touched = registry.changes(directory)
    assert not touched.wholesale
    followed = registry.follow(directory, touched)
    assert objects(followed, NUMBER) is CallList.NATIONAL
    assert objects(followed, IN_BLOCK) is None
    registry.call_lists.remove("1415556XXXX", "acme", CallList.OPT_IN)
    last = registry.follow(followed, registry.changes(followed))
    assert objects(last, IN_BLOCK) is objects(registry.directory(), IN_BLOCK) is CallList.NATIONAL


def test_a_registry_without_lists_says_so(tmp_path: Path) -> None:
    """Nobody is on a list: there is nothing to look up."""
    assert not acme(tmp_path).directory().numbers.has_call_lists


def load(registry: Registry, form: CallListFormat, text: str, directory: Path) -> ImportReport:
    """Import a file."""
    file = directory / "list.csv"
    file.write_text(text)
    return Import(registry, form).run(file)


@pytest.mark.clause("policy: destinations")
def test_a_national_list_is_imported_and_replaced(tmp_path: Path) -> None:
    """Rows are added or changed; a file that replaces the list takes everything else off, and other lists alone."""
    registry = filled(tmp_path)
    directory = registry.directory()
    text = "pattern,source,expires\n+14155550151,ftc,2030-01-01\n4155550152,,\n"
    assert load(registry, CallListFormat(CallList.NATIONAL), text, tmp_path).stored
    assert registry.changes(directory).wholesale
    assert registry.call_lists.count(CallList.NATIONAL) == 3
    whole = CallListFormat(CallList.NATIONAL, replace=True)
    assert load(registry, whole, "pattern\n+14155550152\n", tmp_path).stored
    assert [entry.pattern for entry in registry.call_lists.list(CallList.NATIONAL)] == ["14155550152"]
    assert registry.call_lists.count(CallList.OPT_OUT) == 1


def test_opt_outs_of_several_accounts_are_imported(tmp_path: Path) -> None:
    """A column names the account, or all rows are of one; replacing touches that account's list alone."""
    registry = filled(tmp_path)
    text = "pattern,account\n+14155550160,reseller\n+14155550160,\n"
    assert load(registry, CallListFormat(CallList.OPT_OUT, "acme"), text, tmp_path).stored
    found = registry.call_lists.matching(TN("14155550160"))
    assert [entry.account for entry in found] == ["acme", "reseller"]
    whole = CallListFormat(CallList.OPT_OUT, "acme", replace=True)
    assert load(registry, whole, "pattern\n+14155550161\n", tmp_path).stored
    entries = registry.call_lists.list(CallList.OPT_OUT)
    assert [(entry.pattern, entry.account) for entry in entries] == [
        ("14155550160", "reseller"),
        ("14155550161", "acme"),
    ]


def test_bad_rows_are_named_and_nothing_is_stored(tmp_path: Path) -> None:
    """Unknown or missing accounts, repeated rows, patterns and dates that are none, rows of another account."""
    registry = filled(tmp_path)
    text = (
        "pattern,account,expires\n+14155550161,acme,\n+14155550161,acme,\n+14155550162,nobody,\n+14155550163,,\n"
        "12,acme,\n+14155550164,acme,soon\n"
    )
    report = load(registry, CallListFormat(CallList.OPT_OUT), text, tmp_path)
    problems = {problem.line: problem.message for problem in report.problems}
    assert sorted(problems) == [3, 4, 5, 6, 7]
    assert problems[3] == "+14155550161 is in line 2 already"
    assert problems[4] == 'no account is called "nobody"'
    assert "name one" in problems[5]
    assert registry.call_lists.count(CallList.OPT_OUT) == 1
    form = CallListFormat(CallList.OPT_OUT, "acme", replace=True)
    report = load(registry, form, "pattern,account\n+14155550165,reseller\n", tmp_path)
    assert [problem.line for problem in report.problems] == [2]
    with pytest.raises(ValueError, match="say whose opt-out list"):
        CallListFormat(CallList.OPT_OUT, replace=True)


def test_an_account_with_lists_stays(tmp_path: Path) -> None:
    """An account is not removed while somebody has opted out of its calls."""
    registry = empty(tmp_path)
    registry.accounts.add(AccountEntry("acme"))
    registry.call_lists.add(OPT_OUT)
    with pytest.raises(RegistryError, match="still has entries on its call lists"):
        registry.accounts.remove("acme")
    registry.call_lists.remove(NUMBER, "acme", CallList.OPT_OUT)
    registry.accounts.remove("acme")


@pytest.mark.clause("policy: destinations")
def test_the_nearest_account_says_which_lists_count(tmp_path: Path) -> None:
    """Its own lists unless somebody on the path says otherwise; the nearest word counts."""
    registry = acme(tmp_path)
    assert registry.directory().accounts["acme"].do_not_call is DoNotCall.INTERNAL
    registry.accounts.change("reseller", do_not_call="national")
    assert registry.directory().accounts["acme/sales"].do_not_call is DoNotCall.NATIONAL
    registry.accounts.change("acme", do_not_call="off")
    assert registry.directory().accounts["acme/sales"].do_not_call is DoNotCall.OFF


@pytest.mark.parametrize("entries", [0, 3, 2500])
def test_a_list_is_cleared_in_batches(tmp_path: Path, entries: int) -> None:
    """All of one account's entries of one list go, however many, each with an entry in the audit; no other does."""
    registry = filled(tmp_path)
    registry.call_lists.clear(CallList.OPT_OUT, "acme")
    rows = "".join(f"+1415556{number:04},acme\n+1415556{number:04},reseller\n" for number in range(entries))
    assert load(registry, CallListFormat(CallList.OPT_OUT), f"pattern,account\n{rows}", tmp_path).stored
    kept = registry.call_lists.count(CallList.OPT_OUT, "reseller")
    before = len(registry.audit(what="call-list.remove"))
    assert registry.call_lists.clear(CallList.OPT_OUT, "acme") == entries
    assert len(registry.audit(what="call-list.remove")) == before + entries
    assert registry.call_lists.count(CallList.OPT_OUT) == kept == entries
    assert registry.call_lists.count(CallList.OPT_IN) == 1

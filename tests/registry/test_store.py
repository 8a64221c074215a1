"""Accounts, numbers, trunks, registrations and lists: what may be stored, and the audit of it."""

import time
from pathlib import Path

import pytest

from sipguard.errors import RegistryError
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.emergency import EmergencyEntry
from sipguard.registry.formats import AccountsFormat
from sipguard.registry.imports import Import
from sipguard.registry.lists import PatternEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.schema import AccountKind
from sipguard.registry.trunks import trunk_of
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from tests.registry.kit import acme

pytestmark = pytest.mark.usefixtures("store")

NUMBER = TN("14155550100")
NOW = UnixTime(1_767_225_600)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (AccountEntry("acme"), "exists already"),
        (AccountEntry("x", parent="nobody"), "is not an account"),
        (AccountEntry("x", AccountKind.OPERATOR, "reseller"), "cannot be below"),
        (AccountEntry("x", AccountKind.ACCOUNT, "acme"), "cannot be below"),
        (AccountEntry("x", AccountKind.END_USER), "needs a parent"),
    ],
)
def test_accounts_that_cannot_be(tmp_path: Path, entry: AccountEntry, why: str) -> None:
    """An account has one name and a parent on a level above it."""
    registry = acme(tmp_path)
    with pytest.raises(RegistryError, match=why):
        registry.accounts.add(entry)
    assert len(registry.accounts.list()) == 3


def test_account_changes(tmp_path: Path) -> None:
    """A change holds for the columns named; a change that breaks the tree is refused."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", state="warned", attest_cap="B")
    assert registry.accounts.list()[0] == AccountEntry("acme", AccountKind.ACCOUNT, "reseller", "warned", "B")
    with pytest.raises(RegistryError, match="cannot be below"):
        registry.accounts.change("acme", parent="acme/sales")
    with pytest.raises(RegistryError, match="no account"):
        registry.accounts.change("nobody", state="warned")


def test_an_end_user_stays_below_the_account_whose_numbers_it_has(tmp_path: Path) -> None:
    """Elsewhere its calls would take places of somebody else's limits, and end with somebody else's suspension."""
    registry = acme(tmp_path)
    registry.accounts.add(AccountEntry("other"))
    why = 'end user "acme/sales" has numbers of account "acme"'
    with pytest.raises(RegistryError, match=why):
        registry.accounts.change("acme/sales", parent="other")
    file = tmp_path / "accounts.csv"
    file.write_text("name,kind,parent\nnew,account,\nacme/sales,end_user,other\n")
    report = Import(registry, AccountsFormat()).run(file)
    assert [(problem.line, problem.message.partition(";")[0]) for problem in report.problems] == [(3, why)]
    registry.numbers.remove(TN("14155550100"))
    registry.accounts.change("acme/sales", parent="other")
    assert registry.directory().accounts["acme/sales"].path == ("other", "acme/sales")


def test_the_whole_account_may_move_with_its_end_users(tmp_path: Path) -> None:
    """Its end users stay below it, and keep their numbers."""
    registry = acme(tmp_path)
    registry.accounts.add(AccountEntry("reseller-2", AccountKind.RESELLER))
    registry.accounts.change("acme", parent="reseller-2")
    assert registry.directory().accounts["acme/sales"].path == ("reseller-2", "acme", "acme/sales")


def test_account_removal(tmp_path: Path) -> None:
    """An account goes when nothing belongs to it any more, and the refusal says what still does."""
    registry = acme(tmp_path)
    with pytest.raises(RegistryError, match="accounts below it"):
        registry.accounts.remove("acme")
    with pytest.raises(RegistryError, match="numbers of an end user"):
        registry.accounts.remove("acme/sales")
    registry.numbers.remove(NUMBER)
    registry.accounts.remove("acme/sales")
    registry.accounts.remove("acme")
    with pytest.raises(RegistryError, match="no account"):
        registry.accounts.remove("acme")


def test_one_owner(tmp_path: Path) -> None:
    """One account owns a number; others may have it verified or delegated."""
    registry = acme(tmp_path)
    registry.accounts.add(AccountEntry("globex"))
    with pytest.raises(RegistryError, match=r'\+14155550100 is owned by account "acme" already'):
        registry.numbers.add(NumberEntry(NUMBER, "globex"))
    registry.numbers.add(NumberEntry(NUMBER, "globex", "verified", UnixTime(2_000_000_000)))
    assert [entry.account for entry in registry.numbers.list()] == ["acme", "globex"]
    assert [entry.kind for entry in registry.numbers.list("globex")] == ["verified"]
    assert registry.numbers.remove(NUMBER) == 2


def test_number_of_nobody(tmp_path: Path) -> None:
    """A right needs its account, and an end user below that account."""
    registry = acme(tmp_path)
    registry.accounts.add(AccountEntry("globex"))
    for entry, why in (
        (NumberEntry(NUMBER, "nobody"), "no account"),
        (NumberEntry(TN("14155550101"), "globex", end_user="acme/sales"), "not an end user"),
        (NumberEntry(TN("14155550101"), "globex", end_user="globex"), "not an end user"),
        (NumberEntry(TN("14155550101"), "globex", end_user="ghost"), "not an end user"),
    ):
        with pytest.raises(RegistryError, match=why):
            registry.numbers.add(entry)
    with pytest.raises(RegistryError, match="nobody has a right"):
        registry.numbers.remove(TN("14155550199"))


def test_trunks(tmp_path: Path) -> None:
    """A trunk in the registry obeys the rules of the configuration file, and comes back as it was stored."""
    registry = acme(tmp_path)
    trunk = trunk_of({"name": "pbx", "side": "customer", "account": "acme", "sources": ["203.0.113.0/24"],
                      "on_mismatch": "downgrade", "trusted": True, "country": "GB"})  # fmt: skip
    registry.trunks.add(trunk)
    assert registry.trunks.list() == [trunk]
    with pytest.raises(RegistryError, match="sources: a customer trunk needs"):
        registry.trunks.add(trunk_of({"name": "x", "side": "customer", "account": "acme"}))
    with pytest.raises(RegistryError, match="no account"):
        registry.trunks.add(trunk.model_copy(update={"account": "nobody"}))
    with pytest.raises(RegistryError, match=r"side: .*; sources\.0: "):
        trunk_of({"name": "x", "side": "up", "sources": ["bad"]})
    registry.accounts.add(AccountEntry("globex"))
    registry.trunks.add(trunk.model_copy(update={"name": "g", "account": "globex"}))
    with pytest.raises(RegistryError, match="still has trunks"):
        registry.accounts.remove("globex")
    registry.trunks.remove("pbx")
    with pytest.raises(RegistryError, match="no trunk"):
        registry.trunks.remove("pbx")


def test_emergency(tmp_path: Path) -> None:
    """A number is registered for its account once; registering again changes the registration."""
    registry = acme(tmp_path)
    registry.emergency.add(EmergencyEntry(NUMBER, "acme", status="pending"))
    registry.emergency.add(EmergencyEntry(NUMBER, "acme", location="1 Main St", activated_at=NOW))
    assert registry.emergency.list() == [
        EmergencyEntry(NUMBER, "acme", "US", "registered", True, "1 Main St", activated_at=NOW)
    ]
    with pytest.raises(RegistryError, match="no account"):
        registry.emergency.add(EmergencyEntry(NUMBER, "nobody"))
    registry.emergency.remove(NUMBER)
    with pytest.raises(RegistryError, match="is not registered"):
        registry.emergency.remove(NUMBER)


def test_the_life_of_a_registration(tmp_path: Path) -> None:
    """Pending, active from when it is first registered, failed and registered again; the audit says each step."""
    registry = acme(tmp_path)
    registry.emergency.add(EmergencyEntry(NUMBER, "acme", status="pending", paid=False))
    assert registry.emergency.find(NUMBER).activated_at is None
    before = int(time.time())
    activated = registry.emergency.change(NUMBER, status="registered", paid=True, unit="Floor 2").activated_at
    assert activated is not None
    assert before <= activated <= time.time()
    registry.emergency.change(NUMBER, status="failed")
    entry = registry.emergency.change(NUMBER, status="registered")
    assert entry == EmergencyEntry(NUMBER, "acme", unit="Floor 2", activated_at=activated)
    assert registry.emergency.find(NUMBER) == entry
    last = registry.audit()[0]
    assert (last.what, last.subject) == ("emergency.set", NUMBER)
    assert (last.detail["before"]["status"], last.detail["after"]["status"]) == ("failed", "registered")
    with pytest.raises(RegistryError, match="is not registered"):
        registry.emergency.change(TN("14155550199"), status="failed")
    with pytest.raises(RegistryError, match="is not registered"):
        registry.emergency.find(TN("14155550199"))


def test_lists(tmp_path: Path) -> None:
    """Patterns are added, shown in order, counted and removed."""
    registry = acme(tmp_path)
    for pattern in ("1999XXXXXXX", "18008291040"):
        registry.lists.add(PatternEntry(pattern, source="irs"))
    assert [entry.pattern for entry in registry.lists.list(1)] == ["18008291040"]
    assert registry.lists.count() == 2
    registry.lists.remove("18008291040")
    with pytest.raises(RegistryError, match="is not on"):
        registry.lists.remove("18008291040")


def test_audit(tmp_path: Path) -> None:
    """Every change says when, who, what and to which thing; a refused one says nothing."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", state="suspended")
    with pytest.raises(RegistryError):
        registry.accounts.add(AccountEntry("acme"))
    entries = registry.audit()
    assert [(entry.what, entry.subject) for entry in reversed(entries)] == [
        ("account.add", "reseller"),
        ("account.add", "acme"),
        ("account.add", "acme/sales"),
        ("number.add", NUMBER),
        ("account.set", "acme"),
    ]
    assert {entry.who for entry in entries} == {"tester"}
    assert all(entry.at > 1_700_000_000 for entry in entries)


def test_audit_says_what_was_before(tmp_path: Path) -> None:
    """A change keeps the values it replaced, a removal all of them; a change can be found by thing, kind and user."""
    registry = acme(tmp_path)
    registry.accounts.change("acme", state="suspended")
    registry.numbers.add(NumberEntry(NUMBER, "acme", "verified", UnixTime(2_000_000_000)))
    registry.numbers.remove(NUMBER)
    registry.lists.add(PatternEntry("1999XXXXXXX"))
    registry.lists.remove("1999XXXXXXX")
    assert registry.audit(what="account.set")[0].detail == {
        "before": {"state": "active"},
        "after": {"state": "suspended"},
    }
    removed, changed, added = registry.audit(subject=NUMBER, what="number")
    assert added.detail["before"] is None
    assert changed.detail["before"] == added.detail["after"]
    assert removed.detail == {"before": {"rights": [changed.detail["after"]]}, "after": None}
    assert registry.audit(subject="1999XXXXXXX", limit=1)[0].detail["before"]
    assert registry.audit(who="nobody") == []
    assert registry.audit(since=4_000_000_000) == []


def test_numbers_are_found_by_how_they_begin(tmp_path: Path) -> None:
    """A search finds numbers with the prefix, and the blocks in which such numbers are."""
    registry = acme(tmp_path)
    registry.numbers.add(NumberEntry(TN("14155551000"), "acme"))
    registry.numbers.add(NumberEntry(TN("1415555XXXX"), "acme"))
    registry.numbers.add(NumberEntry(TN("1510555XXXX"), "acme"))
    assert [entry.tn for entry in registry.numbers.search("141555501", 9)] == [NUMBER, "1415555XXXX"]
    assert [entry.tn for entry in registry.numbers.search("14155551", 9)] == ["14155551000", "1415555XXXX"]
    assert len(registry.numbers.search("1", 2)) == 2
    assert [entry.tn for entry in registry.numbers.export("acme")] == [
        NUMBER, "14155551000", "1415555XXXX", "1510555XXXX",
    ]  # fmt: skip

"""The frozen directory: what the hot path finds of the registry."""

from pathlib import Path

import pytest

from sipguard.policy.account import Account, AccountState
from sipguard.policy.right import RightKind
from sipguard.policy.trunk import Side, TrafficClass, Trunk
from sipguard.policy.unprovisioned import Unprovisioned
from sipguard.registry.emergency import EmergencyEntry
from sipguard.registry.lists import PatternEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.trunks import trunk_of
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from tests.registry.kit import acme, empty

pytestmark = pytest.mark.usefixtures("store")

NOW = UnixTime(1_800_000_000)
NUMBER = TN("14155550100")


def test_empty(tmp_path: Path) -> None:
    """An empty registry makes an empty directory."""
    directory = empty(tmp_path).directory()
    assert (directory.accounts, directory.trunks, directory.revision) == ({}, {}, 0)


@pytest.mark.parametrize("above", ["reseller", "acme"])
def test_state_cascades(tmp_path: Path, above: str) -> None:
    """The strictest state on the path holds for everything below."""
    registry = acme(tmp_path)
    registry.accounts.change("acme/sales", state="warned")
    registry.accounts.change(above, state="suspended")
    accounts = registry.directory().accounts
    assert accounts["acme/sales"].state is accounts["acme"].state is AccountState.SUSPENDED


def test_inherited_settings(tmp_path: Path) -> None:
    """The lowest attestation cap and the nearest emergency setting on the path hold."""
    registry = acme(tmp_path)
    registry.accounts.change("reseller", attest_cap="C", emergency_unprovisioned="reject")
    registry.accounts.change("acme", attest_cap="B", emergency_unprovisioned="route")
    assert registry.directory().accounts["acme/sales"] == Account(
        "acme/sales", AccountState.ACTIVE, ("reseller", "acme", "acme/sales"), "C", "route"
    )
    assert registry.directory().accounts["reseller"].emergency_unprovisioned is Unprovisioned.REJECT


@pytest.mark.clause("BLK-12")
def test_the_nearest_signing_certificate(tmp_path: Path) -> None:
    """An account is signed with its own certificate, else with that of the nearest account above it that has one."""
    registry = acme(tmp_path)
    registry.accounts.change("reseller", certificate="reseller-2026")
    assert registry.directory().accounts["acme/sales"].certificate == "reseller-2026"
    registry.accounts.change("acme", certificate="acme-2026")
    assert registry.directory().accounts["acme/sales"].certificate == "acme-2026"
    assert registry.directory().accounts["reseller"].certificate == "reseller-2026"


@pytest.mark.clause("RCD-01")
def test_the_nearest_caller_name(tmp_path: Path) -> None:
    """An account's calls are named after it, else after the nearest account above it that has a name."""
    registry = acme(tmp_path)
    registry.accounts.change("reseller", caller_name="Reseller Inc")
    assert registry.directory().accounts["acme/sales"].caller_name == "Reseller Inc"
    registry.accounts.change("acme", caller_name="Acme Corp")
    assert registry.directory().accounts["acme/sales"].caller_name == "Acme Corp"


def test_rights(tmp_path: Path) -> None:
    """A right is found by number and account, with its kind; an expired one is none."""
    registry = acme(tmp_path)
    registry.numbers.add(NumberEntry(TN("14155550123"), "acme", "verified", UnixTime(NOW + 1)))
    directory = registry.directory()
    owned = directory.right(NUMBER, "acme", NOW)
    assert owned is not None
    assert (owned.kind, owned.end_user) == (RightKind.OWNED, "acme/sales")
    assert directory.right(TN("14155550123"), "acme", NOW) is not None
    assert directory.right(TN("14155550123"), "acme", UnixTime(NOW + 1)) is None
    assert directory.right(NUMBER, "reseller", NOW) is None


def test_trunks_merge(tmp_path: Path) -> None:
    """Trunks of file and registry are one directory; the file wins a name both have."""
    registry = acme(tmp_path)
    for name in ("pbx", "carrier"):
        registry.trunks.add(trunk_of({"name": name, "side": "network", "targets": ["sip:192.0.2.1"]}))
    directory = registry.directory([Trunk("pbx", Side.CUSTOMER, "acme", ("203.0.113.5",))])
    assert [trunk.name for trunk in directory.trunks.values()] == ["pbx", "carrier"]
    assert directory.trunks["pbx"].side is Side.CUSTOMER
    found = directory.trunk_at("203.0.113.5")
    assert found is not None
    assert found.name == "pbx"
    assert [trunk.name for trunk in directory.egress(TrafficClass.CONVERSATIONAL)] == ["carrier"]


def test_emergency_and_lists(tmp_path: Path) -> None:
    """Registrations and patterns are found by number."""
    registry = acme(tmp_path)
    registry.emergency.add(EmergencyEntry(NUMBER, "acme", location="1 Main St"))
    registry.lists.add(PatternEntry("1999XXXXXXX", source="irs"))
    directory = registry.directory()
    registration = directory.emergency(NUMBER)
    entry = directory.do_not_originate(TN("19995550100"), NOW)
    assert registration is not None
    assert (registration.location, registration.paid) == ("1 Main St", True)
    assert entry is not None
    assert entry.source == "irs"


def test_revision(tmp_path: Path) -> None:
    """Every change gives the directory another revision."""
    registry = acme(tmp_path)
    before = registry.directory().revision
    registry.accounts.change("acme", state="warned")
    assert registry.directory().revision != before

"""Credentials in the registry: what is kept, who owns a user name, and what the audit says."""

from pathlib import Path

import pytest

from sipguard.config import TrunkSection
from sipguard.errors import RegistryError
from sipguard.policy.trunk import Side
from sipguard.registry.credentials import CredentialEntry
from tests.registry.kit import acme

pytestmark = pytest.mark.usefixtures("store")

SECRETS = {"SHA-256": "a" * 64, "MD5": "b" * 32}


@pytest.mark.clause("PRX-32")
def test_life_of_a_credential(tmp_path: Path) -> None:
    """Set, replaced, shown without its secrets, in the directory with them, and removed; each change is audited."""
    registry = acme(tmp_path)
    registry.credentials.set("pbx", "acme", "sip.example", SECRETS)
    registry.credentials.set("pbx", "acme", "sip.example", {"SHA-256": "c" * 64})
    assert registry.credentials.list() == [CredentialEntry("pbx", "acme", "sip.example", ("SHA-256",))]
    known = registry.directory().credential("sip.example", "SHA-256", "acme")
    assert known is not None
    assert (known.trunk, known.secret) == ("pbx", "c" * 64)
    assert "ccc" not in repr(known)
    assert registry.directory().credential("sip.example", "MD5", "acme") is None
    registry.credentials.remove("pbx", "acme")
    assert registry.credentials.list() == []
    audit = [entry for entry in reversed(registry.audit()) if entry.what.startswith("credential")]
    assert [(entry.what, entry.subject) for entry in audit] == [
        ("credential.set", "pbx"), ("credential.set", "pbx"), ("credential.remove", "pbx"),
    ]  # fmt: skip
    assert audit[-1].detail == {"before": {"username": "acme", "realms": ["sip.example"]}, "after": None}
    assert not any(secret in str(audit) for secret in ("aaa", "bbb", "ccc"))
    assert registry.directory().revision == len(registry.audit())


def test_a_user_name_is_of_one_trunk(tmp_path: Path) -> None:
    """In one realm; in another it is another user. What is not there cannot be removed."""
    registry = acme(tmp_path)
    registry.credentials.set("pbx", "acme", "sip.example", SECRETS)
    registry.credentials.set("other", "acme", "other.example", SECRETS)
    with pytest.raises(RegistryError, match='is of trunk "pbx" already'):
        registry.credentials.set("other", "acme", "sip.example", SECRETS)
    with pytest.raises(RegistryError, match='trunk "pbx" has no user "nobody"'):
        registry.credentials.remove("pbx", "nobody")


def test_a_trunk_takes_its_users_with_it(tmp_path: Path) -> None:
    """After a trunk of the registry is removed, its user names open nothing."""
    registry = acme(tmp_path)
    registry.trunks.add(TrunkSection(name="pbx", side=Side.CUSTOMER, account="acme", digest=True))
    assert registry.directory().asks_credentials
    registry.credentials.set("pbx", "acme", "sip.example", SECRETS)
    registry.trunks.remove("pbx")
    assert registry.credentials.list() == []


def test_the_audit_of_a_trunk_that_goes_names_its_users(tmp_path: Path) -> None:
    """They go with it, and nothing else would say who could call by it."""
    registry = acme(tmp_path)
    registry.trunks.add(TrunkSection(name="pbx", side=Side.CUSTOMER, account="acme", digest=True))
    registry.credentials.set("pbx", "sales", "sip.example", SECRETS)
    registry.credentials.set("pbx", "office", "sip.example", SECRETS)
    registry.trunks.remove("pbx")
    before = registry.audit(what="trunk.remove")[0].detail["before"]
    assert isinstance(before, dict)
    assert (before["users"], before["account"]) == (["office", "sales"], "acme")

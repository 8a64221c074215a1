"""The compiled file: in step with the registry, or made anew."""

import os
import subprocess
from pathlib import Path

import pytest

from sipguard.errors import RegistryError
from sipguard.policy.account import AccountState
from sipguard.policy.right import RightKind
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.compiled_file import compile_apart
from sipguard.registry.emergency import EmergencyEntry
from sipguard.registry.formats import NumbersFormat
from sipguard.registry.imports import Import
from sipguard.registry.lists import PatternEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from tests.registry.kit import acme, empty

pytestmark = pytest.mark.usefixtures("store")

NOW = UnixTime(1_800_000_000)
NUMBER, LATER = TN("14155550100"), TN("14155550177")


def made(file: Path) -> tuple[int, int]:
    """Which file this is."""
    status = file.stat()
    return status.st_ino, status.st_mtime_ns


def test_the_file_serves_the_next_start(tmp_path: Path) -> None:
    """A file is mapped again as long as only single things changed; those are seen all the same."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    assert registry.directory(compiled=file).right(NUMBER, "acme", NOW)
    first = made(file)
    registry.numbers.add(NumberEntry(LATER, "acme", "verified"))
    registry.numbers.remove(NUMBER)
    directory = registry.directory(compiled=file)
    right = directory.right(LATER, "acme", NOW)
    assert right is not None
    assert right.kind is RightKind.VERIFIED
    assert directory.right(NUMBER, "acme", NOW) is None
    assert made(file) == first


def test_an_import_makes_the_file_anew(tmp_path: Path) -> None:
    """After an import the numbers are compiled again."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    registry.directory(compiled=file)
    first = made(file)
    rows = tmp_path / "numbers.csv"
    rows.write_text("number,account,kind\n+14155550177,acme,owned\n")
    assert Import(registry, NumbersFormat()).run(rows).stored
    assert registry.directory(compiled=file).right(LATER, "acme", NOW)
    assert made(file) != first


@pytest.mark.parametrize("content", [b"", b"sipguard directory 3\n\0\0\0", b"\0" * 4096])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """A file that is no compiled block costs its making, not the start; that it was damaged is told."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    file.write_bytes(content)
    told: list[str] = []
    assert registry.directory(compiled=file, damaged=told.append).right(NUMBER, "acme", NOW)
    assert len(told) == 1
    assert str(file) in told[0]
    assert registry.directory(compiled=file, damaged=told.append).right(NUMBER, "acme", NOW)
    assert len(told) == 1


@pytest.mark.clause("issue 5")
def test_a_flipped_bit_is_made_anew(tmp_path: Path) -> None:
    """Another octet in the body, where who has which number stands: the registry is asked, never the file believed."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    registry.directory(compiled=file)
    content = file.read_bytes()
    at = content.index(b'"acme/sales"')
    file.write_bytes(content[:at] + b'"acme/saler"' + content[at + 12 :])
    told: list[str] = []
    assert not registry.in_step(file, told.append)
    directory = registry.directory(compiled=file, damaged=told.append)
    right = directory.right(NUMBER, "acme", NOW)
    assert right is not None
    assert right.end_user == "acme/sales"
    assert told == [f"{file} is a damaged directory"] * 2
    assert registry.in_step(file)


@pytest.mark.parametrize("content", [None, b"sipguard directory 2\n\0\0\0"])
def test_a_file_that_is_not_there_or_of_another_version_is_no_damage(tmp_path: Path, content: bytes | None) -> None:
    """A first start and an upgrade make the file and raise no alarm."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    if content is not None:
        file.write_bytes(content)
    told: list[str] = []
    assert registry.directory(compiled=file, damaged=told.append).right(NUMBER, "acme", NOW)
    assert told == []


def test_a_file_of_another_registry_is_made_anew(tmp_path: Path) -> None:
    """A database that was put in place of another has as many changes, and others."""
    file = tmp_path / "compiled"
    acme(tmp_path).directory(compiled=file)
    other = tmp_path / "other"
    other.mkdir()
    registry = empty(other)
    for name in ("a", "b", "c"):
        registry.accounts.add(AccountEntry(name))
    registry.numbers.add(NumberEntry(LATER, "a"))
    directory = registry.directory(compiled=file)
    assert directory.right(NUMBER, "acme", NOW) is None
    assert directory.right(LATER, "a", NOW)


def test_a_directory_nobody_may_write_to_is_one_clear_line(tmp_path: Path) -> None:
    """When the file cannot be written the error names it."""
    with pytest.raises(RegistryError, match=r"nowhere/compiled cannot be written: No such file"):
        acme(tmp_path).directory(compiled=tmp_path / "nowhere" / "compiled")


def test_another_process_compiles(tmp_path: Path) -> None:
    """The same file comes out of a process of its own; its complaint is the error."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    compile_apart(registry.url, file)
    first = made(file)
    assert registry.directory(compiled=file).right(NUMBER, "acme", NOW)
    assert made(file) == first
    with pytest.raises(RegistryError, match="cannot be written"):
        compile_apart(registry.url, tmp_path / "nowhere" / "compiled")
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".compiled")]


def follow(registry: Registry, directory):  # type: ignore[no-untyped-def]
    """The directory after the changes since."""
    return registry.follow(directory, registry.changes(directory))


def test_changes_are_followed_without_reading_everything(tmp_path: Path) -> None:
    """What changed of numbers, registrations, lists, credentials and accounts holds in the next directory only."""
    registry = acme(tmp_path)
    before = registry.directory()
    registry.numbers.add(NumberEntry(LATER, "acme"))
    registry.emergency.add(EmergencyEntry(LATER, "acme"))
    registry.lists.add(PatternEntry("1999XXXXXXX"))
    registry.credentials.set("pbx", "alice", "sip.example", {"SHA-256": "0" * 64})
    registry.accounts.change("reseller", state="suspended")
    after = follow(registry, before)
    assert after.right(LATER, "acme", NOW)
    assert after.emergency(LATER)
    assert after.do_not_originate(TN("19995550100"), NOW)
    assert after.credential("sip.example", "SHA-256", "alice")
    assert after.accounts == registry.directory().accounts
    assert {account.state for account in after.accounts.values()} == {AccountState.SUSPENDED}
    assert before.right(LATER, "acme", NOW) is None
    assert not registry.changes(after).subjects


def test_accounts_come_move_and_go(tmp_path: Path) -> None:
    """An account that is added, moved below another or removed is so in the next directory."""
    registry = acme(tmp_path)
    directory = registry.directory()
    registry.accounts.add(AccountEntry("west", parent="reseller"))
    directory = follow(registry, directory)
    registry.accounts.change("west", parent=None)
    directory = follow(registry, directory)
    assert directory.accounts == registry.directory().accounts
    registry.accounts.remove("west")
    assert follow(registry, directory).accounts == registry.directory().accounts


@pytest.mark.parametrize(
    ("old", "new"), [(b'"numbers.keys":[0,24]', b'"numbers.keys":[0,23]'), (b"fingerprint", b"fingerpr\xffnt")]
)
def test_a_damaged_header_is_a_damaged_file(tmp_path: Path, old: bytes, new: bytes) -> None:
    """A place in the file that cannot be, or a name that is no text, costs the making of it too."""
    registry, file = acme(tmp_path), tmp_path / "compiled"
    registry.directory(compiled=file)
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new))
    assert registry.directory(compiled=file).right(NUMBER, "acme", NOW)


def test_the_password_of_the_database_is_in_no_list_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may list processes does not see the URL that the compiling one is given."""
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    compile_apart("postgresql://sipguard:hush@192.0.2.1/registry", tmp_path / "compiled")
    assert seen
    assert "hush" not in " ".join(seen[0])


def test_an_older_copy_of_the_database_is_noticed(tmp_path: Path) -> None:
    """A database that is not the one, or is older than what was read of it, is read anew: else its changes are lost."""
    registry = acme(tmp_path)
    directory = registry.directory()
    assert not registry.changes(directory).wholesale
    newer = follow(registry, directory)
    newer.revision += 1  # a change that the copy does not have
    assert registry.changes(newer).wholesale
    other = tmp_path / "other"
    other.mkdir()
    registry = empty(other)
    for name in ("a", "b", "c", "d", "e"):
        registry.accounts.add(AccountEntry(name))
    assert registry.changes(directory).wholesale

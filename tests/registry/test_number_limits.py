"""How many calls a number may have at a time, as its right says."""

from pathlib import Path

import pytest

from sipguard.policy.directory import Directory
from sipguard.registry.numbers import NumberEntry
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from tests.cli.kit import Shell
from tests.registry.kit import acme

SINGLE, INSIDE, BLOCK = TN("14155550100"), TN("14155551234"), TN("1415555XXXX")


def most(directory: Directory, tn: TN) -> int | None:
    """The calls at a time that acme may have from a number."""
    right = directory.right(tn, "acme", UnixTime(0))
    assert right is not None
    return right.max_calls


@pytest.mark.usefixtures("store")
def test_a_number_and_a_block_have_their_own(tmp_path: Path) -> None:
    """Compiled or laid over what was compiled; a number without one has none, though it is in a block with one."""
    registry = acme(tmp_path)
    registry.numbers.add(NumberEntry(BLOCK, "acme", "delegated", max_calls=3))
    compiled = registry.directory()
    assert (most(compiled, SINGLE), most(compiled, INSIDE)) == (None, 3)
    registry.numbers.add(NumberEntry(SINGLE, "acme", max_calls=0))
    assert most(registry.follow(compiled, registry.changes(compiled)), SINGLE) == 0
    assert most(registry.directory(), SINGLE) == 0


def test_by_command_and_by_file(tmp_path: Path) -> None:
    """Set, listed, exported, imported, taken away, explained; a mistake names the value."""
    shell = Shell(tmp_path)
    shell.run("account", "add", "acme")
    added = shell.data("number", "add", "+14155550100", "--account", "acme", "--max-calls", "2")
    assert added["max_calls"] == 2
    [held] = shell.data("explain", "number", "+14155550100")["rights"]
    assert held["max_calls"] == 2
    file = tmp_path / "numbers.csv"
    shell.run("number", "export", str(file))
    shell.run("number", "add", "+14155550100", "--account", "acme")
    assert shell.data("number", "list")[0]["max_calls"] is None
    assert shell.run("number", "import", str(file)).code == 0
    assert shell.data("number", "list")[0]["max_calls"] == 2
    file.write_text("number,account,kind,max_calls\n+14155550100,acme,owned,few\n")
    assert f"{file}:2: " in shell.run("number", "import", str(file)).err
    assert shell.run("number", "add", "+14155550100", "--account", "acme", "--max-calls", "-1").code == 2

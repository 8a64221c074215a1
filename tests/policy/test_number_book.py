"""Numbers as they were compiled, and the changes that lie over them."""

import pytest

from sipguard.errors import DamagedFile, RegistryError
from sipguard.policy.account import Account
from sipguard.policy.compiled import MAGIC, Compiled, Contents, compile_block
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook, NumberChanges
from sipguard.policy.pattern import block_key
from sipguard.policy.right import EmergencyRegistration, ListEntry, NumberRight, RightKind
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

NOW = UnixTime(1_764_000_000)
SINGLE, OTHER, IN_BLOCK = TN("14155550100"), TN("14155550101"), TN("14155551234")
OWNED = (("acme", 1, None, "acme/sales", "pbx"),)
SHARED = (("acme", 1, None, None, None), ("other", 2, NOW + 10, None, None))


def block() -> bytes:
    """A compiled block: two numbers, a block of numbers, a registration, a listed number and a listed block."""
    tables = {
        "numbers": [(SINGLE, OWNED), (OTHER, SHARED)],
        "number_blocks": [(block_key("1415555", 11), (("acme", 1, None, None, None),))],
        "emergency": [(SINGLE, ("acme", "US", "registered", True, "1 Main St"))],
        "listed": [("14155550199", ("ITG", None))],
        "listed_blocks": [(block_key("1999", 11), ("", NOW + 10))],
    }
    counts = {name: len(rows) for name, rows in tables.items()}
    return b"".join(compile_block(Contents(7, "seven", counts, [(7, 11)], [(4, 11)], tables)))


@pytest.fixture
def book() -> NumberBook:
    """A book over the compiled block."""
    return NumberBook(Compiled(block()))


def test_what_was_compiled_is_read_back(book: NumberBook) -> None:
    """Rights with all they say, registrations and list entries are those that went in."""
    assert book.rights(SINGLE) == {"acme": NumberRight("acme", RightKind.OWNED, None, "acme/sales", "pbx")}
    assert set(book.rights(OTHER) or ()) == {"acme", "other"}
    assert book.rights(IN_BLOCK) is None
    assert book.emergency(SINGLE) == EmergencyRegistration(SINGLE, "acme", "US", "registered", True, "1 Main St")
    assert book.emergency(OTHER) is None
    assert book.listed(TN("14155550199"), NOW) == ListEntry("14155550199", "ITG")
    assert book.listed(TN("19995550100"), NOW) == ListEntry("1999XXXXXXX", "", NOW + 10)
    assert book.listed(TN("19995550100"), UnixTime(NOW + 10)) is None
    assert book.listed(TN("1999555010"), NOW) is None


def test_a_block_gives_its_numbers(book: NumberBook) -> None:
    """Whoever owns a block may use every number in it, and calls to them are its calls."""
    directory = Directory(accounts=(Account("acme", path=("acme",)),), numbers=book)
    right = directory.right(IN_BLOCK, "acme", NOW)
    assert right is not None
    assert directory.home(IN_BLOCK) == right
    assert directory.right(TN("141555512345"), "acme", NOW) is None
    assert directory.right(IN_BLOCK, "other", NOW) is None


def test_changes_lie_over_what_was_compiled(book: NumberBook) -> None:
    """A change hides what was compiled for the same number, and nothing else; the book it was made from stays."""
    later = book.with_changes(
        NumberChanges(
            rights={SINGLE: {}, "1415555XXXX": {}, "1510555XXXX": {"new": NumberRight("new", RightKind.OWNED)}},
            emergency={SINGLE: None},
            listed={"14155550199": None, "1999XXXXXXX": None, "1900XXXXXXX": ListEntry("1900XXXXXXX")},
        )
    )
    assert not later.rights(SINGLE)
    assert later.rights(OTHER) == book.rights(OTHER)
    assert later.block_rights(IN_BLOCK) == []
    assert later.block_rights(TN("15105550100")) == [{"new": NumberRight("new", RightKind.OWNED)}]
    assert later.emergency(SINGLE) is None
    assert later.listed(TN("14155550199"), NOW) is None
    assert later.listed(TN("19995550100"), NOW) is None
    assert later.listed(TN("19005550100"), NOW) is not None
    assert book.rights(SINGLE)
    assert book.listed(TN("19005550100"), NOW) is None


def test_later_changes_win(book: NumberBook) -> None:
    """Of two changes to one number the later holds."""
    mine = {"acme": NumberRight("acme", RightKind.VERIFIED)}
    once = book.with_changes(NumberChanges(rights={SINGLE: {}}))
    assert once.with_changes(NumberChanges(rights={SINGLE: mine})).rights(SINGLE) == mine


@pytest.mark.parametrize("cut", [0, len(MAGIC), len(MAGIC) + 20, -8])
def test_a_damaged_block_is_refused(cut: int) -> None:
    """What is no compiled block, or not all of one, is an error and not a wrong answer."""
    with pytest.raises(RegistryError):
        Compiled(block()[:cut])
    with pytest.raises(RegistryError):
        Compiled(b"x" + block())


@pytest.mark.clause("issue 5")
def test_any_flipped_bit_is_noticed() -> None:
    """Wherever it is, in a number, a right, a place or the sum itself: never a wrong answer."""
    good = bytearray(block())
    for at in range(len(MAGIC), len(good)):
        good[at] ^= 1 << at % 8
        with pytest.raises(DamagedFile):
            Compiled(bytes(good))
        good[at] ^= 1 << at % 8
    assert Compiled(bytes(good)).revision == 7


def test_a_block_of_another_version_is_not_damaged() -> None:
    """After an upgrade the file is made anew, and nobody looks at the disk."""
    other = block().replace(b"directory 3", b"directory 2", 1)
    with pytest.raises(RegistryError, match="of this version") as caught:
        Compiled(other)
    assert not isinstance(caught.value, DamagedFile)

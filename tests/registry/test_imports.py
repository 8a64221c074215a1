"""CSV imports: all or nothing, every bad row with its line."""

import hashlib
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sipguard.config.callers import CallersSection
from sipguard.errors import RegistryError
from sipguard.policy.premium_numbers import PremiumNumbers
from sipguard.registry import Registry
from sipguard.registry.formats import AccountsFormat, DoNotOriginateFormat, EmergencyFormat, NumbersFormat
from sipguard.registry.imports import Import, ImportReport
from sipguard.registry.lists import PatternEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.registry.schema import AccountKind
from sipguard.stir.telephone_number import TN
from tests.registry.kit import acme, empty

pytestmark = pytest.mark.usefixtures("store")


def load(
    registry: Registry, form: Any, text: str | bytes, tmp_path: Path, *, validate_only: bool = False
) -> ImportReport:
    """Import a text as a file."""
    path = tmp_path / "file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Import(registry, form).run(path, validate_only=validate_only)


def lines(report: ImportReport) -> dict[int, str]:
    """The problems of a report by line."""
    return {problem.line: problem.message for problem in report.problems}


def test_accounts(tmp_path: Path) -> None:
    """A tree is imported whatever the order of its rows, and importing it twice is the same as once."""
    registry = empty(tmp_path)
    text = "kind,name,parent,state\nend_user,acme/sales,acme,\naccount,acme,r,suspended\nreseller,r,,\n"
    for _ in range(2):
        assert load(registry, AccountsFormat(), text, tmp_path)[:3] == (3, (), True)
    assert [(entry.name, entry.kind, entry.state) for entry in registry.accounts.list()] == [
        ("acme", AccountKind.ACCOUNT, "suspended"),
        ("acme/sales", AccountKind.END_USER, "active"),
        ("r", AccountKind.RESELLER, "active"),
    ]


def test_many_accounts(tmp_path: Path) -> None:
    """Children may stand thousands of rows before their parent."""
    registry = empty(tmp_path)
    rows = "".join(f"a{number},account,top\n" for number in range(2500))
    assert load(registry, AccountsFormat(), f"name,kind,parent\n{rows}top,reseller,\n", tmp_path).stored
    assert registry.directory().accounts["a0"].path == ("top", "a0")


def test_bad_accounts(tmp_path: Path) -> None:
    """Every bad row is reported with its line, and nothing is stored."""
    registry = empty(tmp_path)
    report = load(
        registry,
        AccountsFormat(),
        "name,kind,parent,state\n"
        "good,account,,\n"
        "bad name,account,,\n"
        "x,acount,,\n"
        "y,account,,asleep\n"
        "good,account,,\n"
        "z,account,nobody,\n"
        "w,operator,good,\n",
        tmp_path,
    )
    found = lines(report)
    assert list(found) == [3, 4, 5, 6, 7, 8]
    assert 'did you mean "account"' in found[4]
    assert found[6] == 'account "good" is in line 2 already'
    assert found[7] == 'the parent of "z", "nobody", is not an account'
    assert not report.stored
    assert registry.accounts.list() == []
    assert registry.audit() == []


def test_import_that_breaks_the_tree_of_the_registry(tmp_path: Path) -> None:
    """A row that makes an account of the registry impossible is the one reported."""
    report = load(acme(tmp_path), AccountsFormat(), "name,kind\nreseller,end_user\n", tmp_path)
    assert set(lines(report)) == {2}


def test_numbers(tmp_path: Path) -> None:
    """Numbers are canonicalised, national ones by the country, and replace what was there."""
    registry = acme(tmp_path)
    text = (
        "Number, Account ,kind,expires,end_user,trunk\n"
        "415-555-0100,acme,owned,,,pbx\n"
        '"+44 20 7183 8750",acme,Verified,2027-01-01,,\n'
        "\n"
    )
    assert load(registry, NumbersFormat(), text, tmp_path).stored
    assert registry.numbers.list() == [
        NumberEntry(TN("14155550100"), "acme", "owned", None, None, "pbx"),
        NumberEntry(TN("442071838750"), "acme", "verified", 1798761600, None, None),
    ]
    assert registry.numbers.trunks() == ["pbx"]
    assert registry.audit()[0].what == "number.import"


def test_two_owners_in_a_file(tmp_path: Path) -> None:
    """Two accounts that own one number are refused, naming both rows."""
    registry = acme(tmp_path)
    text = "number,account,kind\n4155550111,acme,owned\n+14155550111,reseller,owned\n"
    assert lines(load(registry, NumbersFormat(), text, tmp_path)) == {
        3: '+14155550111 is owned by account "acme" in line 2 already'
    }


def test_owner_in_the_registry(tmp_path: Path) -> None:
    """A number owned in the registry is refused to another account, unless the file ends that ownership."""
    registry = acme(tmp_path)
    taken = "number,account,kind\n4155550100,reseller,owned\n"
    assert lines(load(registry, NumbersFormat(), taken, tmp_path)) == {
        2: '+14155550100 is owned by account "acme" in the registry already'
    }
    assert load(registry, NumbersFormat(), f"{taken}4155550100,acme,verified\n", tmp_path).stored
    assert [(entry.account, entry.kind) for entry in registry.numbers.list()] == [
        ("acme", "verified"),
        ("reseller", "owned"),
    ]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("+1415555XXXX,acme,owned\n+14155550111,reseller,owned\n",
         {3: '+14155550111 overlaps +1415555XXXX, which is owned by account "acme" in line 2 already'}),
        ("+14155550111,reseller,owned\n+1415555XXXX,acme,owned\n",
         {2: '+14155550111 overlaps +1415555XXXX, which is owned by account "acme" in line 3 already'}),
        ("+1415555XXXX,acme,owned\n+141555501XX,reseller,owned\n",
         {3: '+141555501XX overlaps +1415555XXXX, which is owned by account "acme" in line 2 already'}),
        ("+1415555XXXX,reseller,owned\n",
         {2: '+1415555XXXX overlaps +14155550100, which is owned by account "acme" in the registry already'}),
        ("+1510555XXXX,reseller,owned\n+15105550111,acme,verified\n+1510555XXXX,acme,delegated\n", {}),
        ("+1415555XXXX,acme,owned\n+14155550111,acme,owned\n", {}),
        ("+1415555XXXX,reseller,owned\n+14155550100,acme,delegated\n", {}),
    ],
)  # fmt: skip
def test_blocks_and_their_owners(tmp_path: Path, rows: str, problem: dict[int, str]) -> None:
    """A number in a block of somebody else, and a block around somebody else's number, are refused naming both."""
    registry = acme(tmp_path)
    report = load(registry, NumbersFormat(), "number,account,kind\n" + rows, tmp_path)
    assert lines(report) == problem
    assert report.stored is not bool(problem)


def test_a_number_in_a_stored_block(tmp_path: Path) -> None:
    """A stored block is in the way of another account's number, added or imported, and not of its own."""
    registry = acme(tmp_path)
    registry.numbers.add(NumberEntry(TN("1510555XXXX"), "reseller"))
    with pytest.raises(RegistryError, match=r'\+1510555XXXX is owned by account "reseller" already'):
        registry.numbers.add(NumberEntry(TN("15105550111"), "acme"))
    assert lines(load(registry, NumbersFormat(), "number,account,kind\n+15105550111,acme,owned\n", tmp_path)) == {
        2: '+15105550111 overlaps +1510555XXXX, which is owned by account "reseller" in the registry already'
    }
    registry.numbers.add(NumberEntry(TN("15105550111"), "reseller"))


def test_bad_numbers(tmp_path: Path) -> None:
    """Every kind of bad row is found in one run."""
    text = (
        "number,account,kind,expires,end_user\n"
        "12,acme,owned,,\n"
        "4155550111,acmee,owned,,\n"
        "4155550112,acme,ownd,,\n"
        "4155550113,acme,owned,soon,\n"
        "4155550114,acme,owned,,reseller\n"
        "4155550115,acme\n"
        "4155550116,acme,owned,,\n"
        "4155550116,acme,verified,,\n"
    )
    found = lines(load(acme(tmp_path), NumbersFormat(), text, tmp_path, validate_only=True))
    assert list(found) == [2, 3, 4, 5, 6, 7, 9]
    assert 'did you mean "acme"' in found[3]
    assert found[7] == "has 2 values, the header has 5 columns"
    assert "line 8 already" in found[9]


def test_validate_only(tmp_path: Path) -> None:
    """A good file that is only validated stores nothing and leaves no audit."""
    registry = acme(tmp_path)
    before = registry.audit()
    report = load(
        registry, NumbersFormat(), "number,account,kind\n4155550111,acme,owned\n", tmp_path, validate_only=True
    )
    assert report[:3] == (1, (), False)
    assert len(registry.numbers.list()) == 1
    assert registry.audit() == before


def test_emergency(tmp_path: Path) -> None:
    """Registrations are imported with their dispatchable location; paid is yes or no."""
    registry = acme(tmp_path)
    text = (
        "number,account,country,status,paid,location,unit,callback,activated_at\n"
        '4155550100,acme,us,registered,yes,"1 Main St, San Francisco",Floor 2,4155550111,2026-01-01\n'
        "02071838750,acme,GB,pending,,,,,\n"
    )
    assert load(registry, EmergencyFormat(), text, tmp_path).stored
    assert [(entry.tn, entry.country, entry.paid, entry.location) for entry in registry.emergency.list()] == [
        ("14155550100", "US", True, "1 Main St, San Francisco"),
        ("442071838750", "GB", False, None),
    ]
    first = registry.emergency.list()[0]
    assert (first.unit, first.callback, first.activated_at) == ("Floor 2", "14155550111", 1_767_225_600)
    bad = "number,account,country,status\n4155550100,acme,XX,registered\n4155550100,x,US,registered\n1,acme,US,maybe\n"
    assert list(lines(load(registry, EmergencyFormat(), bad, tmp_path))) == [2, 3, 4]


def test_do_not_originate(tmp_path: Path) -> None:
    """A list has numbers and blocks, with source and expiry; only block is an action."""
    registry = empty(tmp_path)
    text = "pattern,action,source,expires\n999XXXXXXX,block,irs,2027-01-01\n(800) 829-1040,,,\n"
    assert load(registry, DoNotOriginateFormat(), text, tmp_path).stored
    assert registry.lists.list() == [
        PatternEntry("18008291040", "block", "", None),
        PatternEntry("1999XXXXXXX", "block", "irs", 1798761600),
    ]
    bad = "pattern,action\n8X0,block\n8008291041,allow\n8008291042,\n18008291042,\n"
    assert list(lines(load(registry, DoNotOriginateFormat(), bad, tmp_path))) == [2, 3, 5]


def test_progress(tmp_path: Path) -> None:
    """Progress is told in both passes of a long file."""
    path = tmp_path / "dno.csv"
    path.write_text("pattern\n" + "".join(f"800{number:07}\n" for number in range(2500)))
    told: list[int] = []
    report = Import(empty(tmp_path), DoNotOriginateFormat(), told.append).run(path)
    assert (report.rows, report.stored) == (2500, True)
    assert told == [1000, 1000, 1000, 1000, 500]


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "line 1: no column"),
        (b"numbr,account,kind\n", r'line 1: no column "number"; unknown column "numbr" \(did you mean "number"\?\)'),
        (b"number,account,kind,kind\n", 'column "kind" twice'),
        (b"number,account,kind\n\xff\xfe,acme,owned\n", "is not UTF-8"),
        (b'number,account,kind\n"4155550100,acme,owned\n', "line 2: unexpected end of data"),
        (b"number,account,kind\n" + b"9" * 200_000 + b",acme,owned\n", "line 2: field larger"),
    ],
)
def test_unreadable_files(tmp_path: Path, octets: bytes, why: str) -> None:
    """A file that is not such a CSV file is one clear line."""
    with pytest.raises(RegistryError, match=why):
        load(acme(tmp_path), NumbersFormat(), octets, tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is one clear line; a byte order mark and CRLF are no problem."""
    registry = acme(tmp_path)
    with pytest.raises(RegistryError, match="cannot be read: No such file"):
        Import(registry, NumbersFormat()).run(tmp_path / "nothing.csv")
    assert load(
        registry, NumbersFormat(), b"\xef\xbb\xbfnumber,account,kind\r\n4155550111,acme,owned\r\n", tmp_path
    ).stored


def test_giving_up_one_number_does_not_free_a_block(tmp_path: Path) -> None:
    """A file that ends one ownership in a block does not hide the others that are in the way of the block."""
    registry = acme(tmp_path)
    registry.numbers.add(NumberEntry(TN("14155550101"), "acme"))
    text = "number,account,kind\n+14155550100,acme,verified\n+1415555XXXX,reseller,owned\n"
    report = load(registry, NumbersFormat(), text, tmp_path)
    assert "overlaps +14155550101" in lines(report)[3]
    assert not report.stored
    text += "+14155550101,acme,verified\n"
    assert load(registry, NumbersFormat(), text, tmp_path).stored


def test_a_source_that_is_too_long(tmp_path: Path) -> None:
    """A source no column can hold is a problem of its line, whatever the store."""
    text = f"pattern,source\n+1999XXXXXXX,{'x' * 64}\n+1998XXXXXXX,{'x' * 65}\n"
    report = load(empty(tmp_path), DoNotOriginateFormat(), text, tmp_path)
    assert lines(report) == {3: "a source has 64 characters at most, this one 65"}


CALLERS = CallersSection(allocated=("+1222",)).numbers(PremiumNumbers(), {})


@pytest.mark.clause("policy: caller identity")
def test_numbers_nobody_can_call_from(tmp_path: Path) -> None:
    """A number no plan has, or that is assigned to nobody, is refused with its line; a new range is named by prefix."""
    text = (
        "number,account,kind\n"
        "+14155550111,acme,owned\n"
        "+13335550111,acme,owned\n"
        "+12225550111,acme,owned\n"
        "+1333XXXXXXX,acme,owned\n"
        "+1415XXXXXXX,acme,delegated\n"
        "+21012345678,acme,owned\n"
    )
    report = load(acme(tmp_path), NumbersFormat("US", CALLERS), text, tmp_path)
    assert not report.stored
    found = lines(report)
    assert found.keys() == {3, 5, 7}
    assert found[3].startswith('"+13335550111" is in a range that is assigned to nobody (phonenumbers ')
    assert found[3].endswith("a new range is named in policy.callers.allocated")
    assert "+1333XXXXXXX" in found[5]


def test_premium_numbers_are_stored_with_a_warning(tmp_path: Path) -> None:
    """An account may have one to be called at; the operator hears that nobody calls from it."""
    rows = "".join(f"+1900555{number:04d},acme,owned\n" for number in range(1002))
    report = load(acme(tmp_path), NumbersFormat("US", CALLERS), "number,account,kind\n" + rows, tmp_path)
    assert (report.stored, report.problems, len(report.warnings), report.omitted) == (True, (), 1000, 2)
    assert report.warnings[0] == (2, "+19005550000 is a premium number: calls from it are refused (caller-id.premium)")


@pytest.mark.parametrize("cell", ["a\0b", "\x1b[2J", "x" * 65])
def test_what_a_store_would_not_take_is_a_row_with_a_line(tmp_path: Path, cell: str) -> None:
    """Control characters and names that are too long: found before anything is stored, whatever the store."""
    registry = acme(tmp_path)
    text = f"number,account,kind,trunk\n+14155550101,acme,owned,pbx\n+14155550102,acme,owned,{cell}\n"
    report = load(registry, NumbersFormat(), text, tmp_path)
    assert list(lines(report)) == [3]
    assert not report.stored


def test_the_audit_has_the_digest_of_what_was_read(tmp_path: Path) -> None:
    """Of the octets that were judged and stored, also where they can be read but once, out of a pipe."""
    registry = acme(tmp_path)
    text = b"number,account,kind\n+14155550101,acme,owned\n"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(text,))
    writer.start()
    assert Import(registry, NumbersFormat()).run(pipe).stored
    writer.join()
    after = registry.audit(what="number.import")[0].detail["after"]
    assert isinstance(after, dict)
    assert after["sha256"] == hashlib.sha256(text).hexdigest()

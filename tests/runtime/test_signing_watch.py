"""Rollover without a restart: files change under a running node, and the right certificate signs."""

import logging
import os
import time
from pathlib import Path

import pytest

from sipguard.config.stir import SignSection
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.signing import load_generations
from sipguard.runtime.signing_watch import SigningWatch, urgency
from sipguard.stir.generations import Generations
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Issued, Shape, StiCa
from tests.runtime.kit import run

NOW = UnixTime(1_800_000_000)
AUTHORITY = StiCa.create(UnixTime(NOW - 10 * DAY))
ENTRY = {"certificate": "leaf.pem", "key": "leaf.key", "url": "https://certificates.example/{serial}.pem"}


class World:
    """A directory with a signing certificate, its watch, and a clock of its own."""

    def __init__(self, directory: Path, entries: object = ENTRY) -> None:
        self.directory = directory
        self.now = NOW
        self.clock = Clock(time.monotonic, lambda: float(self.now))
        self.faults = Faults(self.clock)
        self.swaps = 0
        self.sign = SignSection.model_validate({"certificates": {"default": entries}}, context={"directory": directory})
        self.signers = {"default": self.loaded()}
        self.watch = SigningWatch(self.sign, lambda: self.signers, self.swap, self.clock, self.faults)

    def loaded(self) -> Generations:
        """What the files hold."""
        generations, problems = load_generations("default", self.sign.certificates["default"], self.now)
        assert not problems
        return generations

    def swap(self, signers: object) -> None:
        """The watch put other signers in force."""
        self.swaps += 1
        self.signers = signers  # type: ignore[assignment]

    def look(self, rounds: int = 2) -> None:
        """So many intervals pass."""

        async def rounds_of_looking() -> None:
            for _ in range(rounds):
                await self.watch.look()

        run(rounds_of_looking())

    def serial(self, after: int = 0) -> str:
        """The certificate that signs, so many seconds later."""
        signer = self.signers["default"].current(UnixTime(self.now + after))
        assert signer is not None
        return signer.serial


def write(directory: Path, issued: Issued, key: Issued | None = None, name: str = "leaf") -> str:
    """Put a certificate and its key where the node reads them; its serial number."""
    (directory / f"{name}.pem").write_bytes(issued.chain_pem)
    (directory / f"{name}.key").touch(0o600)
    (directory / f"{name}.key").write_bytes((key or issued).key_pem)
    return f"{issued.certificate.serial_number:X}".zfill(2)


def started(directory: Path) -> tuple[World, str]:
    """A node that signs with a first certificate."""
    serial = write(directory, AUTHORITY.issue())
    return World(directory), serial


def is_same(left: str, right: str) -> bool:
    return int(left, 16) == int(right, 16)


@pytest.mark.clause("AS-16", "RFC 8224 7.3")
def test_a_replaced_certificate_signs_from_the_next_call_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The new generation signs under a URL of its own, the old one stands behind it, and the log says so once."""
    world, old = started(tmp_path)
    old_url = world.signers["default"].signers[0].url
    new = write(tmp_path, AUTHORITY.issue(Shape(not_before=UnixTime(NOW - 10))))
    world.look(4)
    assert is_same(world.serial(), new)
    assert [is_same(signer.serial, serial) for signer, serial in
            zip(world.signers["default"].signers, (new, old), strict=True)] == [True, True]  # fmt: skip
    assert world.signers["default"].signers[0].url != old_url
    assert world.signers["default"].signers[0].url == f"https://certificates.example/{world.serial()}.pem"
    said = [record for record in caplog.records if record.message == "signing.rollover"]
    assert [record.fields["serial"] for record in said] == [world.serial()]  # type: ignore[attr-defined]
    assert world.swaps == 1
    assert not world.faults.alarms


@pytest.mark.clause("AS-16", "AS-05")
def test_the_switch_is_at_not_before(tmp_path: Path) -> None:
    """A certificate that is not valid yet waits; the old one signs until then, and goes when it has expired."""
    world, old = started(tmp_path)
    new = write(tmp_path, AUTHORITY.issue(Shape(not_before=UnixTime(NOW + 100), not_after=UnixTime(NOW + 90 * DAY))))
    world.look()
    assert is_same(world.serial(), old)
    assert is_same(world.serial(after=99), old)
    assert is_same(world.serial(after=100), new)
    world.now = UnixTime(NOW + 40 * DAY)
    third = write(tmp_path, AUTHORITY.issue(Shape(not_before=UnixTime(NOW + DAY), not_after=UnixTime(NOW + 91 * DAY))))
    world.look()
    assert is_same(world.serial(), third)
    assert len(world.signers["default"].signers) == 2


@pytest.mark.clause("AS-28")
@pytest.mark.parametrize("fault", ["key", "no list", "expired", "gone", "garbage", "readable"])
def test_what_cannot_sign_never_takes_the_signer_away(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong files are one alarm in one line, however long they stay; the old signer goes on."""
    world, old = started(tmp_path)
    match fault:
        case "key":
            write(tmp_path, AUTHORITY.issue(), key=AUTHORITY.issue())
        case "no list":
            write(tmp_path, AUTHORITY.issue(Shape(entries=None)))
        case "expired":
            write(tmp_path, AUTHORITY.issue(Shape(not_after=UnixTime(NOW - 1))))
        case "gone":
            (tmp_path / "leaf.pem").unlink()
        case "garbage":
            (tmp_path / "leaf.key").write_text("garbage")
        case "readable":
            write(tmp_path, AUTHORITY.issue())
            (tmp_path / "leaf.key").chmod(0o644)
    world.look(6)
    assert is_same(world.serial(), old)
    assert world.faults.alarms["signing-rollover"] == 1
    assert not [record for record in caplog.records if record.message == "signing.rollover"]
    detail = caplog.records[-1].fields["detail"]  # type: ignore[attr-defined]
    assert "\n" not in detail
    assert "PRIVATE" not in detail


def test_files_are_read_once_they_are_at_rest(tmp_path: Path) -> None:
    """A renewal that has written its certificate and not yet its key is waited for."""
    world, _ = started(tmp_path)
    renewed = AUTHORITY.issue(Shape(not_before=UnixTime(NOW - 10)))
    (tmp_path / "leaf.pem").write_bytes(renewed.chain_pem)
    world.look(1)
    serial = write(tmp_path, renewed)
    world.look(1)
    assert not world.faults.alarms
    world.look(1)
    assert is_same(world.serial(), serial)
    assert not world.faults.alarms


def test_a_touched_file_is_no_rollover(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same certificate written again changes nothing and says nothing."""
    world, old = started(tmp_path)
    os.utime(tmp_path / "leaf.pem", ns=(1, 1))
    world.look(3)
    assert is_same(world.serial(), old)
    assert not [record for record in caplog.records if record.message == "signing.rollover"]


@pytest.mark.clause("AS-16")
def test_two_generations_under_one_url_are_an_alarm(tmp_path: Path) -> None:
    """Verifiers with the old chain in their cache would refuse the new key: the operator hears of it."""
    write(tmp_path, AUTHORITY.issue())
    world = World(tmp_path, {**ENTRY, "url": "https://certificates.example/leaf.pem"})
    write(tmp_path, AUTHORITY.issue(Shape(not_before=UnixTime(NOW - 10))))
    world.look()
    assert world.faults.alarms["signing-shared-url"] == 1


def test_a_reload_in_between_wins(tmp_path: Path) -> None:
    """What was loaded beside a reload is thrown away: the reload has read the files itself."""
    world, _ = started(tmp_path)
    write(tmp_path, AUTHORITY.issue())

    async def reloaded_meanwhile() -> None:
        await world.watch.look()
        looking = world.watch.look()
        task = __import__("asyncio").ensure_future(looking)
        world.signers = dict(world.signers)
        world.watch.follow(world.sign.model_copy())
        await task

    run(reloaded_meanwhile())
    assert world.swaps == 0


@pytest.mark.clause("AS-05")
def test_warnings_before_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Thirty, seven and one days before the end, and after it: once each."""
    write(tmp_path, AUTHORITY.issue(Shape(not_before=NOW, not_after=UnixTime(NOW + 365 * DAY))))
    world = World(tmp_path)
    for day in (0, 300, 335, 336, 358, 359, 364, 364, 366):
        world.now = UnixTime(NOW + day * DAY)
        world.look(1)
    said = [record for record in caplog.records if record.message == "signing.expires"]
    assert [record.fields["hours"] for record in said] == [720.0, 168.0, 24.0, -24.0]  # type: ignore[attr-defined]
    assert [record.levelno for record in said] == [logging.WARNING, logging.WARNING, logging.ERROR, logging.ERROR]
    assert world.faults.alarms["signing-expires"] == 4


@pytest.mark.parametrize(
    ("lifetime", "left", "due"),
    [
        (90 * DAY, 30 * DAY + 1, 0),
        (90 * DAY, 30 * DAY, 1),
        (90 * DAY, 7 * DAY, 2),
        (90 * DAY, DAY, 3),
        (90 * DAY, -1, 4),
        (DAY, DAY // 2, 0),  # a certificate of one day: eight hours, two hours, a quarter of an hour
        (DAY, DAY // 3, 1),
        (DAY, 6000, 2),
        (DAY, 900, 3),
    ],
)
def test_short_lived_certificates_warn_by_their_share(lifetime: int, left: int, due: int) -> None:
    """A certificate that lives a day is not warned of from its first second."""
    assert urgency(NOW, UnixTime(NOW + lifetime), UnixTime(NOW + lifetime - left)) == due


@pytest.mark.clause("AS-05", "AS-16")
def test_generations_of_a_configuration(tmp_path: Path) -> None:
    """Of several certificates the newest whose time has come signs; an expired one is passed over."""
    shapes = {
        "ended": Shape(not_before=UnixTime(NOW - 9 * DAY), not_after=UnixTime(NOW - DAY)),
        "older": Shape(not_before=UnixTime(NOW - 5 * DAY), not_after=UnixTime(NOW + 5 * DAY)),
        "newer": Shape(not_before=UnixTime(NOW - 4 * DAY), not_after=UnixTime(NOW + 4 * DAY)),
        "coming": Shape(not_before=UnixTime(NOW + DAY), not_after=UnixTime(NOW + 90 * DAY)),
    }
    serials = {name: write(tmp_path, AUTHORITY.issue(shape), name=name) for name, shape in shapes.items()}
    entries = [{**ENTRY, "certificate": f"{name}.pem", "key": f"{name}.key"} for name in shapes]
    world = World(tmp_path, entries)
    assert is_same(world.serial(), serials["newer"])
    assert is_same(world.serial(after=DAY), serials["coming"])
    old_date = UnixTime(NOW - 5 * DAY + 10)
    assert [is_same(signer.serial, serials["older"]) for signer in world.signers["default"].usable(old_date, NOW)] == [
        True
    ]


def test_a_name_needs_one_that_can_sign(tmp_path: Path) -> None:
    """Only expired or only future certificates are a problem; one wrong generation names itself."""
    write(tmp_path, AUTHORITY.issue(Shape(not_before=UnixTime(NOW + 1))), name="a")
    write(tmp_path, AUTHORITY.issue(Shape(not_after=UnixTime(NOW - 1))), name="b")
    write(tmp_path, AUTHORITY.issue(), key=AUTHORITY.issue(), name="c")
    for names, key, why in (
        ("a", "default", "not yet valid"),
        ("b", "default", "expired"),
        ("ac", "default[1]", "belong"),
    ):
        entries = [{**ENTRY, "certificate": f"{name}.pem", "key": f"{name}.key"} for name in names]
        sign = SignSection.model_validate({"certificates": {"default": entries}}, context={"directory": tmp_path})
        _, problems = load_generations("default", sign.certificates["default"], NOW)
        assert [problem.key for problem in problems] == [f"stir.sign.certificates.{key}"]
        assert why in problems[0].message

"""What was fetched, on disk."""

from pathlib import Path

import pytest

from sipguard.runtime.disk_cache import DiskCache, Stored
from sipguard.stir.unix_time import UnixTime

URL = "https://certificates.example.com/leaf.pem"


def stored(url: str = URL, octets: bytes = b"chain\nof\nlines", expires: int = 200) -> Stored:
    """An answer."""
    return Stored(url, octets, UnixTime(100), UnixTime(expires))


@pytest.mark.clause("VS-32")
def test_what_is_put_is_there_after_a_restart(tmp_path: Path) -> None:
    """URL, octets and times come back as they were; the latest answer of a URL counts."""
    disk = DiskCache(tmp_path / "made", 10)
    assert disk.get(URL) is None
    disk.put(stored(octets=b"old"))
    disk.put(stored())
    again = DiskCache(tmp_path / "made", 10)
    assert again.get(URL) == stored()
    assert list(again.all()) == [stored()]
    again.remove(URL)
    assert list(DiskCache(tmp_path / "made", 10).all()) == []


def test_the_oldest_goes_when_there_are_too_many(tmp_path: Path) -> None:
    """The directory is bounded, also over restarts."""
    for number in range(5):
        DiskCache(tmp_path, 3).put(stored(f"{URL}{number}"))
    assert {entry.url for entry in DiskCache(tmp_path, 3).all()} == {f"{URL}{number}" for number in (2, 3, 4)}
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda octets: octets[:-1],
        lambda octets: octets[:20],
        lambda octets: b"",
        lambda octets: b"[]\n",
        lambda octets: b'{"url": 1}\nx',
        lambda octets: octets.replace(b"leaf.pem", b"fake.pem"),
        lambda octets: octets.replace(b"chain", b"chaim"),
        lambda octets: b"\xff\xfe\n",
    ],
)
def test_a_damaged_file_is_dropped(tmp_path: Path, damage: object) -> None:
    """Cut short, changed, or something else: it is as if it had never been fetched."""
    disk = DiskCache(tmp_path, 10)
    disk.put(stored())
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    assert disk.get(URL) is None
    assert not file.exists()


def test_a_directory_that_cannot_be_written_costs_nothing_but_the_file(tmp_path: Path) -> None:
    """Memory has it; the log says so."""
    (tmp_path / "occupied").write_text("a file")
    disk = DiskCache(tmp_path / "occupied", 10)
    disk.put(stored())
    assert disk.get(URL) is None


def test_what_is_left_of_a_crash_is_not_read(tmp_path: Path) -> None:
    """A file that was not renamed yet is not one of ours."""
    (tmp_path / "abc.new").write_bytes(b"half")
    assert list(DiskCache(tmp_path, 10).all()) == []

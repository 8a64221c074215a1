"""When a reload that failed is tried again."""

import itertools
from pathlib import Path

from sipguard.config.load import parse
from sipguard.config.named_files import named_files
from sipguard.runtime.clock import Clock
from sipguard.runtime.reload_pace import ReloadPace


class Tries:
    """A pace on a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pace = ReloadPace(Clock(lambda: self.now, lambda: 0.0))

    def failures(self, cause: object, seconds: float) -> list[float]:
        """Ask twice a second and let every try fail; how many seconds lay between the tries."""
        start = self.now
        made = []
        while self.now < start + seconds:
            if self.pace.is_due(cause):
                made.append(self.now)
                self.pace.ended(well=False)
            self.now += 0.5
        return [later - earlier for earlier, later in itertools.pairwise(made)]


def test_a_reload_that_fails_is_tried_later_and_later() -> None:
    """After one second, then two, four ... and once a minute in the end."""
    assert Tries().failures("broken", 300) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_what_changed_is_tried_at_once() -> None:
    """Another cause, a file or a row that was repaired, does not wait, and begins anew; nor after a success."""
    tries = Tries()
    tries.failures("broken", 100)
    assert not tries.pace.is_due("broken")
    assert tries.failures("broken in another way", 10) == [1.0, 2.0, 4.0]
    assert tries.pace.is_due("repaired")
    tries.pace.ended(well=True)
    assert tries.pace.is_due("repaired")


def test_what_is_being_tried_is_not_tried_once_more() -> None:
    """However long a reload takes, the same cause does not ask for another; what changed meanwhile does."""
    tries = Tries()
    assert tries.pace.is_due("import")
    tries.now += 40.0
    assert not tries.pace.is_due("import")
    assert tries.pace.is_due("another import")


def test_the_files_of_a_configuration_are_known(tmp_path: Path) -> None:
    """Wherever a key names one; the directory that the node itself writes to is none."""
    raw = {
        "node": {"name": "n", "state": "var"},
        "listener": [
            {"transport": "udp", "bind": "127.0.0.1:5060"},
            {"transport": "tls", "bind": "127.0.0.1:5061", "certificate": "c.pem", "key": "k.pem"},
        ],
        "trunk": [{"name": "a", "side": "network", "targets": ["sip:192.0.2.1"]}],
    }
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch()
    found = named_files(parse(raw, tmp_path))
    assert found >= {tmp_path / "c.pem", tmp_path / "k.pem"}
    assert tmp_path / "var" not in found

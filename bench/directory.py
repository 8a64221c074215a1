"""What the directory costs at scale, up to ten million numbers: ``python -m bench.directory``.

For every size: how long compiling takes in a process of its own, octets a number in the mapped file, microseconds of a
look-up (a number an account owns, a number nobody has, a do-not-originate number; the mean over numbers drawn at random
so that no cache helps), how long mapping and reading the accounts takes, and how long a change to one number or one
account takes until the next directory is there.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sipguard.policy.directory import Directory
from sipguard.registry import Registry
from sipguard.registry.compiled_file import compile_apart
from sipguard.registry.numbers import NumberEntry
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

_SIZES = (1_000, 100_000, 10_000_000)
_NOW = UnixTime(1_800_000_000)
_FIRST = 12_000_000_000
_LISTED = 18_000_000_000
_DRAWN = 200_000


def fill(path: Path, numbers: int, accounts: int, listed: int) -> Registry:
    """A registry of this size: every account owns the same share, every tenth number is registered for emergencies."""
    registry = Registry(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO accounts (name, kind, state) VALUES (?, 'account', 'active')",
            ((f"account-{number}",) for number in range(accounts)),
        )
        connection.executemany(
            "INSERT INTO numbers (tn, account, kind) VALUES (?, ?, 'owned')", _owned(numbers, accounts)
        )
        connection.executemany(
            "INSERT INTO do_not_originate (pattern, action, source) VALUES (?, 'block', 'bench')",
            ((str(_LISTED + 7 * number),) for number in range(listed)),
        )
        connection.execute(
            "INSERT INTO audit (at, who, what, subject, detail) VALUES (0, 'bench', 'number.import', 'bench', '{}')"
        )
    connection.close()
    return registry


def _owned(numbers: int, accounts: int) -> Iterator[tuple[str, str]]:
    share = max(1, numbers // accounts)
    return ((str(_FIRST + number), f"account-{min(number // share, accounts - 1)}") for number in range(numbers))


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the seconds it took."""
    start = time.perf_counter()
    return action(), time.perf_counter() - start


class LookUps(NamedTuple):
    """Microseconds a look-up: of a right that is there, of one that is not, of a listed number."""

    owned: float
    nobodys: float
    listed: float


def look_ups(directory: Directory, numbers: int, accounts: int, listed: int) -> LookUps:
    """The means over numbers drawn at random, each the best of three."""
    share = max(1, numbers // accounts)
    drawn = [random.randrange(numbers) for _ in range(_DRAWN)]
    there = [(TN(str(_FIRST + number)), f"account-{min(number // share, accounts - 1)}") for number in drawn]
    absent = [TN(str(_FIRST + 5_000_000_000 + number)) for number in drawn]
    named = [TN(str(_LISTED + 7 * random.randrange(listed))) for _ in drawn]
    right, listing = directory.right, directory.do_not_originate

    def rights() -> None:
        for tn, account in there:
            right(tn, account, _NOW)

    def nobody() -> None:
        for tn in absent:
            right(tn, "account-0", _NOW)

    def lists() -> None:
        for tn in named:
            listing(tn, _NOW)

    return LookUps(_mean(rights), _mean(nobody), _mean(lists))


def _mean(action: Callable[[], None]) -> float:
    return min(timed(action)[1] for _ in range(3)) / _DRAWN * 1e6


def measure(numbers: int, accounts: int, listed: int, directory: Path) -> str:
    """One line of the table."""
    accounts, listed = min(accounts, numbers), min(listed, numbers)
    registry = fill(directory / "registry.db", numbers, accounts, listed)
    compiled = directory / "compiled"
    _, compiling = timed(lambda: compile_apart(registry.url, compiled))
    known, mapping = timed(lambda: registry.directory(compiled=compiled))
    there, absent, named = look_ups(known, numbers, accounts, listed)
    registry.numbers.add(NumberEntry(TN("14155550100"), "account-0"))
    following, one_number = timed(lambda: registry.follow(known, registry.changes(known)))
    registry.database.actor = "bench"
    with registry.database.writing() as session:
        registry.database.audit(session, "account.set", "account-0", None, None)
    _, one_account = timed(lambda: registry.follow(following, registry.changes(following)))
    octets = compiled.stat().st_size / (numbers + listed)
    return (
        f"{numbers:>10,} {accounts:>8,} {listed:>9,} {compiling:>9.1f} s {octets:>8.1f} {there:>8.2f} {absent:>8.2f} "
        f"{named:>8.2f} {mapping * 1e3:>9.0f} ms {one_number * 1e3:>7.0f} ms {one_account * 1e3:>7.0f} ms"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, nargs="*", default=_SIZES)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--listed", type=int, default=1_000_000)
    arguments = parser.parse_args()
    print("   numbers accounts    listed     compile octets/n owned us nobody us listed us        map  number  account")
    for numbers in arguments.numbers:
        with tempfile.TemporaryDirectory(prefix="sipguard-directory-") as name:
            print(measure(numbers, arguments.accounts, arguments.listed, Path(name)), flush=True)


if __name__ == "__main__":
    main()

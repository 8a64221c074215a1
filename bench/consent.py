"""What it costs a call to ask whether somebody wants it: ``python -m bench.consent`` (``--listed`` how many numbers).

Processor time, not that of the clock on the wall, of one stage each, over calls to numbers drawn at random so that no
cache helps; the best of three runs. "not selling" is an account that is held against its own opt-outs only.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sipguard.policy.account import Account
from sipguard.policy.call import Call
from sipguard.policy.call_lists import EVERYBODY, DoNotCall
from sipguard.policy.compiled import Compiled, Contents, compile_block
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.stages import calling_hours, do_not_call, repeated_calls
from sipguard.policy.view import View
from sipguard.runtime.time_zones import zones_of
from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sample import ACME_PBX, TRUNKS, WALL, Sample, flow_from, invite

_DAY = UnixTime(WALL + 43_200)  # in the afternoon, where the numbers are
_DRAWN = 50_000
_NEW = 2_000  # numbers whose zones were not asked about before
_FIRST = 12_012_000_000  # the first listed number; every seventh is listed
_APART = 7
_SELLER = Account("acme", path=("acme",), do_not_call=DoNotCall.NATIONAL)
_Examine = Callable[[Call, View], Any]


def compiled(listed: int) -> tuple[NumberBook, float]:
    """A national list of this length, and octets an entry."""

    def rows() -> Iterator[tuple[str, tuple[Any, ...]]]:
        for number in range(listed):
            yield str(_FIRST + _APART * number), ((EVERYBODY, "national", "bench", None),)

    block = b"".join(compile_block(Contents(1, "", {"called": listed}, [], [], {"called": rows()})))
    return NumberBook(Compiled(block)), len(block) / listed


def calls(numbers: Sequence[int], account: Account = _SELLER) -> list[Call]:
    """Calls of an account to these numbers, each with its own request read as far as the stages before read it."""
    made = []
    for number in numbers:
        request = invite(called=TN(str(number)))
        call = Call("bench", request, flow_from(ACME_PBX), _DAY, TRUNKS[0], account)
        if call.request_tn is None:
            raise ValueError(f"{number} is no number")
        made.append(call)
    return made


def microseconds(examine: _Examine, made: list[Call], view: View, rounds: int = 3) -> float:
    """What a stage costs one of these calls."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for call in made:
            examine(call, view)
        best = min(best, time.process_time() - start)
    return best / len(made) * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--listed", type=int, default=1_000_000)
    listed = parser.parse_args().listed
    book, octets = compiled(listed)
    view = replace(Sample().view, zones=zones_of)
    lists = replace(view, directory=Directory(numbers=book))
    drawn = [_FIRST + _APART * random.randrange(listed) for _ in range(_DRAWN)]
    on_it, beside = calls(drawn), calls([number + 1 for number in drawn])
    others = calls(drawn, replace(_SELLER, do_not_call=DoNotCall.INTERNAL))
    few = calls([_FIRST + random.randrange(5_000) for _ in range(_DRAWN)])
    new = calls([_FIRST + 10_000 + number for number in range(_NEW)])
    print(f"a list of {listed:,} numbers: {octets:.1f} octets each")
    first = microseconds(calling_hours.examine, new, view, rounds=1)
    microseconds(calling_hours.examine, few, view, rounds=1)
    figures = (
        ("do-not-call: not listed", microseconds(do_not_call.examine, beside, lists)),
        ("do-not-call: listed, refused", microseconds(do_not_call.examine, on_it, lists)),
        ("do-not-call: no list at all", microseconds(do_not_call.examine, beside, view)),
        ("hours: a number asked about before", microseconds(calling_hours.examine, few, view)),
        ("hours: another one", first),
        ("hours: not selling", microseconds(calling_hours.examine, others, view)),
        ("repeated", microseconds(repeated_calls.examine, beside, view)),
        ("repeated: not selling", microseconds(repeated_calls.examine, others, view)),
    )
    for name, figure in figures:
        print(f"{name:36} {figure:6.2f} us")


if __name__ == "__main__":
    main()

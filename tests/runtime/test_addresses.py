"""Names to addresses: cached, single-flight, bounded, and never blocking the loop."""

import asyncio
import threading

import pytest

from sipguard.runtime.addresses import NO_ROOM, AddressAnswer, AddressBook, system_lookup
from sipguard.runtime.clock import Clock
from tests.runtime.kit import run


class Names:
    """A blocking resolver that answers when it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def look_up(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        assert self.go.wait(10)
        if host.startswith("missing"):
            raise OSError("Name or service not known")
        return ("192.0.2.1", "2001:db8::1")


class HandClock:
    """Monotonic time that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def book(self, names: Names) -> AddressBook:
        """An address book that lives by this clock."""
        return AddressBook(Clock(lambda: self.now), asyncio.get_running_loop(), names.look_up)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "::1"])
def test_an_address_needs_no_lookup(host: str) -> None:
    """An address literal is its own answer."""

    async def main() -> None:
        names = Names()
        assert await HandClock().book(names).find(host) == AddressAnswer((host,))
        assert names.asked == []

    run(main())


def test_answers_are_kept_thirty_seconds_and_absence_five() -> None:
    """Within that time nobody is asked again."""

    async def main() -> None:
        names, clock = Names(), HandClock()
        book = clock.book(names)
        for _ in range(2):
            assert await book.find("a.test") == AddressAnswer(("192.0.2.1", "2001:db8::1"))
            assert await book.find("missing.test") == AddressAnswer((), "Name or service not known")
        assert names.asked == ["a.test", "missing.test"]
        clock.now = 6
        await book.find("a.test")
        await book.find("missing.test")
        assert names.asked[2:] == ["missing.test"]
        clock.now = 31
        await book.find("a.test")
        assert names.asked[3:] == ["a.test"]

    run(main())


def test_equal_questions_are_one_lookup() -> None:
    """However many calls wait for a name, the resolver hears it once."""

    async def main() -> None:
        names = Names()
        names.go.clear()
        book = HandClock().book(names)
        asked = [asyncio.create_task(book.find("a.test")) for _ in range(50)]
        await asyncio.sleep(0)
        names.go.set()
        answers = await asyncio.gather(*asked)
        assert {answer.addresses for answer in answers} == {("192.0.2.1", "2001:db8::1")}
        assert names.asked == ["a.test"]

    run(main())


def test_a_caller_that_gives_up_does_not_take_the_others_along() -> None:
    """A cancelled wait leaves the lookup to those who still want it."""

    async def main() -> None:
        names = Names()
        names.go.clear()
        book = HandClock().book(names)
        first = asyncio.create_task(book.find("a.test"))
        second = asyncio.create_task(book.find("a.test"))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        names.go.set()
        assert (await second).addresses

    run(main())


def test_lookups_at_once_are_bounded() -> None:
    """A resolver that hangs costs at most so many threads; the rest is answered "too many"."""

    async def main() -> None:
        names = Names()
        names.go.clear()
        book = HandClock().book(names)
        asked = [asyncio.create_task(book.find(f"{number}.test")) for number in range(40)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = [task.result().detail for task in asked if task.done()]
        assert refused == ["too many lookups"] * 8
        names.go.set()
        await asyncio.gather(*asked)

    run(main())


@pytest.mark.parametrize("host", ["", "x" * 300, "bücher.test", "é", "a\0.test", "a\n.test"])
def test_what_is_no_host_name_is_not_asked_for(host: str) -> None:
    """The resolver never sees text that cannot be a name."""

    async def main() -> None:
        names = Names()
        assert not (await HandClock().book(names).find(host)).addresses
        assert names.asked == []

    run(main())


def test_a_resolver_that_stumbles_is_an_answer() -> None:
    """An exception nobody expected in the lookup does not leave callers waiting for ever."""

    def stumble(host: str) -> tuple[str, ...]:
        raise ValueError("stumbled")

    async def main() -> None:
        book = AddressBook(Clock(), asyncio.get_running_loop(), stumble)
        assert await book.find("a.test") == AddressAnswer((), "stumbled")

    run(main())


def test_the_system_knows_localhost() -> None:
    """The operating system's resolver is asked by default, without duplicates."""
    found = system_lookup("localhost")
    assert {"127.0.0.1", "::1"} & set(found)
    assert len(found) == len(set(found))


def test_without_room_an_old_answer_is_good_enough() -> None:
    """Names that strangers choose and that never resolve take nothing from a host that was known."""

    async def main() -> None:
        names, clock = Names(), HandClock()
        book = clock.book(names)
        known = await book.find("a.test")
        assert known.addresses
        clock.now += 31
        names.go.clear()
        asked = [asyncio.create_task(book.find(f"{number}.test")) for number in range(32)]
        await asyncio.sleep(0)
        assert await book.find("a.test") == known
        assert (await book.find("new.test")).detail == NO_ROOM
        names.go.set()
        await asyncio.gather(*asked)

    run(main())

"""Names to servers, for ``TargetNeed``: RFC 3263 over a cache of DNS records, and never blocking the loop.

Record sets are kept for their time to live, absence too, and a failure a few seconds, so that a dead name server costs
one wait and not one per call; records that cannot be renewed serve a while longer (RFC 8767). Everything is bounded:
the cache, the questions under way, and the time a need may take. Equal questions are one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sipguard.policy.need import TargetAnswer, TargetNeed
from sipguard.runtime.clock import Clock
from sipguard.runtime.dns_client import DnsClient, DnsError, Reply
from sipguard.runtime.hosts_file import HostsFile
from sipguard.runtime.resolution import Question, Record, Resolution

_CAPACITY = 4096  # record sets
_MOST_UNDER_WAY = 256
_LONGEST_NAME = 253
_SHORTEST_LIFE, _LONGEST_LIFE = 1.0, 86_400.0  # seconds, whatever the record says
_LONGEST_ABSENCE = 300.0
_FAILURE_KEPT = 5.0
_STALE_KEPT = 30.0


class _Entry(NamedTuple):
    """A record set and until when it is believed, monotonic."""

    records: Sequence[Record]
    until: float


class TargetBook:
    """Answers needs. ``reach`` is what listeners can send by; ``random`` gives numbers from 0 up to 1."""

    def __init__(
        self, client: DnsClient, hosts: HostsFile, reach: frozenset[tuple[str, bool]], random: Callable[[], float],
        clock: Clock, timeout: float,
    ) -> None:  # fmt: skip
        self.questions = self.failures = 0
        self._client = client
        self._hosts = hosts
        self._reach = reach
        self._random = random
        self._clock = clock
        self._timeout = timeout
        self._entries: OrderedDict[Question, _Entry] = OrderedDict()
        self._under_way: dict[Question, asyncio.Task[None]] = {}
        self._needs: dict[TargetNeed, asyncio.Task[TargetAnswer]] = {}
        self._hopeless: OrderedDict[TargetNeed, float] = OrderedDict()  # no answer in time: until when, monotonic

    def provide(self, need: TargetNeed, answer: Callable[[TargetNeed, TargetAnswer], None]) -> TargetAnswer | None:
        """The answer if all of it is known; else None, and ``answer`` is called later."""
        if not need.host or not need.host.isascii() or not need.host.isprintable() or len(need.host) > _LONGEST_NAME:
            return TargetAnswer((), "not a host name")
        resolution = self._resolution(need)
        if not resolution.missing:
            return TargetAnswer(resolution.servers, resolution.detail)
        if self._hopeless.get(need, 0.0) > self._clock.monotonic():
            return self._silence()
        task = self._needs.get(need)
        if task is None:
            if len(self._needs) >= _MOST_UNDER_WAY:
                return TargetAnswer((), "too many lookups")
            task = self._needs[need] = asyncio.get_running_loop().create_task(self._resolve(need, resolution.missing))
            task.add_done_callback(lambda _: self._needs.pop(need, None))
        task.add_done_callback(lambda done: None if done.cancelled() else answer(need, done.result()))
        return None

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [*self._needs.values(), *self._under_way.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _resolution(self, need: TargetNeed) -> Resolution:
        return Resolution(need, self._reach, self._known, self._random)

    def _known(self, question: Question) -> Sequence[Record] | None:
        question = Question(question.name.lower().rstrip("."), question.kind)
        entry = self._entries.get(question)
        return None if entry is None or entry.until <= self._clock.monotonic() else entry.records

    async def _resolve(self, need: TargetNeed, missing: list[Question]) -> TargetAnswer:
        try:
            async with asyncio.timeout(self._timeout):
                while missing:
                    await asyncio.wait([self._question(question) for question in missing])
                    resolution = self._resolution(need)
                    missing = resolution.missing
        except TimeoutError:
            self._hopeless[need] = self._clock.monotonic() + _FAILURE_KEPT
            if len(self._hopeless) > _CAPACITY:
                self._hopeless.popitem(last=False)
            return self._silence()
        return TargetAnswer(resolution.servers, resolution.detail)

    def _silence(self) -> TargetAnswer:
        return TargetAnswer((), f"DNS did not answer within {self._timeout:g} s")

    def _question(self, asked: Question) -> asyncio.Task[None]:
        question = Question(asked.name.lower().rstrip("."), asked.kind)
        task = self._under_way.get(question)
        if task is None:
            task = self._under_way[question] = asyncio.get_running_loop().create_task(self._learn(question))
            task.add_done_callback(lambda _: self._under_way.pop(question, None))
        return task

    async def _learn(self, question: Question) -> None:
        """Fetch one record set, from the hosts file or from DNS, and keep what came of it."""
        local = self._hosts.addresses(_owner(question))
        if local is not None:
            ipv6 = question.kind == "AAAA"
            wanted = question.kind in ("A", "AAAA")
            self._keep(question, [host for host in local if wanted and (":" in host) is ipv6], _STALE_KEPT)
            return
        self.questions += 1
        try:
            self._keep_reply(question, await self._client.ask(question))
        except DnsError:
            self.failures += 1
            old = self._entries.get(question)
            stale = old.records if old is not None else ()
            self._keep(question, stale, _STALE_KEPT if stale else _FAILURE_KEPT)

    def _keep_reply(self, question: Question, reply: Reply) -> None:
        longest = _LONGEST_LIFE if reply.records else _LONGEST_ABSENCE
        self._keep(question, reply.records, min(max(reply.lifetime, _SHORTEST_LIFE), longest))

    def _keep(self, question: Question, records: Sequence[Record], seconds: float) -> None:
        self._entries[question] = _Entry(records, self._clock.monotonic() + seconds)
        self._entries.move_to_end(question)
        if len(self._entries) > _CAPACITY:
            self._entries.popitem(last=False)


def _owner(question: Question) -> str:
    """The name a question is about: of an SRV question, what follows the service and the transport."""
    return question.name.split(".", 2)[-1] if question.kind == "SRV" else question.name

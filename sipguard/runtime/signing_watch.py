"""Rollover without a restart: certificates and keys that were replaced on disk sign from the next call on (AS-16).

Every few seconds the files' stamps are read, off the loop. A name whose files changed, and then stayed as they are for
one interval (a renewal writes several files), is loaded anew. What does not belong together is an alarm, once, and the
signers at hand stay; otherwise the new generation joins the old ones, which sign until the new one's time has come and
stand behind it until they expire. The same round warns of certificates that come to their end.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sipguard.config.stir import SignSection
from sipguard.runtime.clock import Clock
from sipguard.runtime.faults import Faults
from sipguard.runtime.file_stamp import Stamp, stamp
from sipguard.runtime.signing import load_generations, shared_urls
from sipguard.stir.generations import Generations
from sipguard.stir.unix_time import UnixTime

logger = logging.getLogger(__name__)

INTERVAL = 5.0  # seconds
_DAY = 86_400
# Warnings before the end: so many seconds, or that part of the lifetime where it is less. Ninety days make both equal.
_WARNINGS = ((30 * _DAY, 1 / 3), (7 * _DAY, 7 / 90), (_DAY, 1 / 90))

Signers = Mapping[str, Generations]


class _Rollover(NamedTuple):
    """What became of the changed files of one name."""

    name: str
    generations: Generations | None
    problems: tuple[str, ...]


class SigningWatch:
    """Watches the files of one node's signing certificates; ``swap`` puts other signers in force."""

    def __init__(
        self, sign: SignSection, signers: Callable[[], Signers], swap: Callable[[Signers], None], clock: Clock,
        faults: Faults, interval: float = INTERVAL,
    ) -> None:  # fmt: skip
        """``signers`` gives those in force."""
        self._signers = signers
        self._swap = swap
        self._clock = clock
        self._faults = faults
        self._interval = interval
        self._warned: dict[tuple[str, UnixTime], int] = {}
        self.follow(sign)

    def follow(self, sign: SignSection) -> None:
        """Watch what this configuration names, from now on; its files have just been loaded."""
        self._sign = sign
        self._loaded = {name: _stamp(sign, name) for name in sign.certificates}
        self._seen = dict(self._loaded)

    async def keep(self) -> None:
        """Look, again and again."""
        while True:
            try:
                await self.look()
            except Exception as error:
                self._faults.bug("signing-watch", error)
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Read the stamps once, load what changed, and warn of what ends."""
        sign, before, now = self._sign, self._signers(), self._clock.unix_time()
        rollovers = await asyncio.to_thread(self._changes, sign, before, now)
        if (
            self._sign is sign and self._signers() is before
        ):  # else a reload came between, and has read the files itself
            self._apply(rollovers, before, now)
        self._warn(now)

    # --- in a thread

    def _changes(self, sign: SignSection, before: Signers, now: UnixTime) -> list[_Rollover]:
        rollovers = []
        for name, entries in sign.certificates.items():
            found = _stamp(sign, name)
            settled = found == self._seen.get(name)
            self._seen[name] = found
            if found == self._loaded.get(name) or not settled:
                continue
            self._loaded[name] = found
            generations, problems = load_generations(name, entries, now, before.get(name))
            texts = tuple(problem.message for problem in problems)
            rollovers.append(_Rollover(name, None if problems else generations, texts))
        return rollovers

    # --- in the loop

    def _apply(self, rollovers: list[_Rollover], before: Signers, now: UnixTime) -> None:
        signers = dict(before)
        for name, loaded, problems in rollovers:
            for problem in problems:
                self._faults.alarm("signing-rollover", certificate=name, detail=problem)
            if loaded is None:
                continue
            known = before.get(name) or Generations(name, ())
            signers[name] = merged = loaded.after(known, now)
            self._tell(merged, known, now)
        if signers != dict(before):
            self._swap(signers)

    def _tell(self, merged: Generations, known: Generations, now: UnixTime) -> None:
        serials = {signer.serial for signer in known.signers}
        for signer in merged.signers:
            if signer.serial not in serials and signer.not_after < now:
                self._faults.alarm(
                    "signing-rollover", certificate=merged.name, detail="the new certificate has expired"
                )
            elif signer.serial not in serials:
                fields = {
                    "certificate": merged.name,
                    "serial": signer.serial,
                    "url": signer.url,
                    "from": _at(signer.not_before),
                    "until": _at(signer.not_after),
                }
                logger.warning("signing.rollover", extra={"fields": fields})
        for url in shared_urls(merged):
            self._faults.alarm("signing-shared-url", certificate=merged.name, url=url)

    def _warn(self, now: UnixTime) -> None:
        for name, generations in self._signers().items():
            last = max(generations.signers, key=lambda signer: signer.not_after, default=None)
            if last is None:
                continue
            level = urgency(last.not_before, last.not_after, now)
            if level > self._warned.get((name, last.not_after), 0):
                self._warned[name, last.not_after] = level
                fields = {
                    "certificate": name,
                    "until": _at(last.not_after),
                    "hours": round((last.not_after - now) / 3600, 1),
                }
                logger.log(
                    logging.WARNING if level < len(_WARNINGS) else logging.ERROR,
                    "signing.expires",
                    extra={"fields": fields},
                )
                self._faults.alarms["signing-expires"] += 1


def urgency(not_before: UnixTime, not_after: UnixTime, now: UnixTime) -> int:
    """How many warnings are due for a certificate, 0 to 4; 4: it has expired."""
    lifetime, left = not_after - not_before, not_after - now
    due = sum(left <= min(seconds, lifetime * share) for seconds, share in _WARNINGS)
    return due + (left < 0)


def _stamp(sign: SignSection, name: str) -> Stamp:
    """What changes when a file of this name is replaced."""
    paths = [path for entry in sign.certificates[name] for path in (entry.certificate, entry.key_file) if path]
    return stamp(paths)


def _at(moment: UnixTime) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")

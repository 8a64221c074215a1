"""Overload control: which share of the new calls may come in, held by how long messages wait before they are read.

A proxy that takes every INVITE under overload finishes none: the queue in front of it grows until callers repeat what
still waits there. So new calls are turned away, cheaply, as soon as the wait says so; what belongs to a call that was
let in always passes, because finishing a call is worth more than starting one.

The measure is the queueing delay the runtime sees (kernel time stamps of datagrams, what waits on streams, how late
the loop is). The controller is PIE's (RFC 8033 §4.2), with calls in the place of packets: every ``interval`` the share
that is shed moves by the delay's distance from ``target`` and by how it changed. Nothing is shed before the delay has
stood above ``target`` for ``patience``; a pause of the process or a burst passes without a refusal.

Fairness is max-min: every trunk that offers less than the level is left alone, those above it are cut down to it. The
level is found anew at each step, from how fast each trunk offers calls; a call costs one addition.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_FORGOTTEN = 0.01  # calls a second: a trunk that offers less is no longer counted
_MOST_BELIEVED = 0.9  # of what a neighbour is told: its demand is no more than ten times what arrives
_SMOOTHING = 0.2  # of a trunk's rate, from one step to the next
_LONGEST_STEP = 5.0  # intervals that one step counts for at most, and after which nothing seen means nothing waits
_SILENCE = 5.0  # times the patience: after that much silence, waiting begins anew
_NEXT_TO_NOTHING = 0.001
_IDLE_DECAY = 0.9  # of the shed share, for every interval with nothing waiting


@dataclass(frozen=True, slots=True)
class OverloadSettings:
    """Frozen settings; times in seconds.

    ``target`` is the delay held under overload, and the one below which nothing is ever shed. ``correction`` and
    ``damping`` are the controller's gains: shares per second of delay and interval, and per second of change.
    ``most_shed`` keeps a trickle coming, so that there is always something to measure. ``calm`` is how long nothing
    must be shed for the overload to be over. ``retry_after`` is the middle of the Retry-After values given to callers
    who do not offer overload control; 0 gives none. ``validity`` is how long an ``oc`` value of ours holds,
    ``longest_validity`` how long we believe one of others. Requests of trusted trunks with a Resource-Priority of
    ``priority_namespaces`` are never turned away. ``remembered`` bounds the refused calls that are recognised when
    they are repeated.
    """

    target: float = 0.05
    patience: float = 0.1
    interval: float = 0.02
    correction: float = 0.3
    damping: float = 2.0
    most_shed: float = 0.98
    calm: float = 2.0
    retry_after: int = 2
    validity: float = 0.5
    longest_validity: float = 60.0
    priority_namespaces: frozenset[str] = frozenset(("esnet", "ets", "wps"))
    remembered: int = 50_000


class Source:
    """What one trunk offers while calls are shed: ``rate`` in calls a second, ``admitted`` the share let in.

    A neighbour that ``listens`` (RFC 7339) is told to leave out the share ``excess``, and does so by itself, to the
    degree ``heeded`` when it hears of it: what arrives then is what is left.
    """

    __slots__ = ("admitted", "arrived", "credit", "excess", "heeded", "listens", "name", "rate")

    def __init__(self, name: str, admitted: float) -> None:
        self.name = name
        self.admitted = admitted
        self.excess = 1.0 - admitted
        self.arrived = 0
        self.rate = 0.0
        self.listens = False
        self.heeded = 0.0
        self.credit = 1.0  # the first call of a trunk that was silent comes in

    @property
    def demand(self) -> float:
        """Calls a second it would bring if it were told nothing."""
        return self.rate / (1.0 - min(self.heeded, _MOST_BELIEVED))

    def admits(self) -> bool:
        """Whether the next call may come in: the share as an even rhythm, without drawing lots."""
        self.arrived += 1
        self.credit += self.admitted
        if self.credit < 1.0:
            return False
        self.credit = min(self.credit - 1.0, 1.0)
        return True


class Overload:
    """The controller. ``shed`` is the share of offered calls turned away, ``delay`` the last one acted upon."""

    def __init__(self, settings: OverloadSettings) -> None:
        self.shed = 0.0
        self.delay = 0.0
        self._settings = settings
        self._sources: dict[str, Source] = {}
        self._worst = 0.0  # delay seen since the last step
        self._stepped = 0.0  # when
        self._above_since: float | None = None

    def observe(self, delay: float, now: float) -> None:
        """What is being read now waited so long."""
        if delay > self._worst:
            self._worst = delay
        if now - self._stepped >= self._settings.interval:
            self._step(now)

    def idle(self, now: float) -> None:
        """Time has passed: when nothing was seen for a while, nothing waits."""
        if now - self._stepped >= _LONGEST_STEP * self._settings.interval:
            self._step(now)

    def admits(self, name: str) -> bool:
        """Whether the next call of this trunk may come in."""
        if self.shed == 0.0:
            return True
        source = self._sources.get(name) or self._source(name)
        return source.admits()

    def reduction(self, name: str) -> float:
        """Which share of its calls this trunk, which listens, is to leave out."""
        source = self._source(name)
        source.listens = True
        return source.excess

    def _source(self, name: str) -> Source:
        source = self._sources.get(name)
        if source is None:
            source = self._sources[name] = Source(name, 1.0 - self.shed)
        return source

    def _step(self, now: float) -> None:
        """Act upon what was seen since the last step."""
        settings = self._settings
        elapsed = now - self._stepped
        intervals = min(elapsed / settings.interval, _LONGEST_STEP)
        delay, before = self._worst, self.delay
        self._stepped, self._worst, self.delay = now, 0.0, delay
        if delay <= settings.target:
            self._above_since = None
        elif self._above_since is None or elapsed > _SILENCE * settings.patience:
            self._above_since = now
        if self.shed == 0.0 and not self._stands(now):
            return
        self.shed += settings.correction * (delay - settings.target) * intervals + settings.damping * (delay - before)
        if delay < settings.target / 2:
            self.shed *= _IDLE_DECAY**intervals
        if self.shed < _NEXT_TO_NOTHING:
            self.shed = 0.0
            self._sources.clear()
        else:
            self.shed = min(self.shed, settings.most_shed)
            self._share(elapsed)

    def _stands(self, now: float) -> bool:
        return self._above_since is not None and now - self._above_since >= self._settings.patience

    def _share(self, elapsed: float) -> None:
        """What each trunk may bring from here on."""
        gone = []
        for source in self._sources.values():
            source.rate += _SMOOTHING * (source.arrived / elapsed - source.rate)
            source.arrived = 0
            if source.rate < _FORGOTTEN:
                gone.append(source.name)
        for name in gone:
            del self._sources[name]
        demands = [source.demand for source in self._sources.values()]
        level = fair_level(demands, (1.0 - self.shed) * sum(demands))
        for source in self._sources.values():
            source.admitted = min(1.0, level / source.rate)
            source.excess = 1.0 - min(1.0, level / source.demand)
            if source.listens:
                source.heeded += _SMOOTHING * (source.excess - source.heeded)


def fair_level(rates: Iterable[float], capacity: float) -> float:
    """The level at which cutting every rate down to it leaves ``capacity``: max-min fairness.

    Infinite when nothing needs to be cut.
    """
    ordered = sorted(rates)
    left = len(ordered)
    for rate in ordered:
        if rate * left > capacity:
            return capacity / left
        capacity -= rate
        left -= 1
    return float("inf")

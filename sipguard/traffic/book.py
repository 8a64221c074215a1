"""The book: one window and one standing per account, and the hysteresis between tagged and not.

An account is evaluated after every fifty attempts, after every fifty ended calls (a burst may end after its last
attempt) and in the sweep each minute. Two consecutive evaluations with enough points tag it; an evaluation that saw
no new event confirms nothing. It loses the tag after a day of low points, and silence is a low score.

Memory is bounded: at most ``capacity`` accounts have a window, the least recently seen untagged one goes first. A
tagged account is never forgotten, or a busy neighbour could wash its tag away; the registry bounds their number.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from sipguard.traffic.profile import Profile
from sipguard.traffic.score import score
from sipguard.traffic.standing import NEUTRAL, Standing, StandingChange
from sipguard.traffic.window import Window


class _Entry:
    __slots__ = ("calm_since", "events", "standing", "streak", "until_evaluation", "window")

    def __init__(self, window: Window, evaluate_every: int, standing: Standing = NEUTRAL) -> None:
        self.window = window
        self.standing = standing
        self.streak = 0  # consecutive evaluations with enough points to tag
        self.events = False  # anything counted since the last evaluation
        self.until_evaluation = [evaluate_every, evaluate_every]  # attempts, ended calls
        self.calm_since: float | None = None


class TrafficBook:
    """The call statistics of every account. ``now`` is monotonic seconds throughout."""

    __slots__ = ("_capacity", "_changes", "_profile", "_tagged", "_untagged")

    def __init__(self, profile: Profile, capacity: int = 10_000) -> None:
        self._profile = profile
        self._capacity = capacity
        self._untagged: OrderedDict[str, _Entry] = OrderedDict()
        self._tagged: dict[str, _Entry] = {}
        self._changes: list[StandingChange] = []

    @property
    def profile(self) -> Profile:
        """The thresholds in force."""
        return self._profile

    def adopt(self, profile: Profile) -> None:
        """Judge by other thresholds from now on, as a reload asks; counts and tags stay."""
        self._profile = profile

    def attempt(self, account: str, now: float) -> None:
        """An initial INVITE was accepted from the account; our own refusals and authentication retries are none."""
        entry = self._entry(account, now)
        entry.window.attempt(now)
        self._due(account, entry, 0, now)

    def answered(self, account: str, now: float) -> None:
        """A call of the account was answered with 2xx."""
        entry = self._entry(account, now)
        entry.window.answered(now)
        entry.events = True

    def ended(self, account: str, duration_seconds: float, now: float) -> None:
        """An answered call ended; its duration runs from the 2xx to the BYE."""
        entry = self._entry(account, now)
        entry.window.ended(duration_seconds, self._profile.short_seconds, now)
        self._due(account, entry, 1, now)

    def abandoned(self, account: str, now: float) -> None:
        """The caller cancelled before an answer."""
        entry = self._entry(account, now)
        entry.window.abandoned(now)
        entry.events = True

    def failed(self, account: str, code: int, now: float) -> None:
        """A call ended with this final response, other than 2xx and not after a CANCEL."""
        entry = self._entry(account, now)
        entry.window.failed(code, now)
        entry.events = True

    def standing(self, account: str) -> Standing:
        """What is known about the account; a neutral standing for one never seen."""
        entry = self._tagged.get(account) or self._untagged.get(account)
        return NEUTRAL if entry is None else entry.standing

    def sweep(self, now: float) -> list[StandingChange]:
        """Evaluate every account, as is due each minute, and hand over every change since the last sweep."""
        for entries in (self._untagged, self._tagged):
            for account, entry in list(entries.items()):
                self._evaluate(account, entry, now)
        changes, self._changes = self._changes, []
        return changes

    def export(self) -> list[dict[str, Any]]:
        """The tags in force, ready to be stored as JSON."""
        return [
            {
                "account": account,
                "points": entry.standing.points,
                "reasons": list(entry.standing.reasons),
                "features": dict(entry.standing.features),
            }
            for account, entry in self._tagged.items()
        ]

    def restore(self, tags: Iterable[Mapping[str, Any]]) -> None:
        """Put exported tags back after a restart; the day of low points that clears them starts afresh."""
        for tag in tags:
            account = tag["account"]
            self._untagged.pop(account, None)
            standing = Standing(True, float(tag["points"]), tuple(tag["reasons"]), dict(tag["features"]))
            self._tagged[account] = _Entry(Window(0.0), self._profile.evaluate_every, standing)

    def _entry(self, account: str, now: float) -> _Entry:
        entry = self._untagged.get(account)
        if entry is not None:
            self._untagged.move_to_end(account)
            return entry
        entry = self._tagged.get(account)
        if entry is None:
            if self._untagged and len(self._untagged) + len(self._tagged) >= self._capacity:
                self._untagged.popitem(last=False)
            entry = self._untagged[account] = _Entry(Window(now), self._profile.evaluate_every)
        return entry

    def _due(self, account: str, entry: _Entry, kind: int, now: float) -> None:
        entry.events = True
        entry.until_evaluation[kind] -= 1
        if entry.until_evaluation[kind] <= 0:
            entry.until_evaluation[kind] = self._profile.evaluate_every
            self._evaluate(account, entry, now)

    def _evaluate(self, account: str, entry: _Entry, now: float) -> None:
        profile = self._profile
        entry.window.advance(now)
        points, reasons, features = score(entry.window, profile, now)
        if points < profile.tag_points:
            entry.streak = 0
        elif entry.events:
            entry.streak += 1
        entry.events = False
        if points > profile.untag_points:
            entry.calm_since = None
        elif entry.calm_since is None:
            entry.calm_since = now
        tagged = entry.standing.tagged
        if tagged:
            tagged = entry.calm_since is None or now - entry.calm_since < profile.untag_after
        elif entry.streak >= profile.confirmations:
            tagged = True
        changed = tagged is not entry.standing.tagged
        if tagged and not changed:
            reasons = entry.standing.reasons
        entry.standing = Standing(tagged, points, reasons, features)
        if changed:
            self._move(account, entry)

    def _move(self, account: str, entry: _Entry) -> None:
        if entry.standing.tagged:
            del self._untagged[account]
            self._tagged[account] = entry
        else:
            del self._tagged[account]
            self._untagged[account] = entry
        self._changes.append(StandingChange(account, entry.standing))

"""Suspects: what sources that are nobody's have done lately, in bounded memory.

Everything is counted over a window that starts with a source's first message and starts anew when it is over. Of the
users a source asked for only their hashes are kept, and no more than are needed. Who has proved a password not long ago
is no suspect: one address may hide many telephones, and anybody can send a datagram in its name.
"""

from collections import OrderedDict

from sipguard.policy.settings import ScannerSettings

_PROVED = 3600.0  # seconds for which a right password speaks for its address


class Suspect:
    """One source address within the window; times are monotonic seconds."""

    __slots__ = ("failures", "malformed", "proved_until", "requests", "since", "users")

    def __init__(self, now: float) -> None:
        self.proved_until = 0.0
        self.begin(now)

    def begin(self, now: float) -> None:
        """A new window."""
        self.since = now
        self.users: set[int] = set()
        self.requests = 0
        self.malformed = 0
        self.failures = 0


class Suspects:
    """Counts by source address; the one not heard of for longest is forgotten first."""

    __slots__ = ("_by_host",)

    def __init__(self) -> None:
        self._by_host: OrderedDict[str, Suspect] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_host)

    def asked_for(self, host: str, user: str | None, settings: ScannerSettings, now: float) -> bool:
        """A readable request for this user; whether there were too many different ones."""
        suspect = self._suspect(host, settings, now)
        suspect.requests += 1
        if user is not None:
            suspect.users.add(hash(user))
        return len(suspect.users) >= settings.users and now >= suspect.proved_until

    def garbled(self, host: str, settings: ScannerSettings, now: float) -> bool:
        """A message that is no SIP; whether there were too many, and too many of all it sent."""
        suspect = self._suspect(host, settings, now)
        suspect.malformed += 1
        total = suspect.malformed + suspect.requests
        enough = suspect.malformed >= settings.malformed and suspect.malformed >= settings.malformed_share * total
        return enough and now >= suspect.proved_until

    def failed(self, host: str, settings: ScannerSettings, now: float) -> bool:
        """Credentials that were wrong; whether there were too many."""
        suspect = self._suspect(host, settings, now)
        suspect.failures += 1
        return suspect.failures >= settings.digest_failures and now >= suspect.proved_until

    def proved(self, host: str, settings: ScannerSettings, now: float) -> None:
        """The right password came from there."""
        suspect = self._suspect(host, settings, now)
        suspect.begin(now)
        suspect.proved_until = now + _PROVED

    def has_proved(self, host: str, now: float) -> bool:
        """Whether the right password came from there not long ago."""
        suspect = self._by_host.get(host)
        return suspect is not None and now < suspect.proved_until

    def forget(self, host: str) -> None:
        """Nothing is held against this source any more."""
        self._by_host.pop(host, None)

    def _suspect(self, host: str, settings: ScannerSettings, now: float) -> Suspect:
        suspect = self._by_host.get(host)
        if suspect is None:
            while len(self._by_host) >= settings.watched:
                self._by_host.popitem(last=False)
            suspect = self._by_host[host] = Suspect(now)
            return suspect
        self._by_host.move_to_end(host)
        if now - suspect.since >= settings.window:
            suspect.begin(now)
        return suspect

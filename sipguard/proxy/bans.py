"""Bans: sources nobody listens to for a while, longer each time they come back to the same.

``active`` is asked before a message is even parsed, and only when somebody is banned at all. What a banned source sends
is dropped without an answer, but for responses: those are matched to requests of ours, and the address of a carrier
that is only known by name could be forged to make us deaf to it.

A ban and its end are one line in the log each, in a form that fail2ban reads (``docs/fail2ban``); so many a minute are
written that a flood with forged sources cannot fill the disk. Both tables are bounded: when there are too many bans the
oldest is lifted, when there are too many old offences the oldest is forgotten.
"""

from typing import Protocol

from sipguard.policy.settings import ScannerSettings
from sipguard.proxy.emergency_door import EmergencyDoor
from sipguard.proxy.log_budget import LogBudget
from sipguard.proxy.output import INFO, WARNING, Close
from sipguard.proxy.station import Station
from sipguard.sip.flow import Flow
from sipguard.transaction.timers import Timer

_OF_CALLS = (b"INVITE ", b"ACK ", b"BYE ", b"CANCEL ", b"PRACK ", b"UPDATE ", b"INFO ")
_LINES = 600  # a minute, of bans and their ends each


class BanKeeper(Protocol):
    """Whoever ends bans."""

    def over(self, ban: "Ban", now: float) -> None:
        """The time of a ban is up."""


class Ban:
    """One banned source: why, the how manieth time, and what it has sent since."""

    __slots__ = ("calls", "dropped", "host", "keeper", "offence", "rule", "timer")

    def __init__(self, keeper: BanKeeper, host: str, rule: str, offence: int) -> None:
        self.keeper = keeper
        self.host = host
        self.rule = rule
        self.offence = offence
        self.timer: Timer | None = None
        self.dropped = 0  # messages
        self.calls = 0  # INVITEs among them

    def fire(self, _kind: int, now: float) -> None:
        """The time is up."""
        self.keeper.over(self, now)


class Bans:
    """Who is banned, and who was. Times are monotonic seconds."""

    def __init__(self, station: Station) -> None:
        self.active: dict[str, Ban] = {}
        self._station = station
        self._offences: dict[str, tuple[int, float]] = {}  # by source: how many, and until when they count
        self._door = EmergencyDoor()
        self._begun, self._ended = LogBudget(_LINES), LogBudget(_LINES)

    def drops(self, data: bytes, flow: Flow, now: float) -> bool:
        """Whether a message of a banned source goes nowhere: all but responses, and what a certificate vouches for.

        Anybody can send a datagram in the name of an address; the customer that proves its name there is heard. From
        a banned trunk comes what belongs to a call for help; whether an INVITE is one is seen when it is parsed. Of
        anybody else an INVITE for help is heard, which is asked for a password.
        """
        if data.startswith(b"SIP/2.0 "):
            return False
        view = self._station.view
        trunk = view.directory.trunk_of(flow)
        if trunk is not None:
            if data.startswith(_OF_CALLS) or (flow.names and not view.policy.scanners.ban_trunks):
                return False
        elif self._door.admits(data, flow.host, view, now):
            return False
        elif flow.reliable and not data.startswith(b"ACK "):  # that of the question for the password
            self._station.outputs.append(Close(flow))
        self.dropped(flow.host, call=data.startswith(b"INVITE "))
        return True

    def dropped(self, host: str, *, call: bool) -> None:
        """A message of a banned source went nowhere."""
        ban = self.active[host]
        ban.dropped += 1
        ban.calls += call
        self._station.count("banned_messages")

    def begin(self, host: str, rule: str, settings: ScannerSettings, now: float) -> None:
        """Ban a source for as long as the number of its offences says."""
        if host in self.active:
            return
        while len(self.active) >= settings.banned:
            self._end(next(iter(self.active.values())), "table-full", settings, now)
        before, counts_until = self._offences.pop(host, (0, 0.0))
        offence = before + 1 if now < counts_until else 1
        seconds = settings.bans[min(offence, len(settings.bans)) - 1]
        ban = self.active[host] = Ban(self, host, rule, offence)
        station = self._station
        ban.timer = station.timers.start(now + seconds, ban, 0)
        station.count("bans", rule)
        if self._begun.admits(now):
            station.log(
                WARNING,
                "source.banned",
                source=host,
                rule=rule,
                seconds=int(seconds),
                offence=offence,
                unlogged=self._begun.omitted(),
            )

    def over(self, ban: Ban, now: float) -> None:
        """The time of a ban is up."""
        self._end(ban, "expired", self._station.view.policy.scanners, now)

    def pardon(self, host: str) -> None:
        """Lift a ban that should not be: the source is a trunk's, the operator's, or proved. It was no offence."""
        ban = self.active.pop(host)
        if ban.timer is not None:
            ban.timer.cancel()
        self._report(ban, "pardoned")

    def _end(self, ban: Ban, why: str, settings: ScannerSettings, now: float) -> None:
        del self.active[ban.host]
        if ban.timer is not None:
            ban.timer.cancel()
        self._offences.pop(ban.host, None)
        while len(self._offences) >= settings.banned:
            del self._offences[next(iter(self._offences))]
        self._offences[ban.host] = (ban.offence, now + settings.forget_after)
        if self._ended.admits(now):
            self._report(ban, why)

    def _report(self, ban: Ban, why: str) -> None:
        station = self._station
        if ban.calls:
            station.record(station.recorder.shed(ban.rule, {"unknown": ban.calls}, station.wall))
        station.log(INFO, "source.unbanned", source=ban.host, rule=ban.rule, why=why, dropped=ban.dropped)

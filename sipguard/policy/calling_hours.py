"""The hours in which people may be called by who sells, by the clock of the place they are at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sipguard.stir.telephone_number import TN
from sipguard.stir.unix_time import UnixTime

Zones = Callable[[TN], tuple[tzinfo, ...]]  # the time zones a number may be in; none: nobody's home, or not known
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MINUTES = 60  # of an hour


def nowhere(_tn: TN) -> tuple[tzinfo, ...]:
    """The zones of a number when nothing is known of any."""
    return ()


@dataclass(frozen=True, slots=True)
class CallingHours:
    """From ``opens`` until before ``closes``, minutes after local midnight, on ``days`` (Monday is 0).

    ``countries`` are those whose numbers are held to it, none: all. ``everybody`` is whether calls of accounts that do
    not sell are, too.
    """

    opens: int = 8 * _MINUTES
    closes: int = 21 * _MINUTES
    days: frozenset[int] = frozenset(range(7))
    countries: tuple[str, ...] = ()
    everybody: bool = False

    def closed(self, zones: tuple[tzinfo, ...], now: UnixTime) -> str | None:
        """What time it is in the first of these zones where nobody may be called now; None when there is none.

        A number that may be in several zones is called when it is time in each of them.
        """
        for zone in zones:
            local = datetime.fromtimestamp(now, zone)
            weekday = local.weekday()
            if weekday not in self.days or not self.opens <= local.hour * _MINUTES + local.minute < self.closes:
                return f"{local:%H:%M} on {_DAYS[weekday]} in {zone}"
        return None

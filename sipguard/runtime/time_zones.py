"""The time zones a telephone number may be in, of what ``phonenumbers`` knows of numbers and the system of zones.

A fixed line tells its place. Mobile numbers mostly tell no more than a country, so all zones of the country are
candidates; within +1 the area code tells mobiles apart too. Numbers that are nobody's home (toll-free, premium, shared
cost, company-wide) have no zone.
"""

from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import PhoneNumberType, timezone

from sipguard.stir.telephone_number import TN

_REMEMBERED = 16_384  # numbers
_COMBINATIONS = 1024  # of zones that numbers may be in
_NORTH_AMERICA = 1
_NOBODYS = frozenset(
    (PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN)
)


@lru_cache(maxsize=_REMEMBERED)
def zones_of(tn: TN) -> tuple[tzinfo, ...]:
    """The zones a canonical number may be in; none when it is nobody's home or nothing is known of it."""
    try:
        number = phonenumbers.parse(f"+{tn}")
    except phonenumbers.NumberParseException:
        return ()
    kind = phonenumbers.number_type(number)
    if kind in _NOBODYS:
        return ()
    by_prefix = number.country_code == _NORTH_AMERICA or kind == PhoneNumberType.UNKNOWN
    names = timezone.time_zones_for_geographical_number if by_prefix else timezone.time_zones_for_number
    return _loaded(tuple(names(number)))


@lru_cache(maxsize=_COMBINATIONS)
def _loaded(names: tuple[str, ...]) -> tuple[tzinfo, ...]:
    zones = []
    for name in names:
        try:
            zones.append(ZoneInfo(name))
        except ZoneInfoNotFoundError:  # "Etc/Unknown"
            continue
    return tuple(zones)

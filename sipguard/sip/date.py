"""Date (RFC 3261 §20.17): RFC 1123 dates in GMT, and nothing else.

Signatures are checked against this field, so a date in any other time zone is no date at all: "EST" read as GMT would
be hours wrong (RFC 4475 §3.1.2.12).
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DATE = re.compile(
    rf"(?:{'|'.join(_DAYS)}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def parse_date(text: str) -> int | None:
    """The Unix time in seconds of an RFC 1123 date, or None when it is anything but a possible date in GMT."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    try:
        moment = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return int(moment.timestamp())


@lru_cache(maxsize=64)
def format_date(unix: int) -> str:
    """A Date value for a Unix time in seconds."""
    moment = _EPOCH + timedelta(seconds=unix)
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04} "
        f"{moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"
    )

"""How long a fetched chain may be kept: RFC 9111 within the limits of ATIS-1000074 (VS-32).

A repository that says nothing usable, or forbids to keep what hardly ever changes, is asked again after a day: the
certificate's own validity, its revocation list, and a signature that does not match say sooner when it is no good.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_DEFAULT = 24 * 3600
_LEAST = 60
_MOST = 30 * 24 * 3600
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?([0-9]{1,10})\"?(?:$|[,\s])", re.ASCII | re.IGNORECASE)


def lifetime(headers: Mapping[str, str]) -> int:
    """Seconds from now on; the names of the header fields are in lower case."""
    directives = headers.get("cache-control", "").lower()
    if "no-store" in directives or "no-cache" in directives:
        return _DEFAULT
    said = _MAX_AGE.search(directives)
    seconds = int(said[1]) if said is not None else _until_expiry(headers)
    if seconds < _LEAST:
        return _DEFAULT
    return max(_LEAST, min(seconds - _age(headers), _MOST))


def _age(headers: Mapping[str, str]) -> int:
    """How long the answer has lain in caches on the way (RFC 9111 §4.2.3)."""
    age = headers.get("age", "0")
    return int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0


def _until_expiry(headers: Mapping[str, str]) -> int:
    """Expires less Date (RFC 9111 §4.2.1); 0 when either is not there or is no date."""
    try:
        expires = parsedate_to_datetime(headers.get("expires", ""))
        return int((expires - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0

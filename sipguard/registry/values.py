"""Reading what people type: telephone numbers, list patterns and expiry dates, into the forms the registry keeps.

``phonenumbers`` knows how every country writes its numbers; only the hot path has to do without it. Everything here
raises ValueError with a sentence for the operator.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from functools import lru_cache

import phonenumbers

from sipguard.config.dial_plan import dial_plan
from sipguard.config.numbering import VERSION
from sipguard.config.suggestion import suggestion
from sipguard.policy.caller_numbers import FAULTS, PREMIUM, UNALLOCATED, CallerNumbers
from sipguard.policy.countries import ANYWHERE
from sipguard.policy.pattern import split_block
from sipguard.stir.telephone_number import TN, DialPlan, globalise
from sipguard.stir.unix_time import UnixTime

_SEPARATORS = re.compile(r"[ ().\-/]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_USER_NAME = re.compile(r"[A-Za-z0-9_.+@-]{1,64}")
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 8, 128
_DIGITS = re.compile(r"\+?[0-9]{8,15}")  # no separators, and long enough to be more than a short code
_ALIKE = 4  # digits
_TAIL = "2345"
_AGO = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[mhd])")
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_RATE = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", re.ASCII)
_HIGHEST_RATE, _MOST_CALLS, _MOST_DIGITS = 100_000, 10_000_000, 8  # as limits.calls has them
_LONGEST_CALLER_NAME = 64
_LONGEST_UNIT = 64
_LONGEST_REMARK = 256
_LONGEST_SOURCE = 64
_LATEST = 253_402_300_799  # 9999-12-31T23:59:59Z, the last moment that can be shown again
_SHORTEST_PREFIX = 4  # digits of a block that somebody has a right to, country code included
_LONGEST_SERVICE = 3  # digits of 112, 911: no national number, whatever the plan
_BLOCK = re.compile(r"[0-9][Xx]+[ ]*\Z")  # 800-GO-FEDEX is none
_PATTERN = re.compile(r"(?P<plus>\+?)(?P<digits>[0-9]+)(?P<wild>[Xx]*)", re.ASCII)


def canonical_number(text: str, country: str = "US") -> TN:
    """The canonical form of a number written nationally or with ``+`` (RFC 8224 §8.3). Raises ValueError.

    Numbers that differ in their last four digits only are read alike, so a file of ranges is read quickly.
    """
    if _DIGITS.fullmatch(text) is not None:
        with suppress(ValueError):  # what is wrong with it is said of the number itself
            return TN(_read_alike(text[:-_ALIKE], country) + text[-_ALIKE:])
    return _read_number(text, country)


@lru_cache(maxsize=65_536)
def _read_alike(leading: str, country: str) -> str:
    return _read_number(leading + _TAIL, country)[:-_ALIKE]


def _read_number(text: str, country: str) -> TN:
    if _BLOCK.search(text) is not None:  # to phonenumbers an X is a key of a telephone: 9
        raise ValueError(f'"{text}" is a block; name one number')
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise ValueError(f'"{text}" is not a telephone number') from None
    if number.extension:
        raise ValueError(f'"{text}" has an extension; a right is for a whole number')
    if (
        phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE
    ):  # or local only
        raise ValueError(f'"{text}" is too long or too short to be a number in country {country}; write + for others')
    return TN(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+"))


def canonical_right(text: str, country: str = "US") -> TN:
    """The canonical form of what a right may be for: a number, or a block like +1415555XXXX. Raises ValueError."""
    if not text.rstrip().upper().endswith("X"):
        return canonical_number(text, country)
    pattern = canonical_pattern(text, dial_plan(country))
    prefix = pattern.rstrip("X")
    if len(prefix) < _SHORTEST_PREFIX:
        raise ValueError(f'"{text}" is too large a block; write at least {_SHORTEST_PREFIX} digits')
    canonical_number("+" + prefix + "0" * (len(pattern) - len(prefix)), country)
    return TN(pattern)


def presentable_right(text: str, plan: DialPlan, callers: CallerNumbers | None) -> TN:
    """The same, of a number that calls may come from as far as numbering plans know. Raises ValueError.

    Premium numbers are taken: an account may have one to be called at. Whoever calls *from* it is refused.
    """
    tn = canonical_right(text, plan.country)
    fault = "" if callers is None else right_fault(tn, callers, plan)
    if fault and fault != PREMIUM:
        hint = f" (phonenumbers {VERSION}); a new range is named in policy.callers.allocated"
        raise ValueError(f'"{text}" {FAULTS[fault]}{hint if fault == UNALLOCATED else ""}')
    return tn


def right_warning(tn: TN, plan: DialPlan, callers: CallerNumbers) -> str:
    """What to know of a right that is good; empty: nothing."""
    if right_fault(tn, callers, plan) != PREMIUM:
        return ""
    return f"{shown_number(tn)} {FAULTS[PREMIUM]}: calls from it are refused (caller-id.premium)"


def right_fault(tn: TN, callers: CallerNumbers, plan: DialPlan | None = None) -> str:
    """Why no call may show a number or any of a block (``caller_numbers.FAULTS``); empty: calls may."""
    plan = plan or DialPlan()
    block = split_block(tn)
    return callers.fault(tn, plan) if block is None else callers.block_fault(*block, plan)


def canonical_pattern(text: str, plan: DialPlan) -> str:
    """The canonical form of a number or block (``999XXXXXXX``); unallocated ranges are welcome. Raises ValueError."""
    found = _PATTERN.fullmatch(_SEPARATORS.sub("", text))
    if found is None:
        raise ValueError(f'"{text}" is not a number or a block with trailing X like 999XXXXXXX')
    pattern = found["digits"] + found["wild"].upper()
    if not found["plus"]:
        pattern = _global_pattern(pattern, plan)
    if not 3 <= len(pattern) <= 15:
        raise ValueError(f'"{text}" is not between 3 and 15 digits long')
    return pattern


def _global_pattern(pattern: str, plan: DialPlan) -> str:
    """With its country code: read as called numbers are, so that calls match it.

    What begins like the national prefix and has the length of a national number is one (800 555-01-99 in Russia).
    """
    whole = globalise(pattern, plan)
    national = whole == pattern and len(pattern) > _LONGEST_SERVICE and len(pattern) in plan.national_lengths
    return plan.country_code + pattern if national else whole


def country_list(text: str) -> str:
    """Countries that may be called, ``US CA`` or ``us,ca`` or ``*``, in one spelling. Raises ValueError."""
    codes = sorted(set(text.upper().replace(",", " ").split()))
    if not codes:
        raise ValueError("no country is named; write codes like US CA, or * for all")
    for code in codes:
        if code != ANYWHERE:
            dial_plan(code)
    return " ".join(codes)


def call_rate(text: str) -> float:
    """Calls a second that are allowed; 0 is no limit. Raises ValueError."""
    if _RATE.fullmatch(text) is None or float(text) > _HIGHEST_RATE:
        raise ValueError(f'"{text}" is not a rate of calls like 2.5 a second ({_HIGHEST_RATE:,} at most; 0: no limit)')
    return float(text)


def call_count(text: str) -> int:
    """How many calls are allowed; 0 is no limit. Raises ValueError."""
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS or int(text) > _MOST_CALLS:
        raise ValueError(f'"{text}" is not a number of calls like 30 ({_MOST_CALLS:,} at most; 0: no limit)')
    return int(text)


def leading_digits(text: str) -> str:
    """How a canonical number begins, of ``+1 (415) 555`` and the like. Raises ValueError."""
    digits = _SEPARATORS.sub("", text).removeprefix("+")
    if not digits or not digits.isascii() or not digits.isdigit():
        raise ValueError(f'"{text}" is not how a number begins; write + and digits')
    return digits


def account_name(text: str) -> str:
    """A name an account may have. Raises ValueError."""
    if _NAME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a name; use letters, digits and . _ / - (64 at most)')
    return text


def trunk_name(text: str) -> str:
    """A name a trunk may have. Raises ValueError."""
    return account_name(text)


def caller_name(text: str) -> str:
    """A name to show to the people an account calls. Raises ValueError."""
    if not text.isprintable() or text != text.strip() or not 1 <= len(text) <= _LONGEST_CALLER_NAME:
        raise ValueError(f'"{text}" is not a name to show; {_LONGEST_CALLER_NAME} printable characters at most')
    return text


def address_unit(text: str) -> str:
    """The part of a dispatchable location inside a building. Raises ValueError."""
    if not text.isprintable() or not 1 <= len(text) <= _LONGEST_UNIT:
        raise ValueError(f'"{text}" is not a floor, suite or room; {_LONGEST_UNIT} printable characters at most')
    return text


def list_source(text: str) -> str:
    """Who asked for an entry of a list; may be empty. Raises ValueError."""
    if len(text) > _LONGEST_SOURCE:
        raise ValueError(f"a source has {_LONGEST_SOURCE} characters at most, this one {len(text)}")
    if not text.isprintable():
        raise ValueError("a source is one line of printable characters")
    return text


def remark(text: str) -> str:
    """A line an operator writes for the audit. Raises ValueError."""
    if not text.isprintable() or not 1 <= len(text) <= _LONGEST_REMARK:
        raise ValueError(f"a reason has 1 to {_LONGEST_REMARK} characters, all of them printable")
    return text


def user_name(text: str) -> str:
    """A user name of digest authentication; nothing in it needs a quote or an escape. Raises ValueError."""
    if _USER_NAME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a user name; use letters, digits and . _ - + @ (64 at most)')
    return text


def password(text: str) -> str:
    """A password fit for use; the message does not repeat it. Raises ValueError."""
    if not text.isprintable() or not _SHORTEST_PASSWORD <= len(text) <= _LONGEST_PASSWORD:
        raise ValueError(
            f"a password has {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters, all of them printable"
        )
    return text


def choice(column: str, text: str, choices: Sequence[str]) -> str:
    """One of a few words. Raises ValueError."""
    if text not in choices:
        allowed = ", ".join(word for word in choices if word)
        raise ValueError(f'{column} "{text}" is not one of {allowed}{suggestion(text, choices)}')
    return text


@lru_cache(maxsize=1024)  # a file says the same of many rows
def expiry(text: str) -> UnixTime | None:
    """A date (its first moment, UTC) or a date and time with zone; empty is never. Raises ValueError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a date like 2027-01-31') from None
    if moment.tzinfo is None:
        if len(text) > len("2027-01-31"):
            raise ValueError(f'"{text}" has a time but no zone; write 2027-01-31T12:00:00Z')
        moment = datetime.combine(date(moment.year, moment.month, moment.day), time(), UTC)
    seconds = int(moment.timestamp())
    if not 0 <= seconds <= _LATEST:
        raise ValueError(f'"{text}" is not between the years 1970 and 9999')
    return UnixTime(seconds)


def past(text: str, now: int) -> UnixTime:
    """A moment in the past: so many minutes, hours or days ago (30m, 12h, 7d), or a date. Raises ValueError."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return UnixTime(max(0, now - int(ago["count"]) * _UNITS[ago["unit"]]))
    moment = expiry(text)
    if moment is None:
        raise ValueError(f'"{text}" is neither a time like 7d nor a date')
    return moment


def shown_number(tn: str) -> str:
    """A canonical number as people write it; a short code stays bare."""
    return tn if len(tn) <= 6 else f"+{tn}"


def shown_time(moment: int | None) -> str | None:
    """Unix seconds as an ISO date and time in UTC."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")

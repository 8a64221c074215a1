"""Canonical telephone numbers (RFC 8224 §8.3): what every comparison, look-up and PASSporT in this house uses.

A canonical number is digits, ``*`` and ``#`` only, without ``+``. A number that starts with ``+`` is global and needs
no plan. Anything else is read with the trunk's dial plan, in this order: service codes (911, 112, N11) stay as dialled
(AS-10); an international prefix is dropped; a national prefix or a bare national length gets the country code; what
is left is either already digits with a country code or a private number, and stays as it is.

Nothing is guessed from Unicode: only the ten ASCII digits are digits, so a look-alike can never match a real number.
"""

import re
from dataclasses import dataclass
from typing import NewType

from sipguard.sip.uri import OtherUri, SipUri, TelUri, Uri, unescape

TN = NewType("TN", str)

_GLOBAL = re.compile(r"\+[1-9][0-9]{1,14}\Z")
_DIALLED = re.compile(r"[0-9*#]{1,32}\Z")
_DIGITS = re.compile(r"[0-9]+\Z")
_SEPARATORS = str.maketrans("", "", "-.()")
_LONGEST = 15  # digits of an E.164 number
_SHORTEST_INTERNATIONAL = 7
_UNIVERSAL_PREFIX = "00"  # ITU-T E.164 recommends it everywhere; accepted beside the plan's own prefix
_ANONYMOUS = "anonymous.invalid"  # RFC 3323 §4.1.1.3
_UNRESERVED = re.compile(r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_PERCENT = re.compile(r"%[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How a trunk writes national numbers: its country, prefixes, and the lengths national numbers have."""

    country: str = "US"  # ISO 3166 alpha-2
    country_code: str = "1"
    national_prefix: str = "1"
    international_prefix: str = "011"
    national_lengths: tuple[int, ...] = (10,)


def canonicalise(user: str, plan: DialPlan) -> TN | None:
    """The canonical number of a user part as received (escapes, separators, tel parameters), or None if it is none.

    Parameters after the first ``;`` (``;ext=``, ``;npdi``, ``;verstat=``, ``;tgrp=``) never belong to the number
    (PRV-17, PRV-18).
    """
    if _GLOBAL.match(user):
        return TN(user[1:])
    number = user.partition(";")[0]
    if "%" in number:
        number = unescape(number).partition(";")[0]
    number = number.translate(_SEPARATORS)
    if number[:1] == "+":
        return TN(number[1:]) if _GLOBAL.match(number) else None
    if not _DIALLED.match(number):
        return None
    if not _DIGITS.match(number):
        return TN(number)  # *67, #31#: kept as dialled (AS-09)
    number = globalise(number, plan)
    return TN(number) if len(number) <= _LONGEST else None


def globalise(digits: str, plan: DialPlan) -> str:
    """Dialled digits with their country code where the plan can tell it (RFC 8224 §8.3, second step)."""
    if len(digits) <= 3:
        return digits
    for prefix in (plan.international_prefix, _UNIVERSAL_PREFIX):
        if prefix and digits.startswith(prefix):
            rest = digits[len(prefix) :]
            if len(rest) >= _SHORTEST_INTERNATIONAL and rest[0] != "0":
                return rest
    if len(digits) in plan.national_lengths and not (plan.national_prefix and digits.startswith(plan.national_prefix)):
        return plan.country_code + digits
    if plan.national_prefix and digits.startswith(plan.national_prefix):
        rest = digits[len(plan.national_prefix) :]
        if len(rest) in plan.national_lengths:
            return plan.country_code + rest
    return digits


def tn_of_uri(uri: Uri, plan: DialPlan) -> TN | None:
    """The canonical number a URI names, or None (RFC 8224 §8.1).

    A SIP URI counts with or without ``user=phone`` when its user part reads as a number. A tel URI without ``+`` is
    local: it needs a ``phone-context`` that fits the plan (PRV-14), except for service codes.
    """
    if isinstance(uri, SipUri):
        if uri.user is None or uri.host == _ANONYMOUS:
            return None
        if ";" in uri.user and not _context_fits(uri.user_number or "", uri.user_parameters.get("phone-context"), plan):
            return None
        return canonicalise(uri.user, plan)
    if isinstance(uri, TelUri):
        if uri.number[:1] != "+":
            context = uri.parameters.get("phone-context")
            if context is None:
                return TN(uri.number) if len(uri.number) <= 3 and _DIGITS.match(uri.number) else None
            if not _context_fits(uri.number, context, plan):
                return None
        return canonicalise(uri.number, plan)
    return None


def _context_fits(number: str, context: str | None, plan: DialPlan) -> bool:
    """Whether a local number may be read with this plan: its context is a domain or lies in the plan's country."""
    if context is None or context[:1] != "+" or number[:1] == "+":
        return True
    return context.translate(_SEPARATORS)[1:].startswith(plan.country_code)


def normalise_uri(uri: Uri) -> str:
    """The canonical ``scheme:user@host`` of a URI that holds no number (RFC 8224 §8.5).

    Port, password, parameters and headers are dropped, everything is lower case, and escapes of unreserved characters
    are undone. Other schemes are only put in lower case as far as their scheme goes.
    """
    if isinstance(uri, SipUri):
        # A user part that starts with its parameters keeps them: without it another URI would look the same.
        user = "" if uri.user is None else _normalise_escapes(uri.user.partition(";")[0] or uri.user) + "@"
        return f"{uri.scheme}:{user}{uri.host}"
    if isinstance(uri, OtherUri):
        return f"{uri.scheme.lower()}:{uri.rest}"
    return f"tel:{uri.number.translate(_SEPARATORS)}"


def _normalise_escapes(user: str) -> str:
    """Lower case, unreserved escapes decoded, the remaining escapes with upper-case hexadecimal (RFC 3986 §6.2.2)."""
    decoded = _UNRESERVED.sub(lambda match: chr(int(match.group(1), 16)), user).lower()
    return _PERCENT.sub(lambda match: match.group().upper(), decoded)

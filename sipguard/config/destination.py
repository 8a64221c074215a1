"""How a destination is written in the configuration: a prefix like ``+2247``, or a country like ``GN``.

A country that shares its calling code with a larger one (``GG``) counts as that, so no number would ever be in it.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

from sipguard.config.dial_plan import dial_plan
from sipguard.policy.countries import COUNTRIES

_PREFIX = re.compile(r"\+[1-9][0-9]{0,13}")


def _destination(text: str) -> str:
    if text[:1] == "+":
        if not _PREFIX.fullmatch(text):
            raise ValueError(f'"{text}" is not a prefix like +2247')
        return text
    try:
        return _told_apart(text)
    except ValueError as error:
        raise ValueError(f"{error}; write its prefix like +2247") from None


def _told_apart(text: str) -> str:
    country = dial_plan(text).country
    if country not in COUNTRIES:
        raise ValueError(f'"{text}" shares its calling code with a larger country')
    return country


Destination = Annotated[str, AfterValidator(_destination)]
CalledCountry = Annotated[str, AfterValidator(_told_apart)]  # one that called numbers tell from others

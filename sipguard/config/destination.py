"""How a destination is written in the configuration: a prefix like ``+2247``, or a country like ``GN``."""

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
    country = dial_plan(text).country
    if country not in COUNTRIES:
        raise ValueError(f'"{text}" shares its calling code with a larger country; write its prefix like +2247')
    return country


Destination = Annotated[str, AfterValidator(_destination)]

"""What a person reads beside a caller's number: the display names of a request, and the numbers they show.

Digits of other scripts and full-width forms are digits to a person; separators are none of a number, whether they are
dashes, spaces, dots or nothing that is seen.
"""

import re
import unicodedata

from sipguard.errors import MalformedValue
from sipguard.policy.presented import ASSERTED, PREFERRED, REMOTE_PARTY
from sipguard.sip.address import parse_address
from sipguard.sip.message import Request

SHORTEST_SHOWN = 7  # digits; fewer are an extension, a year or a house number
_FIELDS = (ASSERTED, PREFERRED, REMOTE_PARTY)
_BETWEEN = "\t ()*,-./:;_|~'"
_LIKE_A_NUMBER = re.compile(rf"[+0-9][0-9{re.escape(_BETWEEN)}]{{5,}}[0-9]")
_SEPARATORS = str.maketrans("", "", _BETWEEN)
_SEEN = "PSZ"  # categories of marks that a person takes for separators
_UNSEEN = ("Cf", "Mn", "Me")  # of those that add nothing to what is there


def display_names(request: Request) -> list[str]:
    """The names the caller is shown under, as they stand in From and the identity fields; mostly none."""
    display = request.from_.display
    shown = [display] if display else []
    for field in _FIELDS:
        if field in request.first and not _is_nameless(request.values(field)):
            try:
                shown += [name for value in request.listed(field) if (name := parse_address(value).display)]
            except MalformedValue:
                continue  # the caller-id stage has its say about it
    return shown


def _is_nameless(values: list[str]) -> bool:
    """Whether there is one value, and no name before its URI, as nearly always."""
    return len(values) == 1 and values[0][:1] == "<" and "," not in values[0]


def plain_digits(display: str) -> str:
    """A display name with the digits a person sees in it as ASCII digits, and what separates them as ``-``."""
    if display.isascii():
        return display
    text = unicodedata.normalize("NFKC", display.encode("latin-1", "replace").decode("utf-8", "replace"))
    return "".join(map(_plain, text))


def _plain(mark: str) -> str:
    if mark.isascii():
        return mark
    if mark.isdecimal():
        return str(unicodedata.decimal(mark))
    category = unicodedata.category(mark)
    if category in _UNSEEN:
        return ""
    return "-" if category[0] in _SEEN else mark


def numbers_shown(display: str) -> list[str]:
    """What looks like a telephone number in a text with plain digits: its digits, with a plus if it had one."""
    runs = (run.translate(_SEPARATORS) for run in _LIKE_A_NUMBER.findall(display))
    return [digits for digits in runs if len(digits) >= SHORTEST_SHOWN]

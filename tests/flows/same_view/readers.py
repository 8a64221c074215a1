"""Readers that are not ours: how switches, scripts and telephones in the field find out who calls whom.

Each is naive in another way, and none of them shares a line with the parser under test. What any of them can take for
a caller's or a called number is collected; ``sipmessage``, a parser of another house, reads along.
"""

import re
from itertools import pairwise

from sipmessage import Address, Message

CALLER_FIELDS = ("from", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "p-served-user")
_COMPACT = {"f": "from", "t": "to", "l": "content-length"}


def unfolded(octets: bytes) -> list[tuple[str, str]]:
    """The rows as the standard unfolds them."""
    head = re.sub(r"\r\n[ \t]+", " ", octets.partition(b"\r\n\r\n")[0].decode("latin-1"))
    return [_split(line) for line in head.split("\r\n")[1:]]


def line_by_line(octets: bytes) -> list[tuple[str, str]]:
    """Every line for itself, whatever ends it and whatever space it begins with."""
    head = octets.partition(b"\r\n\r\n")[0].decode("latin-1")
    return [_split(line.strip()) for line in re.split(r"\r\n|\r|\n", head)[1:]]


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    spelled = name.strip().lower()
    return _COMPACT.get(spelled, spelled), value.strip()


def users(value: str) -> set[str]:
    """What different habits take for the user part of a header value."""
    value = re.sub(r";tag=[^;>]*$", "", value)
    found = set(re.findall(r"(?:sips?|tel):([^@;>]+)", value, re.IGNORECASE))  # any URI, wherever it stands
    found.update(re.findall(r"sip:([^>]*)@", value))  # to the last at-sign
    brackets = re.findall(r"<([^>]*)>", value)
    for uri in (*brackets[:1], *brackets[-1:], value.partition(";")[0]):
        rest = uri.partition(":")[2]
        found.update((rest.partition("@")[0], rest.rpartition("@")[0], rest.partition(";")[0]))
    found.update(re.findall(r'^"?\+?[0-9][0-9 ().-]{6,}', value))  # a display name that shows a number
    for user in list(found):
        found.update((user.partition(":")[0], user.partition(":")[2], user.partition(";")[0]))
    return found


def numbers(value: str) -> set[str]:
    """The telephone numbers that a header value or a URI can be read as, with and without undoing escapes."""
    texts = users(value)
    texts |= {_decoded(text) for text in texts} | {_decoded(text) for text in users(_decoded(value))}
    found = set()
    for text in texts:
        number = re.sub(r'[\s().\-"]', "", text.partition(";")[0])
        if re.fullmatch(r"\+?[0-9]{7,15}", number):
            found.add(dialled(number))
    return found


def _decoded(text: str) -> str:
    return re.sub("%([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)


def dialled(number: str) -> str:
    """A number as a neighbour in North America reads it."""
    if number.startswith("+"):
        return number[1:]
    for prefix in ("011", "00"):
        if number.startswith(prefix):
            return number.removeprefix(prefix)
    return "1" + number if len(number) == 10 else number


def callers(octets: bytes) -> set[str]:
    """Every number that any reader can take for the caller's."""
    found: set[str] = set()
    for rows in (unfolded(octets), line_by_line(octets)):
        for name, value in rows:
            if name in CALLER_FIELDS:
                for part in (value, *value.split(",")):
                    found |= numbers(part)
    return found | {dialled(user) for user in _sipmessage_users(octets, "From", "P-Asserted-Identity")}


def called(octets: bytes) -> set[str]:
    """Every number that any reader can take for the called one."""
    found = numbers(octets.split(b" ")[1].decode("latin-1"))
    for rows in (unfolded(octets), line_by_line(octets)):
        for name, value in rows:
            if name == "to":
                found |= numbers(value)
    return found | {dialled(user) for user in _sipmessage_users(octets, "To")}


def _sipmessage_users(octets: bytes, *fields: str) -> set[str]:
    """The numbers the package ``sipmessage`` finds; what it refuses to read it does not misread."""
    found = set()
    try:
        headers = Message.parse(octets).headers
        for field in fields:
            for value in headers.getlist(field):
                found.update(address.uri.user or "" for address in Address.parse_many(value))
    except ValueError:
        return set()
    return {user for user in found if re.fullmatch(r"\+?[0-9]{7,15}", user)}


def repeated(octets: bytes) -> list[str]:
    """The fields two readers could pick different rows of: single ones that are there twice."""
    single = ("from", "to", "call-id", "cseq", "content-length", "max-forwards", "date", "privacy")
    names = sorted(name for name, _ in line_by_line(octets) if name in (*single, *CALLER_FIELDS))
    return [first for first, second in pairwise(names) if first == second and first != "privacy"]

"""Addresses that no two readers read differently: the plain form, and what is written in place of any other.

A caller's number may be spelled with escapes, separators, a password, a second URI in a display name, a header
parameter or a folded line. We read it by the grammar; the next hop may read it with a regular expression. So an address
leaves as it was written only while it is plain: the scheme in lower case, a number the next hop's dial plan reads as
the one that was checked (or a name that holds none), no escape, password or header part, parameters that are tokens,
and a display name that names no other number. Everything else is written anew from what was checked.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sipguard.policy.displayed import numbers_shown, plain_digits
from sipguard.sip.address import Address, format_address
from sipguard.sip.header import unfold
from sipguard.sip.message import Message
from sipguard.sip.names import display_name
from sipguard.sip.uri import HOST, OtherUri, parse_uri
from sipguard.stir.telephone_number import TN, DialPlan, canonicalise

ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"  # RFC 3323 §4.1.1.3
UNAVAILABLE_URI = "sip:unavailable@unknown.invalid"  # 3GPP TS 23.003 §13.7

SHORTEST_GLOBAL_NUMBER = 7  # digits; shorter numbers are service codes and stay as dialled

_USER_PARAMETERS = r"(?:;[A-Za-z][A-Za-z0-9\-]*(?:=[A-Za-z0-9\-.+]*)?)*"
_SIP = re.compile(
    r"sips?:(?:(?P<number>\+?[0-9*#]+)|(?P<name>[A-Za-z][A-Za-z0-9\-_.!~*']*))?"
    rf"(?P<inner>{_USER_PARAMETERS})(?:(?<=:)|@)(?P<place>{HOST}(?::[0-9]{{1,5}})?"
    r"(?:;[A-Za-z0-9\-]+(?:=[A-Za-z0-9\-_.~\[\]:]*)?)*)"
)
_TEL = re.compile(rf"tel:(?P<number>\+?[0-9*#]+)(?P<inner>{_USER_PARAMETERS})")
_MANY_DIGITS = re.compile(r"[0-9]{7}")
_MISLEADING = re.compile(r"[<>\x00-\x08\x0a-\x1f\x7f]|(?<![A-Za-z])(?:sips?|tel):", re.IGNORECASE)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9\-.!*_+`'~:\[\]]*")
_ROW_WITHIN = re.compile(r"\n[ \t]*[A-Za-z0-9\-.!%*_+`'~]+[ \t]*:")
_READ_BY_ALL = frozenset((
    "from", "to", "contact", "call-id", "cseq", "content-length", "max-forwards", "date", "privacy",
    "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion", "history-info", "route",
))  # fmt: skip


class Checked(NamedTuple):
    """What was checked about one address: its number (None: it names nobody by number), and how it may be written.

    ``others`` are further checked numbers that a display name may show, ``plan`` is how the next hop reads numbers,
    ``host`` stands in a URI that is written anew, and ``nobody`` is that URI when there is no number to write.
    """

    tn: TN | None
    others: Collection[TN]
    plan: DialPlan
    host: str
    nobody: str = UNAVAILABLE_URI


def settle(message: Message, field: str, checked: Checked) -> None:
    """Make From or To plain. Raises MalformedValue."""
    address = message.from_ if field == "from" else message.to
    plain = plainly(address, checked)
    if plain is not address:
        message.set(field, format_address(plain))


def plainly(address: Address, checked: Checked) -> Address:
    """The address itself when it is plain, else the one to write in its place. Raises MalformedValue."""
    uri = address.uri if _is_plain(address.uri, checked) else _uri(address.uri, checked)
    display = address.display
    if display is not None and not _is_harmless(display, checked):
        display = None
    parameters = plain_parameters(address)
    if uri is address.uri and display is address.display and parameters is address.parameters:
        return address
    return Address(display, uri, parameters)


def plain_parameters(address: Address) -> Mapping[str, str | None]:
    """The header parameters of an address without those that could be read as more; the very same if all may stay."""
    parameters = address.parameters
    for name, value in parameters.items():
        if name != "tag" and not _is_token(name, value):
            return {key: text for key, text in parameters.items() if key == "tag" or _is_token(key, text)}
    return parameters


def number_text(tn: TN) -> str:
    """A canonical number as it is written: with a plus when it is a global one."""
    return f"+{tn}" if len(tn) >= SHORTEST_GLOBAL_NUMBER and tn.isdecimal() else tn


def reads_as(user: str, tn: TN, plan: DialPlan) -> bool:
    """Whether a user part of digits is this number to whoever reads with this plan."""
    return user == f"+{tn}" or canonicalise(user, plan) == tn


def unfold_rows(message: Message) -> None:
    """Write out anew what a reader that takes lines one by one would misread.

    That is a folded line that looks like a header field, and a field which everybody reads with a fold in it or with
    space before its colon. Other rows keep their folds and spaces.
    """
    for index, (name, row) in enumerate(zip(message.names, message.rows, strict=True)):
        colon = row.index(":")
        folded = "\n" in row
        if (folded and (name in _READ_BY_ALL or _ROW_WITHIN.search(row))) or (
            name in _READ_BY_ALL and row[colon - 1] in " \t"
        ):
            value = unfold(row[colon + 1 :]).strip(" \t")
            message.put_row(index, f"{display_name(name)}: {value}")


def _is_token(name: str, value: str | None) -> bool:
    return name != "verstat" and (value is None or _PLAIN_VALUE.fullmatch(value) is not None)


def _is_plain(text: str, checked: Checked) -> bool:
    match = _SIP.fullmatch(text)
    if match is None:
        match = _TEL.fullmatch(text)
        if match is None:
            return isinstance(parse_uri(text), OtherUri) and not _MANY_DIGITS.search(text)
    elif _MANY_DIGITS.search(match["place"]) or (match["name"] and _MANY_DIGITS.search(match["name"])):
        return False
    number, inner = match["number"], match["inner"]
    if inner and (_MANY_DIGITS.search(inner) or "phone-context" in inner.lower()):
        return False
    if number is None:
        return checked.tn is None
    return checked.tn is not None and reads_as(number, checked.tn, checked.plan)


def _uri(text: str, checked: Checked) -> str:
    """The URI of what was checked, of the scheme it had."""
    if checked.tn is None:
        return checked.nobody
    number = number_text(checked.tn)
    scheme = text.partition(":")[0].lower()
    if scheme == "tel" and number[0] == "+":
        return f"tel:{number}"
    return f"{'sips' if scheme == 'sips' else 'sip'}:{number}@{checked.host};user=phone"


def _is_harmless(display: str, checked: Checked) -> bool:
    """Whether a display name holds nothing that could be read as another address, or shown as another number."""
    display = plain_digits(display)
    if _MISLEADING.search(display):
        return False
    return all(_is_checked(digits, checked) for digits in numbers_shown(display))


def _is_checked(digits: str, checked: Checked) -> bool:
    number = canonicalise(digits, checked.plan)
    return number is not None and (number == checked.tn or number in checked.others)

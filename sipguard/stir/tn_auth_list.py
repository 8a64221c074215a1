"""The TN Authorization List of a certificate (RFC 8226 §9): whose numbers its holder may sign for.

    TNAuthorizationList ::= SEQUENCE SIZE (1..MAX) OF TNEntry
    TNEntry ::= CHOICE { spc [0] IA5String, range [1] SEQUENCE { start, count (2..MAX), ... }, one [2] IA5String }

The module uses explicit tags and certificates are DER, so every value has one encoding. Production certificates exist
that leave out tags or lengths (PIT-14); they are refused, and reading them never leaves the octets given.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.stir.telephone_number import TN

OID = "1.3.6.1.5.5.7.1.26"  # id-pe-TNAuthList

_SEQUENCE, _INTEGER, _IA5_STRING = 0x30, 0x02, 0x16
_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2
_TN = re.compile(r"[0-9*#]{1,15}\Z")
_DIGITS = re.compile(r"[0-9]{1,15}\Z")


@dataclass(frozen=True, slots=True)
class NumberRange:
    """``count`` consecutive numbers of equal length from ``start`` on."""

    start: TN
    count: int


class TnAuthList(NamedTuple):
    """The entries by kind, each in the order of the certificate."""

    service_provider_codes: tuple[str, ...] = ()
    ranges: tuple[NumberRange, ...] = ()
    numbers: tuple[TN, ...] = ()

    @property
    def lists_numbers(self) -> bool:
        """Whether numbers are named, so that the calling number must be one of them (CRT-03)."""
        return bool(self.ranges or self.numbers)

    def covers(self, tn: TN) -> bool:
        """Whether a number is named, alone or in a range; service provider codes name none."""
        if tn in self.numbers:
            return True
        if not _DIGITS.match(tn):
            return False
        value = int(tn)
        return any(len(tn) == len(entry.start) and 0 <= value - int(entry.start) < entry.count for entry in self.ranges)


def decode(der: bytes) -> TnAuthList:
    """The list in an extension value; raises MalformedValue unless it is strict DER of the module above."""
    tag, content, end = _element(der, 0)
    if tag != _SEQUENCE or end != len(der) or not content:
        raise MalformedValue("TNAuthList is not a sequence of entries")
    codes: list[str] = []
    ranges: list[NumberRange] = []
    numbers: list[TN] = []
    position = 0
    while position < len(content):
        tag, entry, position = _element(content, position)
        inner, value, end = _element(entry, 0)
        if end != len(entry):
            raise MalformedValue("TNAuthList entry holds more than one value")
        if tag == _SPC and inner == _IA5_STRING:
            codes.append(_code(value))
        elif tag == _RANGE and inner == _SEQUENCE:
            ranges.append(_range(value))
        elif tag == _ONE and inner == _IA5_STRING:
            numbers.append(_number(value))
        else:
            raise MalformedValue("TNAuthList entry of unknown kind")
    return TnAuthList(tuple(codes), tuple(ranges), tuple(numbers))


def encode(entries: TnAuthList) -> bytes:
    """The extension value of a list, for certificates and requests we make."""
    content = b"".join(_tlv(_SPC, _tlv(_IA5_STRING, code.encode("ascii"))) for code in entries.service_provider_codes)
    for entry in entries.ranges:
        octets = entry.count.to_bytes(entry.count.bit_length() // 8 + 1, "big")
        inner = _tlv(_IA5_STRING, entry.start.encode("ascii")) + _tlv(_INTEGER, octets)
        content += _tlv(_RANGE, _tlv(_SEQUENCE, inner))
    content += b"".join(_tlv(_ONE, _tlv(_IA5_STRING, number.encode("ascii"))) for number in entries.numbers)
    return _tlv(_SEQUENCE, content)


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _element(data: bytes, position: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the element at a position; definite, minimal lengths that stay inside the data."""
    if position + 2 > len(data):
        raise MalformedValue("truncated DER")
    tag, length = data[position], data[position + 1]
    start = position + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 0 < size <= 3 or start + size > len(data):
            raise MalformedValue("DER length is indefinite, too long or truncated")
        length = int.from_bytes(data[start : start + size], "big")
        if length < 0x80 or length >> (8 * (size - 1)) == 0:
            raise MalformedValue("DER length is not minimal")
        start += size
    if start + length > len(data):
        raise MalformedValue("truncated DER")
    return tag, data[start : start + length], start + length


def _code(value: bytes) -> str:
    if not value or not value.isascii() or not value.decode("ascii").isprintable():
        raise MalformedValue("service provider code is not IA5")
    return value.decode("ascii")


def _number(value: bytes) -> TN:
    text = value.decode("latin-1")
    if not _TN.match(text):
        raise MalformedValue("telephone number holds more than digits, * and #")
    return TN(text)


def _range(value: bytes) -> NumberRange:
    tag, start_octets, position = _element(value, 0)
    start = _number(start_octets)
    if tag != _IA5_STRING or not _DIGITS.match(start):
        raise MalformedValue("range start is not digits")
    tag, count_octets, _ = _element(value, position)  # the module allows later additions after the count
    if tag != _INTEGER or not 0 < len(count_octets) <= 8:
        raise MalformedValue("range count is not an integer")
    if len(count_octets) > 1 and count_octets[0] == 0 and count_octets[1] < 0x80:
        raise MalformedValue("range count is not minimal DER")
    count = int.from_bytes(count_octets, "big", signed=True)
    if count < 2 or int(start) + count >= 10 ** len(start):
        raise MalformedValue("range count is below 2 or runs past the number's length")
    return NumberRange(start, count)

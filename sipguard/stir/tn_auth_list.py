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
from sipguard.stir.der import IA5_STRING, INTEGER, SEQUENCE, element, tlv
from sipguard.stir.telephone_number import TN

OID = "1.3.6.1.5.5.7.1.26"  # id-pe-TNAuthList

_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2
_TN = re.compile(r"[0-9*#]{1,15}\Z")
_DIGITS = re.compile(r"[0-9]{1,15}\Z")
_Span = tuple[int, int, int]  # digits of a number, first and last number


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

    def encompasses(self, other: "TnAuthList") -> bool:
        """Whether a delegate may have the other list (RFC 9060 §4): every entry lies within this one.

        A provider code stands for numbers only its provider can tell, so where there is one any number may be within.
        """
        codes = self.service_provider_codes
        if not all(code in codes for code in other.service_provider_codes):
            return False
        if codes:
            return True
        spans = self._spans()
        return all(number in self.numbers or _within(_span(number, 1), spans) for number in other.numbers) and all(
            _within(_span(entry.start, entry.count), spans) for entry in other.ranges
        )

    def _spans(self) -> list[_Span]:
        """The numbers named, as spans without overlap, ordered; neighbours are joined."""
        spans: list[_Span] = []
        named = [_span(entry.start, entry.count) for entry in self.ranges]
        named += [_span(number, 1) for number in self.numbers if _DIGITS.match(number)]
        for length, first, last in sorted(named):
            if spans and spans[-1][0] == length and first <= spans[-1][2] + 1:
                spans[-1] = (length, spans[-1][1], max(spans[-1][2], last))
            else:
                spans.append((length, first, last))
        return spans


def _span(start: TN, count: int) -> _Span:
    if not _DIGITS.match(start):
        return 0, 0, 0  # with a * or # it lies within nothing but its like
    return len(start), int(start), int(start) + count - 1


def _within(span: _Span, spans: list[_Span]) -> bool:
    length, first, last = span
    return any(length == other[0] and other[1] <= first and last <= other[2] for other in spans)


def decode(der: bytes) -> TnAuthList:
    """The list in an extension value; raises MalformedValue unless it is strict DER of the module above."""
    tag, content, end = element(der, 0)
    if tag != SEQUENCE or end != len(der) or not content:
        raise MalformedValue("TNAuthList is not a sequence of entries")
    codes: list[str] = []
    ranges: list[NumberRange] = []
    numbers: list[TN] = []
    position = 0
    while position < len(content):
        tag, entry, position = element(content, position)
        inner, value, end = element(entry, 0)
        if end != len(entry):
            raise MalformedValue("TNAuthList entry holds more than one value")
        if tag == _SPC and inner == IA5_STRING:
            codes.append(_code(value))
        elif tag == _RANGE and inner == SEQUENCE:
            ranges.append(_range(value))
        elif tag == _ONE and inner == IA5_STRING:
            numbers.append(_number(value))
        else:
            raise MalformedValue("TNAuthList entry of unknown kind")
    return TnAuthList(tuple(codes), tuple(ranges), tuple(numbers))


def encode(entries: TnAuthList) -> bytes:
    """The extension value of a list, for certificates and requests we make."""
    content = b"".join(tlv(_SPC, tlv(IA5_STRING, code.encode("ascii"))) for code in entries.service_provider_codes)
    for entry in entries.ranges:
        octets = entry.count.to_bytes(entry.count.bit_length() // 8 + 1, "big")
        inner = tlv(IA5_STRING, entry.start.encode("ascii")) + tlv(INTEGER, octets)
        content += tlv(_RANGE, tlv(SEQUENCE, inner))
    content += b"".join(tlv(_ONE, tlv(IA5_STRING, number.encode("ascii"))) for number in entries.numbers)
    return tlv(SEQUENCE, content)


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
    tag, start_octets, position = element(value, 0)
    start = _number(start_octets)
    if tag != IA5_STRING or not _DIGITS.match(start):
        raise MalformedValue("range start is not digits")
    tag, count_octets, _ = element(value, position)  # the module allows later additions after the count
    if tag != INTEGER or not 0 < len(count_octets) <= 8:
        raise MalformedValue("range count is not an integer")
    if len(count_octets) > 1 and count_octets[0] == 0 and count_octets[1] < 0x80:
        raise MalformedValue("range count is not minimal DER")
    count = int.from_bytes(count_octets, "big", signed=True)
    if count < 2 or int(start) + count >= 10 ** len(start):
        raise MalformedValue("range count is below 2 or runs past the number's length")
    return NumberRange(start, count)

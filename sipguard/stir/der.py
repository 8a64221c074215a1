"""Reading and writing DER, as far as the certificate extensions of STIR need it (X.690 §10).

DER gives every value one encoding: definite lengths of the fewest octets. Anything else is refused, and reading never
leaves the octets given, whatever a length says.
"""

from collections.abc import Iterator

from sipguard.errors import MalformedValue

SEQUENCE, INTEGER, UTF8_STRING, IA5_STRING = 0x30, 0x02, 0x0C, 0x16


def element(data: bytes, position: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the element at a position; raises MalformedValue."""
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


def only(data: bytes) -> tuple[int, bytes]:
    """Tag and content of the one element that the octets are; raises MalformedValue."""
    tag, content, end = element(data, 0)
    if end != len(data):
        raise MalformedValue("more than one DER value")
    return tag, content


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of every element, one after the other; raises MalformedValue."""
    position = 0
    while position < len(data):
        tag, content, position = element(data, position)
        yield tag, content


def tlv(tag: int, content: bytes) -> bytes:
    """An element."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content

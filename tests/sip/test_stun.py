"""STUN Binding Requests, against the vectors of RFC 5769."""

import pytest

from sipguard.sip.stun import binding_response

COOKIE = bytes.fromhex("2112a442")
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = b"\0\1\0\0" + COOKIE + TRANSACTION


def request(attributes: bytes, length: int | None = None) -> bytes:
    """A Binding Request with attributes."""
    size = len(attributes) if length is None else length
    return b"\0\1" + size.to_bytes(2, "big") + COOKIE + TRANSACTION + attributes


@pytest.mark.clause("TRN-17", "RFC 5626 4.4.2", "RFC 5389 15.2")
@pytest.mark.parametrize(
    ("host", "attribute"),
    [
        ("192.0.2.1", "002000080001a147e112a643"),  # RFC 5769 §2.2
        ("2001:db8:1234:5678:11:2233:4455:6677", "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),  # §2.3
    ],
)
@pytest.mark.parametrize("more", [b"", b"\x80\x22\0\3abc\0", b"\x80\x28\0\4abcd\x80\x22\0\0"])
def test_who_asks_is_told_its_address(host: str, attribute: str, more: bytes) -> None:
    """The address in the form of RFC 5769, under the request's transaction; attributes that may be ignored are."""
    answer = bytes.fromhex(attribute)
    expected = b"\1\1" + len(answer).to_bytes(2, "big") + COOKIE + TRANSACTION + answer
    assert binding_response(request(more), host, 32853) == expected


def test_a_scope_is_no_part_of_the_address() -> None:
    """A link-local address is told without the number of our interface."""
    assert binding_response(REQUEST, "fe80::1%2", 5060) == binding_response(REQUEST, "fe80::1", 5060)


@pytest.mark.clause("TRN-17")
@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\0", REQUEST[:19], REQUEST + b"\0", REQUEST + b"\0\0\0\0",
        b"\1\1" + REQUEST[2:],  # a response
        b"\0\x11" + REQUEST[2:],  # an indication
        b"\0\1\0\0" + b"\0\0\0\0" + TRANSACTION,  # of RFC 3489
        request(b"\0\x06\0\4user"),  # asks for more than we know
        request(b"\x80\x22\0\x09abc\0"),
        request(b"\x80\x22\0"),
        request(b"", 4),
    ],
)  # fmt: skip
def test_anything_else_is_left_alone(octets: bytes) -> None:
    """What is no Binding Request, or not one we can answer, gets no answer."""
    assert binding_response(octets, "192.0.2.1", 5060) is None

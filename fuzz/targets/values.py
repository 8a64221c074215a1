"""Every reader of a header value, URI or date gives a value that says the same when it is written and read again, or
raises MalformedValue and nothing else."""

from collections.abc import Callable
from typing import Any

from sipguard.errors import MalformedValue
from sipguard.sip.address import format_address, parse_address
from sipguard.sip.cseq import parse_cseq
from sipguard.sip.date import format_date, parse_date
from sipguard.sip.header import format_parameters, parse_parameters, split_list, unfold
from sipguard.sip.uri import SipUri, TelUri, Uri, parse_uri, same_uri, unescape
from sipguard.sip.via import parse_via
from sipguard.stir.telephone_number import DialPlan, normalise_uri, tn_of_uri


def check(data: bytes) -> None:
    """The invariant, for one value."""
    text = unfold(data.decode("latin-1"))
    uri(text)
    back(text, parse_address, format_address)
    back(text, parse_via, str)
    back(text, parse_cseq, lambda cseq: f"{cseq.number} {cseq.method}")
    back(text, parse_parameters, format_parameters)
    back(text, split_list, ", ".join)
    moment = parse_date(text)
    assert moment is None or parse_date(format_date(moment)) == moment


def back(text: str, read: Callable[[str], Any], write: Callable[[Any], str]) -> None:
    """What is read, written and read again is the same."""
    try:
        value = read(text)
    except MalformedValue:
        return
    assert read(write(value)) == value


def uri(text: str) -> None:
    """A URI is all of its parts and nothing else, equal to itself, and every question about it has an answer."""
    try:
        read = parse_uri(text)
    except MalformedValue:
        return
    assert read.text == text
    assert same_uri(read, read)
    normal = normalise_uri(read)  # RFC 8224 §8.5: without password and parameters
    assert normalise_uri(parse_uri(normal)) == normal
    tn_of_uri(read, DialPlan())
    unescape(text)
    joined = rejoined(read)
    assert joined is None or joined.lower() == text.lower()
    if isinstance(read, SipUri):
        assert read.place
        assert read.address_host
        assert read.user_number is not None
        assert read.user_parameters is not None


def rejoined(read: Uri) -> str | None:
    """The parts of a URI put together; None when a part is kept in another spelling."""
    if isinstance(read, TelUri):
        return f"tel:{read.number}{joined_parameters(read.parameters)}"
    if not isinstance(read, SipUri):
        return f"{read.scheme}:{read.rest}"
    if read.port is not None and f":{read.port}" not in read.text:
        return None  # leading zeros
    password = "" if read.password is None else f":{read.password}"
    user = "" if read.user is None else f"{read.user}{password}@"
    port = "" if read.port is None else f":{read.port}"
    headers = "" if read.headers is None else f"?{read.headers}"
    return f"{read.scheme}:{user}{read.host}{port}{joined_parameters(read.parameters)}{headers}"


def joined_parameters(parameters: Any) -> str:
    """URI parameters as they are written."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items())

"""The same message in any spelling is the same message: folds, compact names, white space, quotes, order and case.

One call is written twice, each time in a spelling of its own drawn from what RFC 3261 allows, and everything a proxy
reads of it must come out equal; so must what is left of it after the edits of a proxy.
"""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.names import COMPACT_FORMS
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response, stamp_received
from sipguard.sip.sanity import check
from sipguard.sip.via import Via

COMPACT = {name: letter for letter, name in COMPACT_FORMS.items()}
VIAS = (
    ("UDP", "192.0.2.11", 5060, {"branch": "z9hG4bK1", "rport": None, "x": "a,b;c"}),
    ("TLS", "[2001:db8::1]", None, {"branch": "z9hG4bK2", "received": "2001:db8::9"}),
    ("unknown", "a.example", 5070, {"branch": "z9hG4bK3"}),
)
ROUTES = ("<sip:a.example;lr>", "<sip:b.example:5070;transport=tcp;lr>", "<sips:c@[2001:db8::2];x=%41,b>")
DISPLAYS = ('"Bob, <sip:x@y>;tag=\\"no\\""', '"\\\\"', "Bob Q. Public", "")
URIS = (
    "sip:+1-212-555-0123;phone-context=x@a.example;user=phone",
    "sip:b%20ob:pw@[2001:db8::3]:5070",
    "tel:+12125550123",
)
FLOW = Flow(0, "udp", "203.0.113.7", 40000)


class Spelling:
    """Draws how things are written."""

    def __init__(self, draw: Callable[..., object]) -> None:
        self._draw = draw

    def one_of(self, *choices: str) -> str:
        """One of these."""
        return str(self._draw(st.sampled_from(choices)))

    def space(self) -> str:
        """White space where it means nothing: SWS."""
        return self.one_of("", "", "", " ", "\t", "  ", "\r\n ", " \r\n\t")

    def gap(self) -> str:
        """White space where there must be some: LWS."""
        return self.one_of(" ", " ", "  ", "\t", "\r\n ", " \r\n\t ")

    def name(self, name: str) -> str:
        """A header field name with its colon."""
        spelled = self.one_of(name, name.upper(), name.lower(), COMPACT.get(name.lower(), name))
        return spelled + self.one_of("", " ", "\t") + ":" + self.space()

    def parameters(self, parameters: dict[str, str | None]) -> str:
        """Header parameters, in any order and case of names."""
        names = self._draw(st.permutations(sorted(parameters)))
        return "".join(self.parameter(name, parameters[name]) for name in names)  # type: ignore[attr-defined]

    def parameter(self, name: str, value: str | None) -> str:
        """One of them; a token may be quoted, anything else must be."""
        start = f"{self.space()};{self.space()}{self.one_of(name, name.upper())}"
        if value is None:
            return start
        quoted = '"' + value.replace("a", self.one_of("a", "\\a")) + '"'
        plain = value if set(value).isdisjoint(",;") else quoted
        return f"{start}{self.space()}={self.space()}{self.one_of(plain, quoted)}"

    def via(self, via: tuple[str, str, int | None, dict[str, str | None]]) -> str:
        """A Via value."""
        transport, host, port, parameters = via
        slash = f"{self.space()}/{self.space()}"
        sent_by = self.one_of(host, host.upper()) + ("" if port is None else f"{self.space()}:{self.space()}{port}")
        return f"SIP{slash}2.0{slash}{transport}{self.gap()}{sent_by}{self.parameters(parameters)}"

    def listed(self, name: str, values: list[str]) -> list[str]:
        """Rows that hold these values: one each, or several in a row."""
        rows = [self.name(name) + values[0]]
        for value in values[1:]:
            if self.one_of("row", "comma") == "row":
                rows.append(self.name(name) + value)
            else:
                rows[-1] += f"{self.space()},{self.space()}{value}"
        return rows

    def address(self, display: str, uri: str, tag: str) -> str:
        """A name-addr. A tag is a token (RFC 3261 §25.1), never in quotes."""
        tag = f"{self.space()};{self.space()}{self.one_of('tag', 'TAG')}{self.space()}={self.space()}{tag}"
        other = self.parameters({"x": "q;a"})
        return f"{display}{self.space()}<{uri}>{self.one_of(tag + other, other + tag)}"


@st.composite
def twins(draw: st.DrawFn) -> tuple[Request, Request]:
    """One message in two spellings."""
    spelling = Spelling(draw)
    vias = VIAS[: draw(st.integers(1, 3))]
    routes = list(ROUTES[: draw(st.integers(0, 3))])
    displays, uris = draw(st.tuples(*[st.sampled_from(DISPLAYS)] * 2)), draw(st.tuples(*[st.sampled_from(URIS)] * 2))
    rest = draw(st.permutations(["Route", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact"]))
    body = draw(st.binary(max_size=20))

    def written() -> Request:
        rows = {
            "Route": spelling.listed("Route", routes) if routes else [],
            "From": [spelling.name("From") + spelling.address(displays[0], uris[0], "one")],
            "To": [spelling.name("To") + spelling.address(displays[1], uris[1], "two")],
            "Call-ID": [f"{spelling.name('Call-ID')}a%b@c{spelling.one_of('', ' ')}"],
            "CSeq": [f"{spelling.name('CSeq')}{spelling.one_of('', '00')}7{spelling.gap()}INVITE"],
            "Max-Forwards": [f"{spelling.name('Max-Forwards')}{spelling.one_of('70', '070')}"],
            "Contact": spelling.listed("Contact", ["<sip:x@y>", '"q, r" <sip:z@y?a=b>;q=0.1']),
        }
        lines = spelling.listed("Via", [spelling.via(via) for via in vias])
        lines += [row for name in rest for row in rows[name]]
        lines.append(f"{spelling.name('Content-Length')}{len(body)}")
        octets = "\r\n".join(("INVITE sip:+12125550123@a.example SIP/2.0", *lines, "", "")).encode() + body
        message = parse(octets)
        assert isinstance(message, Request)
        check(message, datagram=True)
        assert message.encode() == octets
        return message

    return written(), written()


def seen(message: Request) -> tuple[object, ...]:
    """What a proxy reads of a request."""
    via = message.via._replace(host=message.via.host.lower(), parameters=dict(message.via.parameters))
    addresses = [address._replace(parameters=dict(address.parameters)) for address in (message.from_, message.to)]
    contacts = [contact.replace(" ", "") for contact in message.listed("contact")]
    hops = int(message.required("max-forwards"))
    return (
        message.method, message.uri, via, addresses, message.cseq, message.call_id, hops, message.listed("route"),
        contacts, len(message.listed("via")), message.body,
    )  # fmt: skip


@pytest.mark.clause("MSG-01", "MSG-02", "MSG-03", "MSG-04", "MSG-06", "MSG-24", "MSG-35", "RFC 3261 7.3.1")
@settings(max_examples=200, deadline=None)
@given(twins())
def test_spelling_changes_nothing(pair: tuple[Request, Request]) -> None:
    """Two spellings of a message read the same, and so do the copies a proxy stamps, edits and answers."""
    one, other = pair
    assert seen(one) == seen(other)
    for message in pair:
        stamp_received(message, FLOW)
    assert seen(one) == seen(other)
    answers = [build_response(message, 486, None, "mine") for message in pair]
    assert answers[0].to.tag == answers[1].to.tag == "two"
    assert answers[0].via.received == answers[1].via.received == FLOW.host
    forks = [message.fork() for message in pair]
    for fork in forks:
        fork.remove_first("route")
        fork.prepend("via", str(Via("UDP", "192.0.2.1", 5060, {"branch": "z9hG4bKours"})))
        fork.set("max-forwards", "69")
    assert seen(parse_again(forks[0])) == seen(parse_again(forks[1])) == seen(forks[0])


def parse_again(fork: Request) -> Request:
    """What the next hop gets."""
    message = parse(fork.encode())
    assert isinstance(message, Request)
    return message

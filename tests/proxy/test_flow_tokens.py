"""Flow tokens by themselves."""

from collections.abc import Iterator

import pytest

from sipguard.errors import ForgedToken
from sipguard.proxy.active_calls import ActiveCalls
from sipguard.proxy.flow_tokens import FlowTokens
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.uri import SipUri, parse_uri

UDP = Listener(0, "udp", "192.0.2.1", 5060, "192.0.2.1", 5060)
TLS = Listener(1, "tls", "192.0.2.1", 5061, "192.0.2.1", 5061)
CONNECTION = Flow(1, "tls", "198.51.100.7", 40000, 31, ("pbx.acme.example",))
PLACES = [
    Flow(0, "udp", "198.51.100.7", 40000),
    Flow(0, "udp", "fe80::1%2", 5060),
    Flow(1, "tls", "2001:db8::7", 5061, 0, ("pbx.acme.example", "acme.example")),
]


def tokens(*listeners: Listener, secret: bytes = b"secret", boot: str = "0123456789abcdef") -> FlowTokens:
    """The tokens of a node."""
    return FlowTokens(secret, listeners or (UDP, TLS), lambda: boot)


@pytest.mark.clause("EXT-09", "RFC 5626 5.2")
@pytest.mark.parametrize("flow", [CONNECTION, *PLACES])
def test_a_token_names_its_flow(flow: Flow) -> None:
    """What is written is read again, and is a user part as it stands."""
    own = tokens()
    token = own.write(flow, "call-1")
    assert own.read(token, "call-1") == flow
    uri = parse_uri(f"sip:{token}@192.0.2.1;lr")
    assert isinstance(uri, SipUri)
    assert uri.user == token


@pytest.mark.clause("EXT-09")
@pytest.mark.parametrize("flow", [CONNECTION, *PLACES])
def test_every_change_is_noticed(flow: Flow) -> None:
    """Any character changed, added or left out, another call, another secret: forged."""
    own = tokens()
    token = own.write(flow, "call-1")
    for changed in {*_changes(token), "", ".", "-", "\xe4.\xe4"}:
        with pytest.raises(ForgedToken):
            own.read(changed, "call-1")
    for other, call_id in ((own, "call-2"), (tokens(secret=b"other"), "call-1")):
        with pytest.raises(ForgedToken):
            other.read(token, call_id)


def _changes(token: str) -> Iterator[str]:
    for at, character in enumerate(token):
        yield token[:at] + ("0" if character != "0" else "1") + token[at + 1 :]
        yield token[:at] + token[at + 1 :]
    yield token + "0"


@pytest.mark.clause("EXT-09", "RFC 5626 5.3.1")
def test_a_connection_is_gone_with_itself_or_its_engine() -> None:
    """None when it was lost, and for an engine with the same secret that began later; a place outlives both."""
    own, next_one = tokens(), tokens(boot="fedcba9876543210")
    token, place = own.write(CONNECTION, "call-1"), own.write(PLACES[0], "call-1")
    next_one.write(CONNECTION, "call-2")
    assert next_one.read(token, "call-1") is None
    assert next_one.read(place, "call-1") == PLACES[0]
    assert len(own) == 1
    own.lost(PLACES[0])
    own.lost(CONNECTION)
    assert len(own) == 0
    assert own.read(token, "call-1") is None
    assert own.read(place, "call-1") == PLACES[0]


def test_a_place_is_gone_with_its_listener() -> None:
    """None when the listener is another, or none, since the node was configured anew."""
    place = tokens().write(PLACES[2], "call-1")
    assert tokens(UDP).read(place, "call-1") is None
    assert tokens(UDP, UDP).read(place, "call-1") is None


def test_a_dialog_token_is_no_flow_token() -> None:
    """The two kinds cannot stand for each other, though one secret keys both."""
    with pytest.raises(ForgedToken):
        tokens().read(ActiveCalls(b"secret").tokens("0123456789abcdef-1f", "call-1", "from", 0).called, "call-1")
    assert ActiveCalls(b"secret").redeem(tokens().write(CONNECTION, "call-1"), "call-1", "from", "to") is None

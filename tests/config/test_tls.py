"""TLS in the configuration: listeners, targets, names, authorities, and what is wrong between them."""

from pathlib import Path

import pytest

from sipguard.config import load
from sipguard.config.model import LimitsSection, TlsSection
from sipguard.errors import ConfigurationError
from sipguard.policy.trunk import Target

PLAIN = """
[node]
name = "edge-1"
[[listener]]
transport = "udp"
bind = "192.0.2.1"
"""
SECURE = """
[[listener]]
transport = "tls"
bind = "192.0.2.1"
certificate = "edge.pem"
key = "edge.key"
"""
CLIENTS = 'client_ca = "peers.pem"\n'


def write(directory: Path, text: str) -> Path:
    """A configuration file."""
    file = directory / "sipguard.toml"
    file.write_text(text)
    return file


def problems(directory: Path, text: str) -> dict[str, str]:
    """What is wrong, by key."""
    with pytest.raises(ConfigurationError) as caught:
        load(write(directory, text))
    return {problem.key: problem.message for problem in caught.value.problems}


@pytest.mark.clause("TRN-01", "TRN-18")
def test_a_tls_listener(tmp_path: Path) -> None:
    """Port 5061 unless written, files beside the configuration, limits with their defaults."""
    configuration = load(write(tmp_path, PLAIN + SECURE + CLIENTS))
    listener = configuration.listener[1]
    assert (listener.bind, listener.advertised.port) == ("192.0.2.1:5061", 5061)
    assert (listener.certificate, listener.client_ca) == (tmp_path / "edge.pem", tmp_path / "peers.pem")
    assert not listener.transport_parameter
    assert configuration.tls == TlsSection(ca=None, handshake_timeout=5, max_handshakes=100)
    assert configuration.limits == LimitsSection(
        ping_interval=0, pong_timeout=10, message_timeout=20, max_per_address=250
    )


@pytest.mark.clause("TRN-08", "RFC 5922 7.3")
def test_tls_trunks(tmp_path: Path) -> None:
    """A name is verified as written, an address by the trunk's names; authorities are a file or the system's."""
    text = PLAIN + SECURE + CLIENTS + (
        '[tls]\nca = "system"\n[[trunk]]\nname = "a"\nside = "network"\ntargets = ["sips:sip.example", '
        '"sip:192.0.2.7;transport=tls"]\ntls_names = ["SIP.Example."]\ntls_ca = "a.pem"\n'
        '[[trunk]]\nname = "b"\nside = "customer"\naccount = "b"\ntls_names = ["b.example"]\n'
    )  # fmt: skip
    configuration = load(write(tmp_path, text))
    trunk = configuration.trunk[0].trunk()
    assert trunk.targets == (
        Target("sips:sip.example", "tls", "sip.example", None),
        Target("sip:192.0.2.7;transport=tls", "tls", "192.0.2.7", 5061, ("sip.example",)),
    )
    assert (trunk.tls_names, trunk.tls_ca) == (("sip.example",), str(tmp_path / "a.pem"))
    assert (configuration.tls.ca, configuration.trunk[1].trunk().tls_names) == ("system", ("b.example",))


def test_keys_of_listeners(tmp_path: Path) -> None:
    """TLS needs a certificate and its key, others have no use for them, and no two listeners share a place."""
    text = (
        PLAIN + 'certificate = "x.pem"\nclient_ca = "x.pem"\n'
        '[[listener]]\ntransport = "tls"\nbind = "192.0.2.1:5060"\n'
        '[[listener]]\ntransport = "tcp"\nbind = "192.0.2.1:5060"\n'
    )
    assert problems(tmp_path, text) == {
        "listener[0].certificate": "is for TLS listeners",
        "listener[0].client_ca": "is for TLS listeners",
        "listener[1].certificate": "is required by a TLS listener",
        "listener[1].key": "is required by a TLS listener",
        "listener[1].bind": "a UDP listener has the same address and port; a sip URI could not tell them",
        "listener[2].bind": "an earlier listener has 192.0.2.1:5060 already",
    }


def test_keys_of_trunks(tmp_path: Path) -> None:
    """Nobody asks for the certificate, nobody vouches, nobody could tell who is at an address, two claim one name."""
    text = PLAIN + SECURE + (
        '[[trunk]]\nname = "a"\nside = "network"\ntargets = ["sips:192.0.2.7"]\n'
        '[[trunk]]\nname = "b"\nside = "customer"\naccount = "b"\ntls_names = ["b.example", "*.b.example"]\n'
        '[[trunk]]\nname = "c"\nside = "customer"\naccount = "b"\ntls_names = ["B.example"]\nsources = ["192.0.2.9"]\n'
        '[[trunk]]\nname = "d"\nside = "network"\nsources = ["192.0.2.0/24"]\n'
    )  # fmt: skip
    assert problems(tmp_path, text) == {
        "trunk.a.tls_ca": "or tls.ca is required by a TLS target: whose certificates are believed",
        "trunk.a.tls_names": "is required by a TLS target that is an address: nobody could tell who is there",
        "trunk.b.tls_names": "no TLS listener asks for certificates; give one a client_ca",
        "trunk.b.tls_names[1]": '"*.b.example" is not a domain name as certificates have it',
        "trunk.c.tls_names": "B.example is a name of trunk.b already; a call must have one trunk",
    }


def test_a_tls_target_needs_a_tls_listener(tmp_path: Path) -> None:
    """What no listener can send to is refused."""
    text = PLAIN + '[tls]\nca = "ca.pem"\n[[trunk]]\nname = "a"\nside = "network"\ntargets = ["sips:sip.example"]\n'
    assert problems(tmp_path, text) == {"trunk.a.targets[0]": 'no tls listener can send to "sips:sip.example"'}


@pytest.mark.clause("TRN-15", "RFC 7118 5.3")
def test_websocket_listeners(tmp_path: Path) -> None:
    """Ports 80 and 443 unless written; origins as browsers write them, none by default."""
    text = PLAIN + (
        '[[listener]]\ntransport = "ws"\nbind = "192.0.2.1"\n'
        '[[listener]]\ntransport = "wss"\nbind = "192.0.2.1"\ncertificate = "edge.pem"\nkey = "edge.key"\n'
        'origins = ["https://Phone.example.com", "http://[::1]:8080"]\n'
    )
    _, plain, secure = load(write(tmp_path, text)).listener
    assert (plain.bind, plain.origins) == ("192.0.2.1:80", ())
    assert (secure.bind, secure.origins) == ("192.0.2.1:443", ("https://phone.example.com", "http://[::1]:8080"))


def test_keys_of_websocket_listeners(tmp_path: Path) -> None:
    """wss needs a certificate, ws has no use for one; origins are WebSocket's alone; nobody is dialled over either."""
    text = (
        '[node]\nname = "edge-1"\n'
        '[[listener]]\ntransport = "ws"\nbind = "192.0.2.1"\ncertificate = "x.pem"\norigins = ["phone.example.com"]\n'
        '[[listener]]\ntransport = "wss"\nbind = "192.0.2.1"\ntransport_parameter = true\n'
        '[[listener]]\ntransport = "tcp"\nbind = "192.0.2.1"\norigins = []\n'
        '[[trunk]]\nname = "a"\nside = "network"\ntargets = ["sip:192.0.2.9;transport=ws", "sip:192.0.2.9"]\n'
    )
    assert problems(tmp_path, text) == {
        "listener[0].certificate": "is for TLS listeners",
        "listener[0].origins[0]": '"phone.example.com" is not an origin like https://phone.example.com',
        "listener[1].certificate": "is required by a TLS listener",
        "listener[1].key": "is required by a TLS listener",
        "listener[1].transport_parameter": "is for TLS listeners",
        "listener[2].origins": "is for WebSocket listeners",
        "trunk.a.targets[0]": '"sip:192.0.2.9;transport=ws" has transport "ws"; use udp, tcp or tls',
        "trunk.a.targets[1]": 'no udp listener can send to "sip:192.0.2.9"',
    }

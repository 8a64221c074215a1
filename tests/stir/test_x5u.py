"""Which certificate URLs may be fetched (VS-31, VS-33)."""

import ipaddress

import pytest

from sipguard.stir.x5u import Location, X5uRules, is_public, locate, problem

LOOPBACK = X5uRules(allow_private_hosts=frozenset(("127.0.0.1", "localhost", "::1")))


@pytest.mark.clause("VS-31")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://certificates.example.com/a/b.pem", ("certificates.example.com", 443, "/a/b.pem")),
        ("HTTPS://Certificates.Example.COM:8443/A", ("certificates.example.com", 8443, "/A")),
        ("https://certificates.example.com", ("certificates.example.com", 443, "/")),
        ("https://8.8.8.8/x", ("8.8.8.8", 443, "/x")),
        ("https://[2606:4700::1111]:443/x", ("2606:4700::1111", 443, "/x")),
    ],
)
def test_an_ordinary_url_is_fine(url: str, expected: tuple[str, int, str]) -> None:
    """https, a public host, port 443 or 8443."""
    assert locate(url) == Location(*expected)
    assert problem(url, X5uRules()) is None


@pytest.mark.parametrize("url", ["https://127.0.0.1:9443/x", "https://localhost:1/x", "https://[::1]:8443/x"])
def test_an_allowed_private_host_may_use_any_port(url: str) -> None:
    """A test or a demo names its own repository."""
    assert problem(url, X5uRules()) is not None
    assert problem(url, LOOPBACK) is None


@pytest.mark.clause("CRT-23")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/x", "https://a@127.0.0.1/x", "https://127.0.0.1/x?y", "https://127.0.0.1:/x"]
)
def test_an_allowed_private_host_keeps_the_other_rules(url: str) -> None:
    """Scheme, user information and query are refused for every host."""
    assert problem(url, LOOPBACK) is not None


@pytest.mark.clause("VS-31")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "certificates.example.com",
        "//certificates.example.com/x",
        "https:/a.example/x",
        "https://a.example:99999/x",
        "https://a.example:80:80/x",
        "https://a..example/x",
        "https://-a.example/x",
        "https://a.example-/x",
        "https://a.example/x y",
        "https://a.example/\u00e9",
        "https://a.example/x\n",
        'https://a.example/"',
        "https://a.example/<x>",
        "https://[::1/x",
        "https://[v1.x]/x",
        "https://a.example\\x",
        "http\u017f://a.example/x",
        "https://\u212aa.example/x",
        "https://a.example%2f@b.example/x",
        "https://" + "a." * 130 + "example/x",
    ],
)
def test_a_malformed_url_is_refused(url: str) -> None:
    """What two URL readers could read differently is not fetched."""
    assert problem(url, X5uRules()) is not None


@pytest.mark.clause("VS-33")
@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::808:808", False),
        ("192.0.0.192", False),
        ("192.0.2.1", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("198.18.0.1", False),
        ("198.19.255.255", False),
        ("192.88.99.1", False),
        ("100.127.255.255", False),
        ("100.128.0.1", True),
        ("172.32.0.1", True),
        ("168.63.129.16", False),
        ("168.63.129.17", True),
        ("2002:808:808::1", False),
        ("2001:0:808:808::1", False),
        ("2001:2::1", False),
        ("2001:20::1", False),
        ("2001:db8::1", False),
        ("2001:4860:4860::8888", True),
        ("3fff::1", False),
        ("fec0::1", False),
        ("fe80::1%1", False),
        ("2606:4700::1111%1", False),
        ("::7f00:1", False),
        ("::ffff:0:127.0.0.1", False),
        ("5f00::1", False),
        ("4000::1", False),
    ],
)
def test_only_global_unicast_addresses_are_public(address: str, public: bool) -> None:
    """Private, loopback, link-local, multicast and reserved addresses are not, nor what embeds one."""
    assert is_public(ipaddress.ip_address(address)) is public

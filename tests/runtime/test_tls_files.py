"""The files of TLS: what is wrong with them is said with the key that names them."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from sipguard.config.listener import ListenerSection
from sipguard.policy.trunk import Side, Trunk
from sipguard.runtime.domain_certificate import identities, matches
from sipguard.runtime.tls import make_contexts, unnamed
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import Issued
from sipguard.testing.tls_ca import TlsCa, write

NOW = UnixTime(1_800_000_000)
CA = TlsCa(NOW)


def section(directory: Path, **changes: Path) -> ListenerSection:
    """A listener with good files, or others in their place."""
    certificate, key = write(CA.issue("edge.example"), directory, "edge")
    values = {"certificate": certificate, "key": key} | changes
    return ListenerSection(transport="tls", bind="127.0.0.1:5061", **values)  # type: ignore[arg-type]


def problems(listener: ListenerSection, authorities: str | None = None, now: int = NOW) -> dict[str, str]:
    """What is wrong, by key."""
    return {problem.key: problem.message for problem in make_contexts([listener], (), authorities, UnixTime(now))[1]}


def test_good_files(tmp_path: Path) -> None:
    """Nothing is wrong, and everything read is known by its name."""
    ca = CA.write(tmp_path, "ca")
    contexts, found = make_contexts([section(tmp_path, client_ca=ca)], (), str(ca), NOW)
    assert found == []
    assert {path.name for path in contexts.files} == {"edge.pem", "edge.key", "ca.pem"}
    assert contexts.to(0, ("any.example",)) is not None
    assert contexts.accepting[0].verify_mode is ssl.CERT_REQUIRED


def test_mistakes_of_a_listener(tmp_path: Path) -> None:
    """A file that is missing, is no certificate, does not fit, is encrypted, readable by others, or past its time."""
    (tmp_path / "other").mkdir()
    other = write(CA.issue("x.example"), tmp_path / "other", "other")
    locked = tmp_path / "locked.key"
    locked.touch(0o600)
    key = CA.issue("y.example").key
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    text = tmp_path / "text.pem"
    text.write_text("nothing")
    open_key = write(CA.issue("z.example"), tmp_path, "open").key
    open_key.chmod(0o644)
    for changes, why in (
        ({"certificate": tmp_path / "none.pem"}, "none.pem cannot be read"),
        ({"certificate": text}, "text.pem with"),
        ({"key": other.key}, "KEY_VALUES_MISMATCH"),
        ({"key": locked}, "locked.key"),
        ({"key": open_key}, "can be read by others"),
        ({"client_ca": text}, "text.pem holds no PEM certificates"),
    ):
        found = problems(section(tmp_path, **changes))
        assert list(found) == ["listener[0]"]
        assert why in found["listener[0]"]
    assert "is expired" in problems(section(tmp_path), now=NOW + 91 * 86400)["listener[0]"]


def test_mistakes_of_authorities(tmp_path: Path) -> None:
    """The key that names the file is named."""
    assert problems(section(tmp_path), str(tmp_path / "none.pem")).keys() == {"tls.ca"}
    trunk = Trunk("t", Side.NETWORK, tls_names=("t.example",), tls_ca=str(tmp_path / "none.pem"))
    found = make_contexts([section(tmp_path)], (trunk,), None, NOW)[1]
    assert [problem.key for problem in found] == ["trunk.t.tls_ca"]


@pytest.mark.clause("TRN-08")
def test_the_systems_authorities_only_on_demand(tmp_path: Path) -> None:
    """Without tls.ca nobody is believed; with "system" the operating system's authorities are."""
    assert make_contexts([section(tmp_path)], (), None, NOW)[0].to(0, ("any.example",)) is None
    assert make_contexts([section(tmp_path)], (), "system", NOW)[0].to(0, ("any.example",)) is not None


@pytest.mark.clause("TRN-09", "RFC 5922 7.1", "RFC 5922 7.2")
def test_identities() -> None:
    """Whole names only, in one spelling; addresses, persons and other schemes are no identities."""
    names = (
        ("DNS", "A.Example."),
        ("IP Address", "192.0.2.1"),
        ("URI", "https://b.example"),
        ("URI", "sip:u@c.example"),
    )
    subject = ((("commonName", "cn.example"),),)
    assert identities({"subject": subject, "subjectAltName": names}) == ("a.example",)
    assert identities({"subject": ((("commonName", "not a name"),), *subject)}) == ("cn.example",)
    assert identities({}) == ()
    assert matches(("x.example", "a.example"), ("a.example",))
    assert not matches(("sub.a.example",), ("a.example", "*.a.example"))


@pytest.mark.clause("RFC 5922 7.5")
@pytest.mark.parametrize(
    ("issued", "advertise", "missing"),
    [
        (CA.issue("edge.example"), "Edge.example:5061", False),
        (CA.issue("edge.example"), "other.example:5061", True),
        (CA.issue("other.example", uris=("sip:edge.example",)), "edge.example:5061", False),
        (CA.issue(common_name="edge.example"), "edge.example:5061", False),
        (CA.issue("edge.example"), "192.0.2.1:5061", False),
    ],
)
def test_a_name_that_is_not_in_the_certificate(tmp_path: Path, issued: Issued, advertise: str, missing: bool) -> None:
    """A listener that is advertised by a name needs a certificate for it."""
    certificate, key = write(issued, tmp_path, "edge")
    listener = ListenerSection(
        transport="tls", bind="127.0.0.1:5061", advertise=advertise, certificate=certificate, key=key
    )
    assert unnamed(listener) is missing

"""The TEST authority makes what SHAKEN wants, and ``certs/make.py`` writes it."""

import importlib.util
import ssl
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509

from sipguard.stir.authentication import load_signer
from sipguard.stir.certificate import load_anchors, load_chain, validate
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import StiCa, issue_server, pem

NOW = UnixTime(1_800_000_000)


def maker() -> ModuleType:
    """The script, as a module."""
    path = Path(__file__).parents[2] / "certs" / "make.py"
    spec = importlib.util.spec_from_file_location("certs_make", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.clause("CRT-11", "CRT-12", "CRT-13", "CRT-14")
def test_a_signing_certificate_has_the_shaken_profile() -> None:
    """Critical constraints and usage, key identifiers that chain, policy, a serial number of more than 64 bits."""
    authority = StiCa.create(NOW)
    certificate = authority.issue().certificate
    extensions = certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    issuer = authority.intermediate.certificate.extensions
    assert (
        extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        == issuer.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    )
    assert extensions.get_extension_for_class(x509.CertificatePolicies)
    assert certificate.serial_number.bit_length() > 64
    assert "TEST" in certificate.subject.rfc4514_string()


def test_the_script_writes_everything(tmp_path: Path) -> None:
    """Signer and anchors load, keys are private, a second run replaces the first."""
    for _ in range(2):
        files = maker().make(tmp_path / "made", NOW, spc="709J")
    signer = load_signer(
        "default", files["chain.pem"].read_bytes(), files["leaf.key"].read_bytes(), "https://a.example/c", NOW
    )
    assert signer.spc == "709J"
    anchors = load_anchors(files["anchors.pem"].read_bytes())
    assert validate(load_chain(files["chain.pem"].read_bytes()), anchors, NOW).spc == "709J"
    for name, path in files.items():
        assert path.stat().st_mode & 0o777 == (0o600 if name.endswith(".key") else 0o644)


def test_the_https_certificate_serves_loopback(tmp_path: Path) -> None:
    """TLS libraries load certificate and key, and it is good for the loopback names."""
    server, authority = issue_server(NOW)
    (tmp_path / "c").write_bytes(server.certificate_pem)
    (tmp_path / "k").write_bytes(server.key_pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "c", tmp_path / "k")
    ssl.create_default_context(cadata=pem(authority).decode())
    names = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}

"""``TlsCa``: a TEST certification authority for SIP over TLS (RFC 5922), and certificates with the wrong names."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import DAY, Issued, Shape, build, make_name, new_key

_ROOT = Shape(entries=None, policy=None, authority=True, digital_signature=False, cert_sign=True)
_BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class Files(NamedTuple):
    """A certificate and its key on disk."""

    certificate: Path
    key: Path


class TlsCa:
    """One root, and what it issues."""

    def __init__(self, now: UnixTime, name: str = "TEST TLS root CA") -> None:
        """Make the root, valid from a little before ``now``."""
        self.now = now
        self._name = make_name(name)
        key = new_key()
        self.root = Issued(build(self._name, key, self._name, key, _ROOT, now, 3650 * DAY), key)

    def issue(
        self, *names: str, uris: Sequence[str] = (), common_name: str = "TEST peer", not_after: UnixTime | None = None,
        usages: Sequence[x509.ObjectIdentifier] = _BOTH,
    ) -> Issued:  # fmt: skip
        """A certificate for DNS names and URIs; without either it has no subjectAltName."""
        alternatives = [*(x509.DNSName(name) for name in names), *(x509.UniformResourceIdentifier(uri) for uri in uris)]
        extensions = [_der(x509.ExtendedKeyUsage(usages))]
        if alternatives:
            extensions.append(_der(x509.SubjectAlternativeName(alternatives)))
        shape = Shape(entries=None, policy=None, extensions=tuple(extensions), not_after=not_after)
        key = new_key()
        subject = make_name(common_name)
        return Issued(build(subject, key, self._name, self.root.key, shape, self.now, 90 * DAY), key)

    def write(self, directory: Path, stem: str) -> Path:
        """The root as a file that others are told to trust."""
        path = directory / f"{stem}.pem"
        path.write_bytes(self.root.certificate_pem)
        return path


def write(issued: Issued, directory: Path, stem: str) -> Files:
    """The chain and the key as files, the key readable by its owner only; what was there is replaced."""
    files = Files(directory / f"{stem}.pem", directory / f"{stem}.key")
    files.certificate.write_bytes(issued.chain_pem)
    files.key.touch(0o600)
    files.key.write_bytes(issued.key_pem)
    return files


def _der(extension: x509.ExtendedKeyUsage | x509.SubjectAlternativeName) -> tuple[str, bytes]:
    return extension.oid.dotted_string, extension.public_bytes()

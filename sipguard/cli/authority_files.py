"""A TEST authority kept in a directory, and how keys and certificates reach the disk.

    root.pem root.key                   what verifiers trust (``anchors.pem`` is a copy of the certificate)
    intermediate.pem intermediate.key   issues the signing certificates
    NAME.pem NAME.key                   one issued certificate: its chain, itself first, and its key

Keys get mode 0600 from the start, and nothing that is there is overwritten unless the user insists.
"""

import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sipguard.errors import CertificateError, SipguardError
from sipguard.runtime.secret_files import read_public_file, read_secret_file
from sipguard.stir.unix_time import UnixTime
from sipguard.testing.sti_ca import Issued, Shape, StiCa

# One authority more may stand between the intermediate and a signer: the one that delegates numbers (RFC 9060 §4).
_INTERMEDIATE = Shape(entries=None, authority=True, path_length=1, digital_signature=False, cert_sign=True)
RESERVED = frozenset(("root", "intermediate", "anchors"))


def create_authority(directory: Path, now: UnixTime, force: bool) -> dict[str, Path]:
    """Make an authority; returns the paths by file name. Raises SipguardError when there is one already."""
    authority = StiCa.create(now, intermediate=_INTERMEDIATE)
    files = {
        "root.key": authority.root.key_pem,
        "root.pem": authority.root.certificate_pem,
        "intermediate.key": authority.intermediate.key_pem,
        "intermediate.pem": authority.intermediate.certificate_pem,
        "anchors.pem": authority.anchors_pem,
    }
    return write_files({directory / name: content for name, content in files.items()}, force)


def load_authority(directory: Path, now: UnixTime) -> StiCa:
    """The authority of a directory, issuing from ``now`` on. Raises SipguardError when there is none."""
    return StiCa(load_issued(directory, "root"), load_issued(directory, "intermediate"), now)


def load_issued(directory: Path, name: str) -> Issued:
    """One of its certificates with its key. Raises SipguardError."""
    try:
        chain = x509.load_pem_x509_certificates(read_public_file(directory / f"{name}.pem"))
    except ValueError:
        raise CertificateError(f"{directory / name}.pem holds no PEM certificate") from None
    return Issued(chain[0], load_key(directory / f"{name}.key"), tuple(chain[1:]))


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """An unencrypted P-256 key. Raises SipguardError."""
    try:
        key = load_pem_private_key(read_secret_file(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError(f"{path} is not an unencrypted PEM private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateError(f"{path} is not a P-256 key")
    return key


def write_files(contents: dict[Path, bytes], force: bool) -> dict[str, Path]:
    """Write all of the files or, when one is there already, none. Returns the paths by file name."""
    for path in contents:
        if path.exists() and not force:
            raise SipguardError(f"{path} is there already; --force overwrites it")
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            mode = 0o600 if path.suffix == ".key" else 0o644
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
    except OSError as error:
        raise SipguardError(f"{error.filename}: {error.strerror}") from None
    return {path.name: path for path in contents}

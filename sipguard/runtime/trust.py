"""Whom a node trusts: the files of trust anchors and of the policy administrator, read and made one value.

Anchors are one file or a directory of them: PEM (``*.pem``, ``*.crt``), or the list of authorities that the policy
administrator signs (``*.jwt``). An older edition of that list than the one in use is refused. Everything a cached
judgement depends on goes into ``digest``: while it stays the same a reload keeps what was fetched and validated.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from sipguard.config.stir import VerifySection
from sipguard.errors import CertificateError, StartupError
from sipguard.runtime.secret_files import read_public_file
from sipguard.stir.certificate import UNREADABLE, TrustAnchors
from sipguard.stir.fault import Fault
from sipguard.stir.revocation import RevocationRegister
from sipguard.stir.trust_list import is_trust_list, read_trust_list
from sipguard.stir.unix_time import UnixTime

_SUFFIXES = (".pem", ".crt", ".jwt")


class Anchors(NamedTuple):
    """Certificates to trust, and the edition of the policy administrator's list when there is one."""

    certificates: tuple[x509.Certificate, ...]
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Trust:
    """Anchors of signers' certificates, and a register of revocation lists that knows who may sign them."""

    anchors: TrustAnchors
    revocations: RevocationRegister
    sequence: int  # the edition of the policy administrator's list, 0 without one
    digest: bytes


def read_anchors(path: Path | None, administrators: Sequence[x509.Certificate], now: UnixTime) -> Anchors:
    """What a file holds, or every one in a directory. Raises CertificateError or StartupError."""
    certificates: list[x509.Certificate] = []
    sequence = 0
    for file in () if path is None else anchor_files(path):
        octets = read_public_file(file)
        if is_trust_list(octets):
            try:
                listed = read_trust_list(octets, administrators, now)
            except CertificateError as error:
                raise CertificateError(f"{file}: {error}") from None
            certificates += listed.certificates
            sequence = max(sequence, listed.sequence)
        else:
            certificates += _certificates(file)
    return Anchors(tuple(certificates), sequence)


def read_administrators(path: Path | None) -> tuple[x509.Certificate, ...]:
    """The certificates of a policy administrator. Raises CertificateError or StartupError."""
    return () if path is None else _certificates(path)


def anchor_files(path: Path) -> list[Path]:
    """A file itself, or the PEM files in a directory. Raises StartupError when a directory has none."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
    if not files:
        raise StartupError(f"{path} holds no {' or '.join(_SUFFIXES)} file")
    return files


def make_trust(
    verify: VerifySection, anchors: Anchors, administrators: Sequence[x509.Certificate], now: UnixTime
) -> Trust:
    """Trust out of the certificates read, with the configured revocation list when that is a file.

    Raises CertificateError or StartupError.
    """
    certificates, sequence = anchors
    register = RevocationRegister(administrators, certificates, verify.crl, hard=verify.revocation == "hard")
    if verify.crl is not None and not verify.crl.startswith("https://"):
        _read_crl(verify.crl, register, now)
    digest = hashlib.sha256(repr((len(certificates), verify.crl, verify.revocation)).encode())
    for certificate in (*certificates, *administrators):
        digest.update(certificate.fingerprint(hashes.SHA256()))
    return Trust(TrustAnchors(certificates), register, sequence, digest.digest())


def _certificates(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(read_public_file(path)))
    except UNREADABLE:
        raise CertificateError(f"{path} holds no PEM certificates") from None


def _read_crl(path: str, register: RevocationRegister, now: UnixTime) -> None:
    """The configured file, so that a mistake in it is found before the first call."""
    try:
        register.put(path, register.read(read_public_file(Path(path)), (), now), now)
    except Fault as fault:
        raise CertificateError(f"{path}: {fault}") from None

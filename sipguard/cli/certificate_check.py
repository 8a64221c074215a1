"""Whether one could sign with a chain: each thing that would keep a verifier, or the proxy itself, from accepting it.

What there is no file for is not looked at; a certificate of the configuration has them all.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from sipguard.config import load
from sipguard.config.pkcs11_uri import HardwareKey
from sipguard.errors import CertificateError, SipguardError
from sipguard.runtime.hardware_key import open_hardware_key
from sipguard.runtime.secret_files import read_public_file, read_secret_file
from sipguard.runtime.trust import read_administrators, read_anchors
from sipguard.stir.authentication import SERIAL, serial_of
from sipguard.stir.certificate import (
    UNREADABLE,
    TrustAnchors,
    check_leaf,
    load_chain,
    read_tn_auth_list,
    validate,
    validity,
)
from sipguard.stir.signing_key import read_key
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.x5u import X5uRules, problem

_DAY = 86400


class Check(NamedTuple):
    """One thing looked at."""

    what: str
    ok: bool
    detail: str


class ChainFiles(NamedTuple):
    """Where the parts are; None is not looked at."""

    certificate: Path
    key: Path | HardwareKey | None = None
    url: str | None = None
    anchors: Path | None = None
    administrator: Path | None = None
    rules: X5uRules = X5uRules()


def configured_chains(config: Path) -> list[tuple[str, ChainFiles]]:
    """The signing certificates of a configuration, by name. Raises SipguardError when there is none."""
    stir = load(config).stir
    verify = stir.verify
    hosts = frozenset(host.lower().strip("[]") for host in verify.allow_private_hosts)
    rules = X5uRules(allow_private_hosts=hosts)
    found = [
        (name, ChainFiles(entry.certificate, entry.key, entry.url, verify.anchors, verify.policy_administrator, rules))
        for name, entries in stir.sign.certificates.items()
        for entry in entries
    ]
    if not found:
        raise SipguardError(f"{config} has no stir.sign.certificates; name a file")
    return found


def check_chain(files: ChainFiles, now: UnixTime, days: int) -> Iterator[Check]:
    """Everything that can be said about a chain and the files beside it, good or bad."""
    try:
        chain = load_chain(read_public_file(files.certificate))
    except SipguardError as error:
        yield Check("certificate", False, str(error))
        return
    yield _check("certificate", lambda: _signs(chain))
    yield _check("expiry", lambda: _lasts(chain, now, days))
    if files.key is not None:
        key = files.key
        yield _check("key", lambda: _belongs(chain[0], key))
    if files.url is not None:
        url = files.url.replace(SERIAL, serial_of(chain[0]))
        yield _check("url", lambda: _reachable(url, files.rules))
    if files.anchors is not None:
        yield _check("chain", lambda: _trusted(chain, files, now))


def _check(what: str, look: Callable[[], str]) -> Check:
    """The outcome of one look: its sentence, or that of the error it raises."""
    try:
        return Check(what, True, look())
    except SipguardError as error:
        return Check(what, False, str(error))
    except UNREADABLE:
        return Check(what, False, "a certificate of the chain cannot be read")


def _signs(chain: tuple[x509.Certificate, ...]) -> str:
    check_leaf(chain[0])
    entries = read_tn_auth_list(chain[0])
    count = len(entries.numbers) + sum(entry.count for entry in entries.ranges)
    codes = " ".join(entries.service_provider_codes)
    return f"signs for {codes or 'no service provider code'}" + (f" and {count} numbers" if count else "")


def _lasts(chain: tuple[x509.Certificate, ...], now: UnixTime, days: int) -> str:
    first = max(start for start, _ in map(validity, chain))
    last = min(end for _, end in map(validity, chain))
    left = (last - now) // _DAY
    if now < first:
        raise CertificateError("a certificate of the chain is not yet valid")
    if now > last:
        raise CertificateError(f"a certificate of the chain expired {-left} days ago")
    if left < days:
        raise CertificateError(f"ends in {left} days")
    return f"{left} days left"


def _belongs(leaf: x509.Certificate, place: Path | HardwareKey) -> str:
    key = read_key(read_secret_file(place)) if isinstance(place, Path) else open_hardware_key(place)
    if not key.belongs_to(check_leaf(leaf)):
        raise CertificateError("does not belong to the certificate")
    return "belongs to the certificate"


def _reachable(url: str, rules: X5uRules) -> str:
    refusal = problem(url, rules)
    if refusal is not None:
        raise CertificateError(f"{refusal}: verifiers do not fetch {url}")
    return "verifiers may fetch it"


def _trusted(chain: tuple[x509.Certificate, ...], files: ChainFiles, now: UnixTime) -> str:
    trusted = read_anchors(files.anchors, read_administrators(files.administrator), now)
    credential = validate(chain, TrustAnchors(trusted.certificates), now)
    if not credential.valid_at(now):
        raise CertificateError("a certificate of the path is not valid now")
    return "leads to a trust anchor"

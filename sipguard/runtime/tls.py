"""TLS contexts: what our listeners show, whom they ask for a certificate, and whose certificates we believe in.

TLS 1.2 and 1.3, cipher suites that are AEAD with forward secrecy, no renegotiation (RFC 9325), and no tickets: what a
peer once proved is remembered by the context alone, and forgotten with it when files are replaced. Names are not for
OpenSSL to check, because SIP has rules of its own: ``domain_certificate`` does.

Contexts are made from files, as one frozen value; a new value replaces it and connections that are up keep theirs.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from sipguard.config.address import is_address
from sipguard.config.listener import ListenerSection
from sipguard.config.section import SYSTEM_AUTHORITIES
from sipguard.errors import CertificateError, Problem, SipguardError, StartupError
from sipguard.policy.trunk import Trunk
from sipguard.runtime.domain_certificate import identities
from sipguard.runtime.file_stamp import Stamp, stamp
from sipguard.runtime.secret_files import read_public_file, read_secret_file
from sipguard.sip.flow import OVER_TLS
from sipguard.stir.unix_time import UnixTime

_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of TLS 1.3 are all AEAD


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """Every context of a node. ``accepting`` is by listener, ``opening`` by listener and authorities."""

    accepting: Mapping[int, ssl.SSLContext] = field(default_factory=dict)
    opening: Mapping[tuple[int, str | None], ssl.SSLContext] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)  # by identity, of trunks that have their own
    files: tuple[Path, ...] = ()  # all that was read
    stamp: Stamp = ()  # of the files, before they were read
    until: Mapping[str, int] = field(default_factory=dict)  # when a listener's certificate expires, by its address

    def to(self, listener: int, names: tuple[str, ...]) -> ssl.SSLContext | None:
        """The context for a connection to who must prove one of these names; None when no authority could vouch."""
        authority = next((self.authorities[name] for name in names if name in self.authorities), None)
        return self.opening.get((listener, authority))


class Side:
    """One listener's part of the contexts, whichever are in force."""

    def __init__(self, listener: int, contexts: Callable[[], TlsContexts]) -> None:
        self._listener = listener
        self._contexts = contexts

    def accepting(self) -> ssl.SSLContext:
        """For a peer that connects."""
        return self._contexts().accepting[self._listener]

    def opening(self, names: tuple[str, ...]) -> ssl.SSLContext | None:
        """For a connection to who must prove one of these names."""
        return self._contexts().to(self._listener, names)


def make_contexts(
    listeners: Iterable[ListenerSection], trunks: Iterable[Trunk], authorities: str | None, now: UnixTime
) -> tuple[TlsContexts, list[Problem]]:
    """The contexts of a node, and what is wrong with its files. ``authorities``: those for trunks without their own."""
    own = [trunk for trunk in trunks if trunk.tls_ca is not None]
    wanted: dict[str | None, _Authority] = {
        trunk.tls_ca: _Authority(f"trunk.{trunk.name}.tls_ca", trunk.tls_ca or "") for trunk in own
    }
    if authorities is not None:
        wanted[None] = _Authority("tls.ca", authorities)
    secure = {number: section for number, section in enumerate(listeners) if section.transport in OVER_TLS}
    files = _files(secure.values(), wanted.values())
    seen = stamp(files)
    problems: list[Problem] = []
    until: dict[str, int] = {}
    accepting: dict[int, ssl.SSLContext] = {}
    opening: dict[tuple[int, str | None], ssl.SSLContext] = {}
    for number, section in secure.items():
        try:
            accepting[number], until[section.bind] = _accepting(section, now)
        except SipguardError as error:
            problems.append(Problem(f"listener[{number}]", str(error)))
            continue
        for name, authority in wanted.items() if section.transport == "tls" else ():  # nobody is dialled over wss
            try:
                opening[number, name] = _opening(section, authority.place)
            except SipguardError as error:
                problems.append(Problem(authority.key, str(error)))
    return TlsContexts(accepting, opening, _by_name(own), files, seen, until), list(dict.fromkeys(problems))


class _Authority(NamedTuple):
    """Authorities, and the key that names them."""

    key: str
    place: str  # a file, or "system"


def unnamed(section: ListenerSection) -> bool:
    """Whether a TLS listener is advertised by a name its certificate is not for: others refuse it (RFC 5922 §7.5)."""
    host = section.advertised.host
    if section.certificate is None or is_address(host):
        return False
    leaf = x509.load_pem_x509_certificates(read_public_file(section.certificate))[0]
    return host.rstrip(".") not in identities(_decoded(leaf))


def _decoded(certificate: x509.Certificate) -> dict[str, object]:
    """The names of a certificate as the ``ssl`` module would give them."""
    subject = tuple(
        (("commonName", str(name.value)),) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {"subject": subject}
    alternatives = [("DNS", name) for name in names.get_values_for_type(x509.DNSName)]
    alternatives += [("URI", uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
    return {"subject": subject, "subjectAltName": alternatives}


def _files(sections: Iterable[ListenerSection], authorities: Iterable[_Authority]) -> tuple[Path, ...]:
    paths = [path for section in sections for path in (section.certificate, section.key, section.client_ca)]
    paths += [Path(authority.place) for authority in authorities if authority.place != SYSTEM_AUTHORITIES]
    return tuple(dict.fromkeys(path for path in paths if path is not None))


def _by_name(trunks: Iterable[Trunk]) -> dict[str, str]:
    """The authorities of a trunk's own, by the names of the trunk and of its targets."""
    found = {}
    for trunk in trunks:
        for name in (*trunk.tls_names, *(target.host for target in trunk.targets)):
            if trunk.tls_ca is not None:
                found[name] = trunk.tls_ca
    return found


def _accepting(section: ListenerSection, now: UnixTime) -> tuple[ssl.SSLContext, int]:
    """The context, and when its certificate expires. Raises SipguardError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    _harden(context)
    leaf = _show(context, section)
    if not leaf.not_valid_before_utc.timestamp() <= now <= leaf.not_valid_after_utc.timestamp():
        raise CertificateError(f"{section.certificate} is expired, or not valid yet")
    if section.client_ca is not None:
        _believe(context, str(section.client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context, int(leaf.not_valid_after_utc.timestamp())


def _opening(section: ListenerSection, authorities: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # ``domain_certificate`` does, by the rules of SIP
    context.verify_mode = ssl.CERT_REQUIRED
    _harden(context)
    _show(context, section)
    if authorities == SYSTEM_AUTHORITIES:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _believe(context, authorities)
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET


def _show(context: ssl.SSLContext, section: ListenerSection) -> x509.Certificate:
    """Load the listener's own certificate, and return it. Raises SipguardError."""
    if section.certificate is None or section.key is None:
        raise StartupError("a TLS listener needs a certificate and its key")
    read_secret_file(section.key)  # says so when others can read it
    try:
        chain = x509.load_pem_x509_certificates(read_public_file(section.certificate))
        context.load_cert_chain(section.certificate, section.key, password=lambda: "")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        why = getattr(error, "reason", None) or str(error) or "cannot be read"
        raise CertificateError(f"{section.certificate} with {section.key}: {why}") from None
    return chain[0]


def _believe(context: ssl.SSLContext, authorities: str) -> None:
    """Trust the authorities in a file. Raises SipguardError."""
    try:
        context.load_verify_locations(cadata=read_public_file(Path(authorities)).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise CertificateError(f"{authorities} holds no PEM certificates") from None

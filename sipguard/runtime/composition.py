"""Putting a node together: configuration, registry snapshot, signers and trust anchors become the engine's frozen view.

Used by ``run``, by a reload, by ``check`` and by ``explain``; all hear of every problem at once. What a node has
learnt (fetched certificates, seen signatures, call statistics) is handed on from the previous one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from cryptography import x509

from sipguard.config import Configuration
from sipguard.errors import CertificateError, ConfigurationError, Problem, SipguardError, StartupError
from sipguard.policy.directory import Directory
from sipguard.policy.settings import PolicySettings
from sipguard.policy.view import View
from sipguard.proxy.settings import ProxySettings
from sipguard.registry import Registry
from sipguard.runtime.clock import Clock
from sipguard.runtime.directory_checks import directory_problems, shadowed_trunks
from sipguard.runtime.secret_files import persistent_secret, read_public_file
from sipguard.runtime.signing import load_generations
from sipguard.sip.flow import Listener
from sipguard.stir.attestation import OriginationIdentifiers
from sipguard.stir.certificate import TrustAnchors, load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.generations import Generations
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verification import VerificationService, VerificationSettings
from sipguard.stir.x5u import X5uRules
from sipguard.traffic.book import TrafficBook
from sipguard.transaction.settings import TimerSettings

_T = TypeVar("_T")
_ANSWER_MARGIN = 0.5  # seconds: a fetch that times out says why before the engine stops waiting for it


@dataclass(frozen=True, slots=True)
class Node:
    """Everything an engine is made of. ``anchors_digest`` tells whether the trust anchors changed."""

    listeners: tuple[Listener, ...]
    settings: ProxySettings
    view: View
    anchors_digest: bytes


def build(configuration: Configuration, previous: Node | None = None) -> Node:
    """Build a node; raises ConfigurationError with every problem that configuration, files and registry have."""
    return _Composition(configuration, previous, Clock().unix_time()).node()


class _Secrets(NamedTuple):
    """What only this node knows."""

    record_route: bytes
    origids: bytes


class _Composition:
    """One attempt to build a node: parts that fail leave a problem and None."""

    def __init__(self, configuration: Configuration, previous: Node | None, now: UnixTime) -> None:
        self.configuration = configuration
        self.previous = previous
        self.now = now
        self.problems: list[Problem] = []

    def node(self) -> Node:
        """The node. Raises ConfigurationError."""
        configuration = self.configuration
        secrets = self.part("node.state", lambda: _secrets(configuration.node.state))
        directory = self.part("registry.url", self.directory)
        signers = self.signers()
        anchors_pem = self.anchors_pem()
        anchors = self.part("stir.verify.anchors", lambda: _anchors(anchors_pem))
        self.part("stir.verify.https_ca", self.https_ca)
        if self.problems or directory is None or secrets is None or anchors is None:
            raise ConfigurationError(list(dict.fromkeys(self.problems)))
        digest = hashlib.sha256(anchors_pem).digest()
        view = View(
            directory=directory,
            policy=policy_settings(configuration),
            signers=signers,
            origids=OriginationIdentifiers(secrets.origids),
            verification=self.verification(anchors, digest),
            certificates=self.certificates(digest),
            traffic=self.traffic(),
        )
        return Node(listeners(configuration), proxy_settings(configuration, secrets.record_route), view, digest)

    def part(self, key: str, make: Callable[[], _T]) -> _T | None:
        """One part, or None and a problem under this key."""
        try:
            return make()
        except SipguardError as error:
            self.problems.append(Problem(key, str(error)))
            return None

    def directory(self) -> Directory:
        """The registry's snapshot, with the trunks of the configuration; what they disagree on becomes problems."""
        registry = Registry(self.configuration.registry_url)
        directory = registry.directory([section.trunk() for section in self.configuration.trunk])
        self.problems += shadowed_trunks(self.configuration, registry.trunks.list())
        self.problems += directory_problems(self.configuration, directory, registry.numbers.trunks())
        return directory

    def signers(self) -> dict[str, Generations]:
        """The signing certificates that load, by name."""
        signers = {}
        known = {} if self.previous is None else self.previous.view.signers
        for name, entries in self.configuration.stir.sign.certificates.items():
            signers[name], problems = load_generations(name, entries, self.now, known.get(name))
            self.problems += problems
        return signers

    def anchors_pem(self) -> bytes:
        """The file of trust anchors; empty when none is configured, and then no certificate is trusted."""
        path = self.configuration.stir.verify.anchors
        return b"" if path is None else self.part("stir.verify.anchors", lambda: read_public_file(path)) or b""

    def https_ca(self) -> None:
        """See that the extra authorities for HTTPS are certificates; the fetcher reads them again."""
        path = self.configuration.stir.verify.https_ca
        if path is None:
            return
        try:
            x509.load_pem_x509_certificates(read_public_file(path))
        except ValueError:
            raise CertificateError(f"{path} holds no PEM certificates") from None

    def verification(self, anchors: TrustAnchors, digest: bytes) -> VerificationService:
        """The verification service; the previous one, with the signatures it has seen, when nothing changed for it."""
        verify = self.configuration.stir.verify
        hosts = frozenset(host.lower().strip("[]") for host in verify.allow_private_hosts)
        settings = VerificationSettings(window=verify.window, x5u=X5uRules(allow_private_hosts=hosts))
        if self.previous is not None and self.previous.anchors_digest == digest:
            kept = self.previous.view.verification
            if kept.settings == settings:
                return kept
        return VerificationService(anchors, settings)

    def certificates(self, digest: bytes) -> CertificateCache:
        """The certificate cache; kept while the anchors its entries were validated against are the same."""
        if self.previous is not None and self.previous.anchors_digest == digest:
            return self.previous.view.certificates
        return CertificateCache(self.configuration.stir.verify.cache_capacity)

    def traffic(self) -> TrafficBook:
        """The call statistics; a reload keeps counts and tags, and judges by the new thresholds."""
        profile = self.configuration.robodial.thresholds()
        if self.previous is None:
            return TrafficBook(profile)
        self.previous.view.traffic.adopt(profile)
        return self.previous.view.traffic


def listeners(configuration: Configuration) -> tuple[Listener, ...]:
    """The local addresses, numbered in order of configuration."""
    return tuple(
        Listener(
            number,
            section.transport,
            section.address.host,
            section.address.port,
            section.advertised.bracketed,
            section.advertised.port,
        )
        for number, section in enumerate(configuration.listener)
    )


def policy_settings(configuration: Configuration) -> PolicySettings:
    """The operator's policy as the stages read it."""
    policy, verify = configuration.policy, configuration.stir.verify
    return PolicySettings(
        revision=policy.revision,
        modes={name: rule.mode for name, rule in policy.rules.items()},
        precedence=policy.precedence,
        emergency_unprovisioned=policy.emergency.unprovisioned,
        redress_url=policy.redress.url,
        redress_telephone=policy.redress.telephone,
        emergency_numbers=dict(policy.emergency.numbers),
        sign_outage=configuration.stir.sign.outage,
        sign_stale_date=configuration.stir.sign.stale_date,
        sign_origid=configuration.stir.sign.origid,
        verify_on_failure=verify.on_failure,
        verify_on_unavailable=verify.on_unavailable,
        verify_require=verify.require,
        robodial=configuration.robodial.thresholds(),
    )


def proxy_settings(configuration: Configuration, record_route_secret: bytes) -> ProxySettings:
    """The proxy core's settings."""
    timers = configuration.timers
    return ProxySettings(
        node=configuration.node.name,
        need_timeout=configuration.stir.verify.fetch_timeout + _ANSWER_MARGIN,
        ledger_on_failure=configuration.ledger.on_failure,
        record_route_secret=record_route_secret,
        timers=TimerSettings(t1=timers.t1, t2=timers.t2, t4=timers.t4, timer_c=timers.timer_c),
    )


def _anchors(pem: bytes) -> TrustAnchors:
    return load_anchors(pem) if pem else TrustAnchors(())


def _secrets(state: Path) -> _Secrets:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"{state} cannot be made: {error.strerror}") from None
    return _Secrets(persistent_secret(state / "record-route.secret"), persistent_secret(state / "origid.secret"))

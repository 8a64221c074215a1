"""Putting a node together: configuration, registry snapshot, signers and trust anchors become the engine's frozen view.

Used by ``run``, by a reload, by ``check`` and by ``explain``; all hear of every problem at once. What a node has
learnt (fetched certificates, seen signatures, call statistics) is handed on from the previous one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from cryptography import x509

from sipguard.config import Configuration
from sipguard.errors import CertificateError, ConfigurationError, Problem, SipguardError, StartupError
from sipguard.policy.callbacks import CallbackWindows
from sipguard.policy.delivered_calls import DeliveredCalls
from sipguard.policy.directory import Directory
from sipguard.policy.view import View
from sipguard.proxy.settings import ProxySettings
from sipguard.registry import Registry
from sipguard.registry.compiled_file import compile_apart
from sipguard.runtime.certificates import restore
from sipguard.runtime.clock import Clock
from sipguard.runtime.directory_checks import directory_problems, shadowed_trunks
from sipguard.runtime.disk_cache import DiskCache
from sipguard.runtime.engine_settings import listeners, policy_settings, proxy_settings
from sipguard.runtime.revocations import MOST_SOURCES
from sipguard.runtime.secret_files import persistent_secret, read_password, read_public_file
from sipguard.runtime.signing import load_generations
from sipguard.runtime.time_zones import zones_of
from sipguard.runtime.tls import TlsContexts, make_contexts
from sipguard.runtime.trust import Trust, make_trust, read_administrators, read_anchors
from sipguard.sip.flow import Listener
from sipguard.stir.attestation import OriginationIdentifiers
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.generations import Generations
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verification import VerificationService, VerificationSettings
from sipguard.stir.x5u import X5uRules
from sipguard.traffic.book import TrafficBook
from sipguard.traffic.destinations import DestinationTraffic
from sipguard.traffic.rotation import RotationWatch
from sipguard.traffic.usage import Usage

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Node:
    """Everything an engine is made of. ``trust_digest`` tells whether whom it trusts changed,
    ``trust_sequence`` which edition of the policy administrator's list it trusts, ``damage`` what was wrong with the
    compiled numbers, which were made anew."""

    listeners: tuple[Listener, ...]
    settings: ProxySettings
    view: View
    trust_digest: bytes
    trust_sequence: int
    tls: TlsContexts = field(default_factory=TlsContexts)
    damage: str = ""


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
        self.damage: list[str] = []

    def node(self) -> Node:
        """The node. Raises ConfigurationError."""
        configuration = self.configuration
        secrets = self.part("node.state", lambda: _secrets(configuration.node.state))
        directory = self.part("registry.url", self.directory)
        signers = self.signers()
        trust = self.trust()
        tls = self.tls(directory)
        passwords = self.passwords(directory)
        verify, notify = configuration.stir.verify, configuration.policy.emergency.notify
        self.part("stir.verify.https_ca", lambda: _see_authorities(verify.https_ca))
        self.part("policy.emergency.notify.https_ca", lambda: _see_authorities(notify.https_ca))
        if self.problems or directory is None or secrets is None or trust is None:
            raise ConfigurationError(list(dict.fromkeys(self.problems)))
        view = View(
            directory=directory,
            policy=policy_settings(configuration),
            signers=signers,
            origids=OriginationIdentifiers(secrets.origids),
            verification=self.verification(trust),
            certificates=self.certificates(trust),
            traffic=self.traffic(),
            callbacks=self.callbacks(),
            delivered=self.delivered(),
            usage=self.usage(),
            destinations=self.destinations(),
            rotation=self.rotation(),
            passwords=passwords,
            zones=zones_of,
        )
        settings = proxy_settings(configuration, secrets.record_route)
        return Node(listeners(configuration), settings, view, trust.digest, trust.sequence, tls, "; ".join(self.damage))

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
        compiled = compiled_file(self.configuration)
        if self.previous is not None and not registry.in_step(compiled, self.damage.append):
            compile_apart(registry.url, compiled)  # this process carries calls
        directory = registry.directory(
            [section.trunk() for section in self.configuration.trunk], compiled, self.damage.append
        )
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

    def tls(self, directory: Directory | None) -> TlsContexts:
        """The TLS contexts of the listeners."""
        trunks = () if directory is None else directory.trunks.values()
        configuration = self.configuration
        contexts, problems = make_contexts(configuration.listener, trunks, configuration.tls.ca, self.now)
        self.problems += problems
        return contexts

    def passwords(self, directory: Directory | None) -> dict[str, str]:
        """The passwords we have at carriers, by trunk."""
        found = {}
        for trunk in () if directory is None else directory.trunks.values():
            if trunk.password_file is not None:
                path = Path(trunk.password_file)
                word = self.part(f"trunk.{trunk.name}.password_file", partial(read_password, path))
                if word is not None:
                    found[trunk.name] = word
        return found

    def trust(self) -> Trust | None:
        """Whom the node trusts; without anchors no certificate is trusted."""
        verify = self.configuration.stir.verify
        administrators = self.part(
            "stir.verify.policy_administrator", lambda: read_administrators(verify.policy_administrator)
        )
        if administrators is None:
            return None
        anchors = self.part("stir.verify.anchors", lambda: read_anchors(verify.anchors, administrators, self.now))
        if anchors is None:
            return None
        if self.previous is not None and 0 < anchors.sequence < self.previous.trust_sequence:
            self.problems.append(Problem("stir.verify.anchors", "the trust list is older than the one in use"))
        return self.part("stir.verify.crl", lambda: make_trust(verify, anchors, administrators, self.now))

    def verification(self, trust: Trust) -> VerificationService:
        """The verification service; the previous one, with the signatures it has seen, when nothing changed for it."""
        verify = self.configuration.stir.verify
        hosts = frozenset(host.lower().strip("[]") for host in verify.allow_private_hosts)
        authorities = {name.lower(): frozenset(codes) for name, codes in verify.priority_authorities.items()}
        settings = VerificationSettings(
            window=verify.window,
            original_window=verify.original_window,
            x5u=X5uRules(allow_private_hosts=hosts),
            priority_authorities=authorities,
        )
        if self.previous is not None and self.previous.trust_digest == trust.digest:
            kept = self.previous.view.verification
            if kept.settings == settings:
                return kept
        return VerificationService(trust.anchors, settings)

    def certificates(self, trust: Trust) -> CertificateCache:
        """The certificate cache, kept while what its entries were judged by is the same; else refilled from disk."""
        if self.previous is not None and self.previous.trust_digest == trust.digest:
            return self.previous.view.certificates
        cache = CertificateCache(self.configuration.stir.verify.cache_capacity, trust.revocations)
        restore(cache, chains_on_disk(self.configuration), trust.anchors, self.now)
        return cache

    def callbacks(self) -> CallbackWindows:
        """The numbers that called help not long ago; a reload keeps them."""
        windows = CallbackWindows() if self.previous is None else self.previous.view.callbacks
        windows.capacity = self.configuration.policy.emergency.callback_numbers
        return windows

    def delivered(self) -> DeliveredCalls:
        """The calls delivered lately that may be forwarded; a reload keeps them."""
        calls = DeliveredCalls() if self.previous is None else self.previous.view.delivered
        calls.capacity = self.configuration.policy.forwarding.remembered
        return calls

    def traffic(self) -> TrafficBook:
        """The call statistics; a reload keeps counts and tags, and judges by the new thresholds."""
        profile = self.configuration.robodial.thresholds()
        if self.previous is None:
            return TrafficBook(profile)
        self.previous.view.traffic.adopt(profile)
        return self.previous.view.traffic

    def usage(self) -> Usage:
        """What calls take of their limits; a reload keeps it."""
        usage = Usage() if self.previous is None else self.previous.view.usage
        usage.rates.capacity = usage.near.capacity = self.configuration.limits.calls.remembered
        usage.repeats.capacity = self.configuration.policy.repeated.remembered
        return usage

    def destinations(self) -> DestinationTraffic:
        """Where calls went in the last hour; a reload keeps it."""
        remembered = self.configuration.policy.destinations.remembered
        if self.previous is None:
            return DestinationTraffic(remembered)
        self.previous.view.destinations.resize(remembered)
        return self.previous.view.destinations

    def rotation(self) -> RotationWatch:
        """Who was refused at whom; a reload keeps it."""
        watch = RotationWatch() if self.previous is None else self.previous.view.rotation
        watch.capacity = self.configuration.policy.callers.rotation.remembered
        return watch


def _see_authorities(path: Path | None) -> None:
    """See that the extra authorities for HTTPS are certificates; whoever needs them reads them again."""
    if path is None:
        return
    try:
        x509.load_pem_x509_certificates(read_public_file(path))
    except ValueError:
        raise CertificateError(f"{path} holds no PEM certificates") from None


def compiled_file(configuration: Configuration) -> Path:
    """What the numbers of the registry are compiled into."""
    return configuration.node.state / "numbers.compiled"


def chains_on_disk(configuration: Configuration) -> DiskCache:
    """Where fetched certificate chains outlive the process."""
    return DiskCache(configuration.node.state / "certificates", configuration.stir.verify.cache_capacity)


def lists_on_disk(configuration: Configuration) -> DiskCache:
    """Where fetched revocation lists do."""
    return DiskCache(configuration.node.state / "revocation-lists", MOST_SOURCES)


def _secrets(state: Path) -> _Secrets:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"{state} cannot be made: {error.strerror}") from None
    return _Secrets(persistent_secret(state / "record-route.secret"), persistent_secret(state / "origid.secret"))

"""One verification by hand: the proxy's verification service, with the chain from a file, from its URL, or without.

The signalling that a token is held against comes from the SIP message it was found in. Without one it is what the user
says, and what nobody says is taken from the token itself, which then proves nothing about it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from sipguard.cli.token_input import Material, loose_json
from sipguard.config import load
from sipguard.errors import MalformedValue, SipguardError
from sipguard.policy.directory import Directory
from sipguard.policy.need import Answer, CertificateNeed
from sipguard.policy.presented import ASSERTED, from_number, numbers
from sipguard.policy.settings import PolicySettings
from sipguard.policy.view import View
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.certificates import CertificateFetcher, tls_context
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import build
from sipguard.runtime.faults import Faults
from sipguard.runtime.secret_files import read_public_file
from sipguard.sip.date import parse_date
from sipguard.sip.message import Request
from sipguard.sip.uri import parse_uri
from sipguard.stir.attestation import OriginationIdentifiers
from sipguard.stir.certificate import load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.telephone_number import TN, DialPlan, tn_of_uri
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.stir.verification import MissingCertificate, Signalling, VerificationService
from sipguard.traffic.book import TrafficBook
from sipguard.traffic.profile import PROFILES

_FETCH_TIMEOUT = 5.0  # seconds, where no configuration says otherwise
_CAPACITY = 16

Obtain = Callable[[str], bool]  # puts the chain behind a URL into the cache, or says that it cannot


class Verifier:
    """Judges Identity header field values as of one moment."""

    def __init__(self, view: View, obtain: Obtain, now: UnixTime) -> None:
        self._view = view
        self._obtain = obtain
        self._now = now
        self.not_fetched: list[str] = []

    def verdict(self, identities: Sequence[str], signalling: Signalling) -> Verdict:
        """The verdict; certificates that could not be had are listed in ``not_fetched``."""
        while True:
            unavailable = frozenset(self.not_fetched)
            found = self._view.verification.verify(
                identities, signalling, self._view.certificates, self._now, unavailable
            )
            if not isinstance(found, MissingCertificate):
                return found
            if not self._obtain(found.url):
                self.not_fetched.append(found.url)


def make_verifier(config: Path, anchors: Path | None, certificate: Path | None, fetch: bool, now: UnixTime) -> Verifier:
    """A verifier that trusts a file of anchors, or what the configuration trusts. Raises SipguardError."""
    timeout, authorities = _FETCH_TIMEOUT, None
    if anchors is None:
        configuration = load(config)
        settings = configuration.stir.verify
        if settings.anchors is None:
            raise SipguardError("no certification authority is trusted: name --anchors, or set stir.verify.anchors")
        view, timeout, authorities = build(configuration).view, settings.fetch_timeout, settings.https_ca
    else:
        view = _bare_view(read_public_file(anchors))
    if certificate is not None:
        chain = read_public_file(certificate)
        return Verifier(view, lambda url: _stored(view, url, chain, now), now)
    if fetch:
        return Verifier(view, lambda url: asyncio.run(_fetch(view, url, now, timeout, authorities)), now)
    return Verifier(view, lambda url: False, now)


def _bare_view(anchors_pem: bytes) -> View:
    """A view that can verify and nothing else."""
    return View(
        directory=Directory(),
        policy=PolicySettings(revision="none"),
        signers={},
        origids=OriginationIdentifiers(bytes(16)),
        verification=VerificationService(load_anchors(anchors_pem)),
        certificates=CertificateCache(_CAPACITY),
        traffic=TrafficBook(PROFILES["plivo"]),
    )


def _stored(view: View, url: str, chain: bytes, now: UnixTime) -> bool:
    view.certificates.store(url, chain, UnixTime(now + 1), now, view.verification.anchors)
    return True


async def _fetch(view: View, url: str, now: UnixTime, timeout: float, authorities: Path | None) -> bool:
    """Fetch as a call would, with every rule about addresses; the reason of a failure stays in the cache."""
    logging.getLogger("sipguard").addHandler(logging.NullHandler())
    loop = asyncio.get_running_loop()
    clock = Clock(wall=lambda: float(now))
    book = AddressBook(clock, loop)
    fetcher = CertificateFetcher(lambda: view, book, clock, Faults(clock), tls_context(authorities), timeout)
    answered: asyncio.Future[Answer] = loop.create_future()
    answer = fetcher.provide(CertificateNeed(url), lambda _, given: answered.set_result(given))
    if answer is None:
        answer = await answered
    await fetcher.close()
    return answer.met or view.certificates.get(url, now) is not None


def signalling_of(material: Material, plan: DialPlan, orig: TN | None, dest: TN | None) -> Signalling:
    """What the token is held against; ``orig`` and ``dest`` are what the user says."""
    if material.request is not None:
        return _of_request(material.request, plan, orig, dest)
    callers, called = _claimed(material)
    return Signalling(
        orig=callers if orig is None else (orig,),
        dest=called if dest is None else (dest,),
        call_id="",
    )


def _of_request(request: Request, plan: DialPlan, orig: TN | None, dest: TN | None) -> Signalling:
    callers = numbers(request, ASSERTED, plan) or _known(from_number(request, plan))
    stated = request.value("date")
    date = None if stated is None else parse_date(stated)
    return Signalling(
        orig=callers if orig is None else (orig,),
        dest=_known(_number(request.to.uri, plan)) if dest is None else (dest,),
        call_id=request.call_id,
        request_tn=_number(request.uri, plan),
        date=None if date is None else UnixTime(date),
    )


def _number(uri: str, plan: DialPlan) -> TN | None:
    try:
        return tn_of_uri(parse_uri(uri), plan)
    except MalformedValue:
        return None


def _known(number: TN | None) -> tuple[TN, ...]:
    return () if number is None else (number,)


def _claimed(material: Material) -> tuple[tuple[TN, ...], tuple[TN, ...]]:
    """The numbers the tokens themselves claim."""
    callers: list[TN] = []
    called: list[TN] = []
    for value in material.identities:
        segments = value.partition(";")[0].split(".")
        claims = (loose_json(segments[1]) if len(segments) > 1 else None) or {}
        callers += _texts(claims.get("orig"))
        called += _texts(claims.get("dest"))
    return tuple(callers), tuple(called)


def _texts(identity: object) -> list[TN]:
    numbers_claimed = identity.get("tn") if isinstance(identity, dict) else None
    found = numbers_claimed if isinstance(numbers_claimed, list) else [numbers_claimed]
    return [TN(number) for number in found if isinstance(number, str)]

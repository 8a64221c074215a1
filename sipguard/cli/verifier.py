"""One verification by hand: the proxy's verification service, with the chain from a file, from its URL, or without.

The signalling that a token is held against comes from the SIP message it was found in. Without one it is what the user
says, and what nobody says is taken from the token itself, which then proves nothing about it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sipguard.cli.token_input import Material, loose_json
from sipguard.config import load
from sipguard.errors import MalformedValue, SipguardError
from sipguard.policy.presented import ASSERTED, from_number, numbers
from sipguard.policy.resource_priority import is_callback, resource_priorities
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.certificates import LARGEST
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import build
from sipguard.runtime.download import Downloader, tls_context
from sipguard.runtime.https import FetchError
from sipguard.runtime.secret_files import read_public_file
from sipguard.runtime.trust import read_anchors
from sipguard.sip.date import parse_date
from sipguard.sip.message import Request
from sipguard.sip.uri import parse_uri
from sipguard.stir.certificate import TrustAnchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.media_key import fingerprints
from sipguard.stir.telephone_number import TN, DialPlan, normalise_uri, tn_of_uri
from sipguard.stir.unix_time import UnixTime
from sipguard.stir.verdict import Verdict
from sipguard.stir.verification import MissingCertificate, Signalling, VerificationService
from sipguard.stir.x5u import X5uRules

_FETCH_TIMEOUT = 5.0  # seconds, where no configuration says otherwise
_CAPACITY = 16

Obtain = Callable[[str], bytes]  # the chain behind a URL; raises SipguardError


class Verifier:
    """Judges Identity header field values as of one moment."""

    def __init__(self, service: VerificationService, now: UnixTime, obtain: Obtain) -> None:
        self._service = service
        self._obtain = obtain
        self._now = now
        self._cache = CertificateCache(_CAPACITY)
        self.not_fetched: dict[str, str] = {}

    def verdict(self, identities: Sequence[str], signalling: Signalling) -> Verdict:
        """The verdict; certificates that could not be had are in ``not_fetched``, each with the reason."""
        while True:
            found = self._service.verify(identities, signalling, self._cache, self._now, frozenset(self.not_fetched))
            if not isinstance(found, MissingCertificate):
                return found
            try:
                chain = self._obtain(found.url)
            except SipguardError as error:
                self.not_fetched[found.url] = str(error)
            else:
                self._cache.store(found.url, chain, UnixTime(self._now + 1), self._now, self._service.anchors)


def make_verifier(config: Path, anchors: Path | None, certificate: Path | None, fetch: bool, now: UnixTime) -> Verifier:
    """A verifier that trusts a file of anchors, or what the configuration trusts. Raises SipguardError."""
    timeout, authorities = _FETCH_TIMEOUT, None
    if anchors is None:
        configuration = load(config)
        settings = configuration.stir.verify
        if settings.anchors is None:
            raise SipguardError("no certification authority is trusted: name --anchors, or set stir.verify.anchors")
        service = build(configuration).view.verification
        timeout, authorities = settings.fetch_timeout, settings.https_ca
    else:
        service = VerificationService(TrustAnchors(read_anchors(anchors, (), now).certificates))
    if certificate is not None:
        chain = read_public_file(certificate)
        return Verifier(service, now, lambda url: chain)
    if fetch:
        rules = service.settings.x5u
        return Verifier(service, now, lambda url: asyncio.run(_download(url, rules, timeout, authorities)))
    return Verifier(service, now, _not_asked)


def _not_asked(url: str) -> bytes:
    raise SipguardError("name --certificate or --fetch")


async def _download(url: str, rules: X5uRules, timeout: float, authorities: Path | None) -> bytes:
    """Fetch as a call would, with every rule about addresses. Raises SipguardError."""
    downloader = Downloader(AddressBook(Clock(), asyncio.get_running_loop()), tls_context(authorities))
    try:
        async with asyncio.timeout(timeout):
            return (await downloader.get(url, rules, LARGEST)).body
    except TimeoutError:
        raise SipguardError(f"no answer within {timeout:g} s") from None
    except FetchError as error:
        raise SipguardError(str(error)) from None


def signalling_of(material: Material, plan: DialPlan, orig: TN | None, dest: TN | None) -> Signalling:
    """What the token is held against; ``orig`` and ``dest`` are what the user says."""
    request = material.request
    found = _claimed(material) if request is None else _of_request(request, plan)
    if orig is not None:
        found = replace(found, orig=(orig,))
    return found if dest is None else replace(found, dest=(dest,), request_tn=None, to_uri=None, request_uri=None)


def _of_request(request: Request, plan: DialPlan) -> Signalling:
    """What the verification stage of a trusted trunk reads in a request."""
    stated = request.value("date")
    date = None if stated is None else parse_date(stated)
    to_tn, to_uri = _destination(request.to.uri, plan)
    request_tn, request_uri = _destination(request.uri, plan)
    return Signalling(
        orig=numbers(request, ASSERTED, plan) or _known(from_number(request, plan)),
        dest=_known(to_tn),
        call_id=request.call_id,
        request_tn=request_tn,
        date=None if date is None else UnixTime(date),
        to_uri=to_uri,
        request_uri=request_uri,
        media_keys=fingerprints(request.body),
        resource_priority=resource_priorities(request),
        callback=is_callback(request),
    )


def _destination(text: str, plan: DialPlan) -> tuple[TN | None, str | None]:
    """The number a URI names, or else its normal form."""
    try:
        uri = parse_uri(text)
    except MalformedValue:
        return None, None
    number = tn_of_uri(uri, plan)
    return number, normalise_uri(uri) if number is None else None


def _known(number: TN | None) -> tuple[TN, ...]:
    return () if number is None else (number,)


def _claimed(material: Material) -> Signalling:
    """What the tokens themselves claim."""
    callers: list[str] = []
    called: list[str] = []
    uris: list[str] = []
    for value in material.identities:
        segments = value.partition(";")[0].split(".")
        claims = (loose_json(segments[1]) if len(segments) > 1 else None) or {}
        callers += _texts(claims.get("orig"), "tn")
        called += _texts(claims.get("dest"), "tn")
        uris += _texts(claims.get("dest"), "uri")
    return Signalling(
        orig=tuple(map(TN, callers)), dest=tuple(map(TN, called)), call_id="", to_uri=uris[0] if uris else None
    )


def _texts(identity: object, kind: str) -> list[str]:
    claimed = identity.get(kind) if isinstance(identity, dict) else None
    return [text for text in (claimed if isinstance(claimed, list) else [claimed]) if isinstance(text, str)]

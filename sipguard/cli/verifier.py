"""One verification by hand: the proxy's verification service, with the chain from a file, from its URL, or without.

The signalling that a token is held against comes from the SIP message it was found in. Without one it is what the user
says, and what nobody says is taken from the token itself, which then proves nothing about it.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from sipguard.cli.token_input import Material, loose_json
from sipguard.config import load
from sipguard.errors import MalformedValue, SipguardError
from sipguard.policy.presented import ASSERTED, from_number, numbers
from sipguard.runtime.addresses import AddressBook
from sipguard.runtime.certificates import LARGEST
from sipguard.runtime.clock import Clock
from sipguard.runtime.composition import build
from sipguard.runtime.download import Downloader, tls_context
from sipguard.runtime.https import FetchError
from sipguard.runtime.secret_files import read_public_file
from sipguard.sip.date import parse_date
from sipguard.sip.message import Request
from sipguard.sip.uri import parse_uri
from sipguard.stir.certificate import load_anchors
from sipguard.stir.certificate_cache import CertificateCache
from sipguard.stir.telephone_number import TN, DialPlan, tn_of_uri
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
        service = VerificationService(load_anchors(read_public_file(anchors)))
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

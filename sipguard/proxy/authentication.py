"""Customers known by credentials: who is asked for them, and what becomes of the answer (RFC 3261 §22.3, RFC 8760).

Asked is a new request outside any dialog, from a source where no trunk is known or from a trunk that wants credentials
besides; never an ACK or a CANCEL, which have no answer of their own, and nothing inside a dialog, which proves by its
route and tags that it belongs to a call that was asked for (``in_dialog``). When no trunk uses digest nobody is asked.

Who does not know the password learns nothing: unknown user, wrong password and somebody else's trunk all get the same
407 after the same arithmetic. ``stale=true`` goes only to who does know it, and whose nonce is old, used up or not
ours. An emergency call from where a trunk is known by other means is not held up (EMG-04). A challenge is sent once and
forgotten, so that a stranger takes no memory and nobody else is flooded in its name (RFC 3261 §26.3.2.4).
"""

import hmac
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.recorder import readable
from sipguard.policy.settings import DigestSettings
from sipguard.policy.trunk import Trunk
from sipguard.proxy.nonces import Nonces
from sipguard.proxy.output import WARNING
from sipguard.proxy.scanners import Scanners
from sipguard.proxy.station import Station
from sipguard.proxy.urgency import asks_for_help
from sipguard.sip.digest import Credentials, format_challenge, parse_credentials, response_to
from sipguard.sip.message import Message, Request, row_value
from sipguard.sip.response import build_response
from sipguard.sip.uri import OtherUri, SipUri, TelUri, parse_uri
from sipguard.transaction.server import ServerTransaction

AUTHORIZATION = "proxy-authorization"
_NOBODY = "0" * 64  # stands in for the secret of a user that is not there
_MINUTE = 60.0
_LONGEST_LOGGED = 64


class Admission(NamedTuple):
    """Whose request it is, and the user name that was proved; empty when it is let pass without."""

    trunk: Trunk
    username: str


class Authentication:
    """Asks for credentials and judges them."""

    def __init__(self, station: Station, scanners: Scanners) -> None:
        self._station = station
        self._scanners = scanners
        self._nonces: Nonces | None = None
        self._logged = 0
        self._unlogged = 0
        self._minute = 0.0

    def admit(self, server: ServerTransaction, found: Trunk | None, now: float) -> Admission | None:
        """Whose request this is, or None when it was answered with a challenge.

        ``found`` is the trunk known by address or certificate, which wants credentials besides; None where none is.
        """
        station = self._station
        settings = station.view.policy.digest
        request = server.request
        credentials = _ours(request, settings.realm)
        outcome, stale = "challenged", False
        if credentials is not None:
            outcome = "wrong"
            trunk = self._owner(credentials, request, found, settings)
            if trunk is not None:
                if self._is_fresh(credentials, settings):
                    station.count("digest", "accepted")
                    self._scanners.proved(server.flow, now)
                    return Admission(trunk, credentials.username)
                outcome, stale = "stale", True
        if found is not None and self._is_emergency(request, found):
            station.count("digest", "emergency")
            return Admission(found, "")
        if outcome == "wrong" and credentials is not None:
            self._report(server, credentials.username, settings, now)
            self._scanners.failed(server.flow, now)
        station.count("digest", outcome)
        challenge = build_response(request, 407, None, station.random(), self._challenges(settings, stale))
        station.layer.respond_once(server, challenge, now)
        return None

    def _owner(
        self, credentials: Credentials, request: Request, found: Trunk | None, settings: DigestSettings
    ) -> Trunk | None:
        """The trunk whose password these credentials prove; the same work is done whether there is one or not."""
        if credentials.algorithm not in settings.algorithms:
            return None
        directory = self._station.view.directory
        known = directory.credential(settings.realm, credentials.algorithm, credentials.username)
        secret = known.secret if known is not None else _NOBODY
        expected = response_to(secret, request.method, credentials)
        proved = hmac.compare_digest(expected.encode("ascii"), credentials.response.encode("latin-1"))
        if not proved or known is None or not _is_complete(credentials) or not _same_resource(credentials, request):
            return None
        return directory.admits(known.trunk, found)

    def _is_fresh(self, credentials: Credentials, settings: DigestSettings) -> bool:
        count = int(credentials.nonce_count or "0", 16)
        wall = self._station.wall
        return self._memory.accept(credentials.nonce, count, wall, settings.nonce_lifetime, settings.max_nonces)

    @property
    def _memory(self) -> Nonces:
        """Made when it is first needed: its key is of this process only."""
        if self._nonces is None:
            random = self._station.random
            self._nonces = Nonces("".join(random() for _ in range(4)).encode("ascii")[:64])
        return self._nonces

    def _challenges(self, settings: DigestSettings, stale: bool) -> list[tuple[str, str]]:
        """One row for each algorithm, most preferred first (RFC 8760 §2.3)."""
        random = self._station.random()
        nonce = self._memory.issue(random, self._station.wall)
        opaque = self._station.random()
        return [
            ("proxy-authenticate", format_challenge(settings.realm, nonce, algorithm, opaque, stale))
            for algorithm in settings.algorithms
        ]

    def _is_emergency(self, request: Request, trunk: Trunk) -> bool:
        return request.method == "INVITE" and asks_for_help(request, trunk, self._station.view)

    def _report(self, server: ServerTransaction, username: str, settings: DigestSettings, now: float) -> None:
        """Say that somebody failed, so many times a minute at most; the next line says how many were left out."""
        if now >= self._minute + _MINUTE:
            self._minute, self._logged = now, 0
        if self._logged >= settings.failures_logged:
            self._unlogged += 1
            return
        self._logged += 1
        self._station.log(
            WARNING,
            "digest.failed",
            source=f"{server.flow.transport}:{server.flow.host}:{server.flow.port}",
            user=readable(username[:_LONGEST_LOGGED]),
            unlogged=self._unlogged,
        )
        self._unlogged = 0


def consume(message: Message, realm: str) -> None:
    """Take the credentials for our realm off a request that goes on; those for others are theirs (RFC 3261 §22.3)."""
    if not message.has(AUTHORIZATION):
        return
    for index in range(len(message.names) - 1, -1, -1):
        if message.names[index] == AUTHORIZATION and _is_of(row_value(message.rows[index]), realm):
            message.remove_row(index)


def _ours(request: Request, realm: str) -> Credentials | None:
    """The first credentials for our realm."""
    for value in request.values(AUTHORIZATION):
        try:
            credentials = parse_credentials(value)
        except MalformedValue:
            continue
        if credentials.realm == realm:
            return credentials
    return None


def _is_of(value: str, realm: str) -> bool:
    try:
        return parse_credentials(value).realm == realm
    except MalformedValue:
        return False


def _is_complete(credentials: Credentials) -> bool:
    """Whether they are bound to a count: our challenges ask for ``qop="auth"``, and without it replays go unseen."""
    return credentials.qop == "auth" and credentials.nonce_count is not None and bool(credentials.cnonce)


def _same_resource(credentials: Credentials, request: Request) -> bool:
    """Whether the credentials are for whom this request calls (RFC 8760 §2.6 (6)); a hop may have changed the host."""
    if credentials.uri == request.uri:
        return True
    try:
        signed, asked = parse_uri(credentials.uri), parse_uri(request.uri)
    except MalformedValue:
        return False
    if isinstance(signed, OtherUri) or isinstance(asked, OtherUri):
        return False
    return _user(signed) == _user(asked)


def _user(uri: SipUri | TelUri) -> str:
    return uri.user or "" if isinstance(uri, SipUri) else uri.number

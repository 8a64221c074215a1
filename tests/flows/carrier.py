"""A carrier that asks for credentials, and is strict about numbers: a higher one each time, and ACK for its INVITE."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sipguard.errors import MalformedValue
from sipguard.policy.trunk import Trunk
from sipguard.sip.digest import format_challenge, parse_credentials, response_to, secret_of
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.response import build_response
from sipguard.testing.network import Endpoint
from sipguard.testing.sample import CARRIER_A, PROXY, changed
from sipguard.testing.user_agent import Script, UserAgent
from sipguard.transaction.server import ServerTransaction
from tests.flows.stage import Stage

USER, PASSWORD, REALM = "edge-1", "a carrier's password", "carrier-a.example"
ASKED = ("INVITE", "BYE", "UPDATE", "INFO", "PRACK", "REFER", "SUBSCRIBE", "MESSAGE", "OPTIONS")
WITH_PASSWORD = changed("carrier-a", username=USER, password_file="kept elsewhere", realm=REALM)


@dataclass
class Carrier(UserAgent):
    """``asks`` are the methods it wants credentials with; ``once`` whether a nonce is good for one request only."""

    asks: tuple[str, ...] = ASKED
    code: int = 407
    realm: str = REALM
    algorithm: str = "SHA-256"
    password: str = PASSWORD
    once: bool = True
    stale: bool = False  # what it says of an answer it does not take
    others: Sequence[tuple[str, str]] = ()  # challenges beside its own
    challenged: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nobody has been asked yet."""
        super().__post_init__()
        self._nonces: dict[str, int] = {}
        self._last: dict[tuple[str, str | None], int] = {}
        self._accepted: set[tuple[str, int]] = set()

    @property
    def _fields(self) -> tuple[str, str]:
        if self.code == 407:
            return "proxy-authenticate", "proxy-authorization"
        return "www-authenticate", "authorization"

    def request(self, transaction: ServerTransaction, now: float) -> None:
        """Ask for credentials, or go on as any user agent."""
        request = transaction.request
        dialog = (request.call_id, request.from_.tag)
        if request.cseq.number <= self._last.get(dialog, 0):
            self.complaints.append(f"{request.method} {request.cseq.number} after {self._last[dialog]}")
        self._last[dialog] = request.cseq.number
        if request.method in self.asks and not self.is_proved(request):
            self.challenged.append(request)
            self.layer.respond(transaction, self._challenge(request), now)
            return
        if request.method == "INVITE":
            self._accepted.add((request.call_id, request.cseq.number))
        super().request(transaction, now)

    def _challenge(self, request: Request) -> Any:
        nonce = f"nonce-{len(self._nonces) + 1}"
        self._nonces[nonce] = 0
        asked, answered = self._fields
        stale = self.stale and request.has(answered)
        own = (asked, format_challenge(self.realm, nonce, self.algorithm, "opaque", stale))
        return build_response(request, self.code, None, self.name, (*self.others, own))

    def is_proved(self, request: Request) -> bool:
        """Whether a request brings good credentials: our nonce, a higher count, the password."""
        for value in request.values(self._fields[1]):
            try:
                credentials = parse_credentials(value)
            except MalformedValue:
                continue
            if credentials.realm != self.realm or credentials.nonce not in self._nonces:
                continue
            count = int(credentials.nonce_count or "0", 16)
            if count <= self._nonces[credentials.nonce]:
                continue
            secret = secret_of(self.algorithm, USER, self.realm, self.password)
            if credentials.uri == request.uri and response_to(secret, request.method, credentials) == (
                credentials.response
            ):
                self._nonces[credentials.nonce] = 2**32 if self.once else count
                return True
        return False

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK must be for an INVITE that was taken."""
        if (request.call_id, request.cseq.number) not in self._accepted:
            self.complaints.append(f"ACK {request.cseq.number}")
        super().ack(request, flow, now)


def with_carrier(
    trunks: tuple[Trunk, ...] = WITH_PASSWORD, endpoint: Endpoint = CARRIER_A, password: str = PASSWORD, **more: Any
) -> tuple[Stage, Carrier]:
    """A stage whose carrier asks for credentials; ``more`` are the carrier's fields."""
    stage = Stage(trunks=trunks)
    stage.sample.view = replace(stage.sample.view, passwords={"carrier-a": password})
    stage.engine.reconfigure(stage.sample.view)
    script = more.pop("script", Script())
    carrier = Carrier(stage.network, endpoint, PROXY, script=script, name="carrier-a", **more)
    if endpoint == CARRIER_A:
        stage.carrier = carrier
    return stage, carrier
